"""The face that callers see, over the one that the router sees: `generate` and `stream` over `answer`."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Unpack

from faultmaven.application.door import chat_request
from faultmaven.application.whole_stream import whole_stream
from faultmaven.domain.chat import ChatRequest, LLMResponse, Prompt
from faultmaven.ports.llm import LLMStream, Options


class ProviderFace(ABC):
    """Turns a caller's arguments into one `ChatRequest` at the door; whoever inherits only answers requests."""

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
