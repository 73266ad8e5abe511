"""BaseLLMProvider: the base class of every provider class, in the form of the provider guide."""

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

# Start times by provider object, in the context of the running task: concurrent calls on one object never mix, and a
# provider that calls another one keeps its own start. Only the newest are kept, which is deeper than providers nest.
_starts: ContextVar[tuple[tuple[int, float], ...]] = ContextVar("faultmaven_provider_starts", default=())
_MAX_STARTS = 8


class BaseLLMProvider:
    """The base class of all providers.

    A subclass overrides either `generate` (the form of the provider guide: the class builds and sends its request
    itself) or `answer` (one `ChatRequest` in, one `LLMResponse` out, within `request.timeout`).
    """

    dialects: ClassVar[tuple[str, ...]] = ()
    """The dialects a row of this class may name; the first is the default."""

    config: ProviderConfig

    def __init__(self, config: ProviderConfig) -> None:
        """Store `config`; no connection is opened."""
        self.config = config
        self._clock: Clock = SystemClock()

    @classmethod
    def create(cls, config: ProviderConfig, transport: Transport, clock: Clock) -> Self:
        """Build a provider for the registry. A class that needs more than `config` overrides this method."""
        provider = cls(config)
        provider._clock = clock
        return provider

    @property
    def provider_name(self) -> str:
        """The provider's unique name."""
        return self.config.name

    def is_available(self) -> bool:
        """Return whether the provider is configured, without any network access."""
        return bool(self.config.base_url and (self.config.api_key or self.config.is_local) and self.config.models)

    def get_supported_models(self) -> list[str]:
        """Return the configured models, the default first."""
        return self.config.models.copy()

    @property
    def features(self) -> frozenset[str]:
        """Request features beyond a single prompt; a class with its own `answer` lists those that it supports."""
        return frozenset()

    def get_effective_model(self, requested: str | None = None) -> str:
        """Return the model to send: `requested`, or else the provider's default.

        The router passes a requested model only to a provider that it is meant for, so an id that is newer than the
        configuration still works.

        Raises:
            ProviderConfigurationError: no model is requested or configured.
        """
        if requested:
            return requested
        if not self.config.models:
            variable = self.config.model_var or "the model variable of the row"
            raise ProviderConfigurationError(f"{self.provider_name} has no model", advice=f"Set {variable}.")
        return self.config.models[0]

    # Typed `Any`, since subclasses in the form of the guide narrow the parameters.
    async def generate(
        self, prompt: Any, model: Any = None, max_tokens: Any = None, temperature: Any = None, **options: Any
    ) -> LLMResponse:
        """Return the answer of this provider alone to `prompt`; see `LLMProvider.generate`."""
        request = self._request(prompt, model, max_tokens, temperature, options)
        del prompt  # keeps the prompt out of the local variables that a traceback shows
        return await self.answer(request)

    def stream(
        self, prompt: Any, model: Any = None, max_tokens: Any = None, temperature: Any = None, **options: Any
    ) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream of the answer.

        A class that overrides only `generate` gives its answer as one chunk.
        """
        if type(self).generate is not BaseLLMProvider.generate and type(self).answer is BaseLLMProvider.answer:
            arguments = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
            arguments = {name: value for name, value in arguments.items() if value is not None}
            return single_answer(functools.partial(self.generate, prompt, **arguments, **options))
        request = self._request(prompt, model, max_tokens, temperature, options)
        del prompt
        return self.open_stream(request)

    def _request(
        self, prompt: Any, model: Any, max_tokens: Any, temperature: Any, options: Mapping[str, Any]
    ) -> ChatRequest:
        """Return the request, timed out by the shorter of the provider's timeout and the caller's deadline.

        Raises:
            InvalidRequestError: the arguments are wrong, or the provider does not support a requested feature.
        """
        request = build_chat_request(prompt, model, max_tokens, temperature, options)
        missing = missing_features(required_features(request), self.features)
        if missing:
            raise InvalidRequestError(f"{self.provider_name} does not support {' or '.join(missing)}")
        timeout = self.config.timeout
        return replace(request, timeout=min(timeout, request.deadline) if request.deadline else timeout)

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds."""
        raise ProviderConfigurationError(f"{type(self).__name__} overrides neither generate() nor answer()")

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream of the answer; by default, the stream has one chunk."""
        return single_answer(lambda: self.answer(request))

    def _start_timing(self) -> None:
        """Record the start of this call, for `_get_response_time_ms` in the same task."""
        others = tuple(entry for entry in _starts.get() if entry[0] != id(self))
        _starts.set((*others[1 - _MAX_STARTS :], (id(self), self._clock.monotonic())))

    def _get_response_time_ms(self) -> int:
        """Return the milliseconds since `_start_timing` in this call; 0 without a start."""
        now = self._clock.monotonic()
        return next((round((now - start) * 1000) for owner, start in _starts.get() if owner == id(self)), 0)

    def _validate_response_content(self, content: Any) -> str:
        """Return `content` without surrounding white space.

        Raises:
            EmptyAnswerError: `content` is blank.
            MalformedResponseError: `content` is not a string.
        """
        if not isinstance(content, str):
            raise MalformedResponseError(
                f"the answer's content is a {type(content).__name__}, not a string", provider=self.provider_name
            )
        if not content.strip():
            raise EmptyAnswerError("the answer is empty", provider=self.provider_name)
        return content.strip()
