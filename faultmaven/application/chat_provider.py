"""The face that callers see, over the one that the router sees: `generate` and `stream` over `answer`."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Unpack

from ..domain.messages import Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse
from ..ports.llm import LLMStream, Options
from .blocking import run_blocking
from .streaming.single_answer import whole_stream
from .validation.request import chat_request


class ChatProvider(ABC):
    """Turns a caller's arguments into one `ChatRequest` at the door; whoever inherits only answers requests."""

    @property
    @abstractmethod
    def provider_name(self) -> str:
        """Its name."""

    @abstractmethod
    def is_available(self) -> bool:
        """Return whether it is configured; asks nobody over the network."""

    @abstractmethod
    def get_supported_models(self) -> list[str]:
        """Return the names of its models, the default first."""

    @abstractmethod
    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request`."""

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the answer's stream. Today the answer comes as one chunk."""
        return whole_stream(lambda: self.answer(request))

    async def generate(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return the answer to `prompt`; errors as for `answer`, and InvalidRequestError for what the door refuses."""
        request = chat_request(prompt, model, max_tokens, temperature, options)
        del prompt  # so that no traceback of ours shows it among its locals
        return await self.answer(request)

    def generate_sync(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return what `generate` does, for code that is not asynchronous; works where a loop is running too.

        This thread waits; the call runs in a loop of the background, which all such calls of the process share. Code
        that can await should: a server's loop stands still meanwhile.

        Raises:
            LLMError: as `generate`.
            RuntimeError: called from within another such call.
        """
        coroutine = self.generate(prompt, model, max_tokens, temperature, **options)
        del prompt
        return run_blocking(coroutine)

    def stream(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the answer's stream; InvalidRequestError for what the door refuses."""
        request = chat_request(prompt, model, max_tokens, temperature, options)
        del prompt
        return self.open_stream(request)
