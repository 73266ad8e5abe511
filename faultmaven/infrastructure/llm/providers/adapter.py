"""Providers written by others, wrapped once so that the router can ask them like its own."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from ....application.answers.acceptance import check_response
from ....application.streaming.single_answer import single_answer
from ....domain.attempts import Attempt
from ....domain.errors import ProviderTimeoutError
from ....domain.requests import ChatRequest
from ....domain.responses import LLMResponse
from ....ports.clock import Clock
from ....ports.llm import ChatBackend, LLMStream
from .base import BaseLLMProvider


def has_answer(provider: Any) -> bool:
    """Return whether `provider` takes a `ChatRequest` itself and needs no wrapping."""
    if isinstance(provider, BaseLLMProvider):
        kind = type(provider)
        return kind.answer is not BaseLLMProvider.answer and kind.generate is BaseLLMProvider.generate
    return callable(getattr(provider, "answer", None)) and callable(getattr(provider, "open_stream", None))


def backend_of(name: str, provider: Any, clock: Clock, timeout: float) -> ChatBackend:
    """Return what the router asks: the provider itself where it takes a `ChatRequest`, else the provider, wrapped."""
    if has_answer(provider):
        backend: ChatBackend = provider
        return backend
    return ProviderAdapter(name, provider, clock, timeout)


class ProviderAdapter:
    """A class of the guide's form, or any foreign `LLMProvider`, behind `answer`.

    It gets the prompt as one string, and `model`, `max_tokens` and `temperature` only where the caller set them; as
    keyword arguments only its own entry of `extra`, since it forwards those to its vendor. Its time is limited from
    here; what it raises is wrapped by whoever asks (`application.attempt`).
    """

    def __init__(self, name: str, provider: Any, clock: Clock, timeout: float) -> None:
        self._name = name
        self._provider = provider
        self._clock = clock
        self._timeout = timeout

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the foreign answer, under the registry's name."""
        timeout = request.timeout or self._timeout
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                response = await self._provider.generate(_prompt(request), **_arguments(request, self._name))
        except TimeoutError as error:
            if self._clock.monotonic() - started < timeout:
                raise  # its own, not ours
            raise ProviderTimeoutError(
                f"no answer within {timeout:.3g} s", provider=self._name, model=request.model or "", phase="first byte"
            ) from error
        answer = check_response(response)
        line = Attempt(self._name, answer.model, duration=self._clock.monotonic() - started, usage=answer.usage)
        return replace(answer, provider=self._name, attempts=(line,))

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return the answer as a stream of one chunk."""
        return single_answer(lambda: self.answer(request))


def _prompt(request: ChatRequest) -> str:
    return "\n\n".join(message.text for message in request.messages if message.text)


def _arguments(request: ChatRequest, name: str) -> Mapping[str, Any]:
    chosen = {"model": request.model, "max_tokens": request.max_tokens, "temperature": request.temperature}
    return {key: value for key, value in chosen.items() if value is not None} | dict(request.extra.get(name, {}))
