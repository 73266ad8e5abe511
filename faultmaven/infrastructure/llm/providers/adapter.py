"""Adapter of providers without `answer`: third-party `LLMProvider` objects, and classes that override `generate`."""

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


def is_chat_backend(provider: Any) -> bool:
    """Return whether `provider` answers a `ChatRequest` itself and needs no adapter."""
    if isinstance(provider, BaseLLMProvider):
        provider_class = type(provider)
        has_own_answer = provider_class.answer is not BaseLLMProvider.answer
        return has_own_answer and provider_class.generate is BaseLLMProvider.generate
    return callable(getattr(provider, "answer", None)) and callable(getattr(provider, "open_stream", None))


def to_chat_backend(name: str, provider: Any, clock: Clock, timeout: float) -> ChatBackend:
    """Return `provider` itself when it is a chat backend, else `provider` in a `ProviderAdapter`."""
    if is_chat_backend(provider):
        backend: ChatBackend = provider
        return backend
    return ProviderAdapter(name, provider, clock, timeout)


class ProviderAdapter:
    """Makes a chat backend of an object that has only `generate`.

    `generate` gets the messages joined to one string; `model`, `max_tokens` and `temperature` only where the caller set
    them; and the entry of `extra` for this provider as keyword arguments. The adapter limits the time of the call. The
    router converts exceptions of the provider to `LLMError` (`application.execution.attempt`).
    """

    def __init__(self, name: str, provider: Any, clock: Clock, timeout: float) -> None:
        self._name = name
        self._provider = provider
        self._clock = clock
        self._timeout = timeout

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer of the provider, under its name in the registry.

        Raises:
            ProviderTimeoutError: no answer came within `request.timeout` seconds, or else the provider's timeout.
        """
        timeout = request.timeout or self._timeout
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                response = await self._provider.generate(_join_texts(request), **_arguments(request, self._name))
        except TimeoutError as error:
            if self._clock.monotonic() - started < timeout:
                raise  # raised by the provider, not by this timeout
            raise ProviderTimeoutError(
                f"no answer within {timeout:.3g} s", provider=self._name, model=request.model or "", phase="first byte"
            ) from error
        answer = check_response(response)
        duration = self._clock.monotonic() - started
        attempt = Attempt(self._name, answer.model, duration=duration, usage=answer.usage)
        return replace(answer, provider=self._name, attempts=(attempt,))

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return the answer as a stream of one chunk."""
        return single_answer(lambda: self.answer(request))


def _join_texts(request: ChatRequest) -> str:
    return "\n\n".join(message.text for message in request.messages if message.text)


def _arguments(request: ChatRequest, name: str) -> Mapping[str, Any]:
    options = {"model": request.model, "max_tokens": request.max_tokens, "temperature": request.temperature}
    return {key: value for key, value in options.items() if value is not None} | dict(request.extra.get(name, {}))
