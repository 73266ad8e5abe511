"""ChatProvider: the callers' interface, `generate` and `stream`, over the router's interface, `answer`."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Unpack

from ..domain.messages import Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse
from ..ports.llm import LLMStream, Options
from .blocking import run_blocking
from .streaming.single_answer import single_answer
from .validation.request import build_chat_request


class ChatProvider(ABC):
    """Base of providers that answer a `ChatRequest`. Arguments are validated once, before `answer`."""

    @property
    @abstractmethod
    def provider_name(self) -> str:
        """The provider's name."""

    @abstractmethod
    def is_available(self) -> bool:
        """Return whether the provider is configured; nothing is sent."""

    @abstractmethod
    def get_supported_models(self) -> list[str]:
        """Return the names of the provider's models, the default first."""

    @abstractmethod
    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the response to `request`."""

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the response's stream, here the whole response in one piece."""
        return single_answer(lambda: self.answer(request))

    async def generate(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return the response to `prompt`.

        Raises:
            InvalidRequestError: an argument is invalid; nothing was sent.
            LLMError: as `answer`.
        """
        request = build_chat_request(prompt, model, max_tokens, temperature, options)
        del prompt  # a traceback that prints local variables must not show the prompt
        return await self.answer(request)

    def generate_sync(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return the response to `prompt` for code that is not asynchronous, also where an event loop runs.

        The calling thread waits. The call runs in one background event loop that all such calls of the process share.
        Code that can await `generate` should: `generate_sync` blocks the caller's own event loop.

        Raises:
            LLMError: as `generate`.
            RuntimeError: the caller runs inside another such call.
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
        """Return a context that opens the stream of the response to `prompt`.

        Raises:
            InvalidRequestError: an argument is invalid; nothing was sent.
        """
        request = build_chat_request(prompt, model, max_tokens, temperature, options)
        del prompt
        return self.open_stream(request)
