"""BaseLLMProvider: what every provider class inherits, in the form of the provider guide."""

import functools
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, ClassVar, Self

from ....application.planning.requirements import missing_features, required_features
from ....application.streaming.single_answer import single_answer
from ....application.validation.request import build_chat_request
from ....domain.errors import EmptyAnswerError, InvalidRequestError, MalformedResponseError, ProviderConfigurationError
from ....domain.requests import ChatRequest
from ....domain.responses import LLMResponse
from ....ports.clock import Clock
from ....ports.llm import LLMStream
from ...clock import SystemClock
from ...http.types import Transport
from ..config import ProviderConfig

__all__ = ["BaseLLMProvider", "LLMResponse", "ProviderConfig"]

# Start times by provider object, in the running task's own context: concurrent calls on one object never mix, and a
# provider that asks another one keeps its own. Only the newest are kept; nobody nests deeper.
_starts: ContextVar[tuple[tuple[int, float], ...]] = ContextVar("faultmaven_provider_starts", default=())
_KEPT_STARTS = 8


class BaseLLMProvider:
    """The base of all providers.

    A subclass overrides either `generate` (the guide's form: it builds and sends its request itself) or `answer` (one
    `ChatRequest` in, one `LLMResponse` out, within `request.timeout`).
    """

    dialects: ClassVar[tuple[str, ...]] = ()
    """The dialects a row of this class may name; the first is the default."""

    config: ProviderConfig

    def __init__(self, config: ProviderConfig) -> None:
        """Keep `config`; nothing is opened."""
        self.config = config
        self._clock: Clock = SystemClock()

    @classmethod
    def create(cls, config: ProviderConfig, transport: Transport, clock: Clock) -> Self:
        """Return a provider as the registry makes it. A class that needs more than its config overrides this."""
        provider = cls(config)
        provider._clock = clock
        return provider

    @property
    def provider_name(self) -> str:
        """The provider's unique name."""
        return self.config.name

    def is_available(self) -> bool:
        """Return whether the provider is configured; asks nobody over the network."""
        return bool(self.config.base_url and (self.config.api_key or self.config.is_local) and self.config.models)

    def get_supported_models(self) -> list[str]:
        """Return the configured models, the default first."""
        return self.config.models.copy()

    @property
    def features(self) -> frozenset[str]:
        """What of a request it carries beyond one prompt; a class that overrides `answer` says so here."""
        return frozenset()

    def get_effective_model(self, requested: str | None = None) -> str:
        """Return the model to send: the one asked for, or else this provider's own.

        The router passes a requested model only to the provider it was meant for, so an id that is newer than the
        configuration still goes through.
        """
        if requested:
            return requested
        if not self.config.models:
            variable = self.config.model_var or "its model variable"
            raise ProviderConfigurationError(f"{self.provider_name} has no model", advice=f"Set {variable}.")
        return self.config.models[0]

    # Any: the guide's subclasses narrow these to what they take.
    async def generate(
        self, prompt: Any, model: Any = None, max_tokens: Any = None, temperature: Any = None, **options: Any
    ) -> LLMResponse:
        """Return the answer to `prompt`, from this provider alone; see `LLMProvider.generate`."""
        request = self._request(prompt, model, max_tokens, temperature, options)
        del prompt  # so that no traceback of ours shows it among its locals
        return await self.answer(request)

    def stream(
        self, prompt: Any, model: Any = None, max_tokens: Any = None, temperature: Any = None, **options: Any
    ) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the answer's stream; a class that overrides only `generate` gives one chunk."""
        if type(self).generate is not BaseLLMProvider.generate and type(self).answer is BaseLLMProvider.answer:
            chosen = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
            given = {name: value for name, value in chosen.items() if value is not None}
            return single_answer(functools.partial(self.generate, prompt, **given, **options))
        request = self._request(prompt, model, max_tokens, temperature, options)
        del prompt
        return self.open_stream(request)

    def _request(
        self, prompt: Any, model: Any, max_tokens: Any, temperature: Any, options: Mapping[str, Any]
    ) -> ChatRequest:
        """Return the request for this provider alone: what it cannot carry is refused, and its time is the shorter of
        its own and the caller's deadline."""
        request = build_chat_request(prompt, model, max_tokens, temperature, options)
        lacks = missing_features(required_features(request), self.features)
        if lacks:
            raise InvalidRequestError(f"{self.provider_name} does not take {' or '.join(lacks)}")
        timeout = self.config.timeout
        return replace(request, timeout=min(timeout, request.deadline) if request.deadline else timeout)

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds."""
        raise ProviderConfigurationError(f"{type(self).__name__} overrides neither generate() nor answer()")

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the answer's stream; without one of its own, a provider gives one chunk."""
        return single_answer(lambda: self.answer(request))

    def _start_timing(self) -> None:
        """Note when this call began, for `_get_response_time_ms` in the same task."""
        others = tuple(entry for entry in _starts.get() if entry[0] != id(self))
        _starts.set((*others[1 - _KEPT_STARTS :], (id(self), self._clock.monotonic())))

    def _get_response_time_ms(self) -> int:
        """Return the milliseconds since `_start_timing` in this call; 0 when it was not called."""
        now = self._clock.monotonic()
        return next((round((now - start) * 1000) for owner, start in _starts.get() if owner == id(self)), 0)

    def _validate_response_content(self, content: Any) -> str:
        """Return `content` without surrounding white space.

        Raises:
            EmptyAnswerError: there is nothing else in it.
            MalformedResponseError: it is no string.
        """
        if not isinstance(content, str):
            raise MalformedResponseError(
                f"the answer's content is a {type(content).__name__}, not a string", provider=self.provider_name
            )
        if not content.strip():
            raise EmptyAnswerError("the answer is empty", provider=self.provider_name)
        return content.strip()
