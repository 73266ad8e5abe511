"""Providers written by others, wrapped once so that the router can ask them like its own."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, NoReturn

from faultmaven.application.whole_stream import whole_stream
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import LLMError, MalformedResponseError, ProviderError, ProviderTimeoutError
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.ports.clock import Clock
from faultmaven.ports.llm import ChatBackend, LLMStream


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
    return AdaptedProvider(name, provider, clock, timeout)


class AdaptedProvider:
    """A class of the guide's form, or any foreign `LLMProvider`, behind `answer`.

    It gets the prompt as one string, and `model`, `max_tokens` and `temperature` only where the caller set them; as
    keyword arguments only its own entry of `extra`, since it forwards those to its vendor. Whatever it raises is
    wrapped once, with the cause kept; its time is limited from here.
    """

    def __init__(self, name: str, provider: Any, clock: Clock, timeout: float) -> None:
        self._name = name
        self._provider = provider
        self._clock = clock
        self._timeout = timeout

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the foreign answer, under the registry's name."""
        started = self._clock.monotonic()
        timeout = request.timeout or self._timeout
        try:
            async with self._clock.timeout(timeout):
                response = await self._provider.generate(_prompt(request), **_arguments(request, self._name))
        except LLMError as error:
            error.provider = self._name
            self._fail(error, request, started)
        except TimeoutError as error:
            ours = self._clock.monotonic() - started >= timeout
            self._fail(self._timeout_error(request, timeout, ours=ours), request, started, error)
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything; it is raised again, wrapped
            problem = f"the provider class {type(self._provider).__name__} raised {type(error).__name__}"
            wrapped = ProviderError(
                problem,
                provider=self._name,
                model=request.model or "",
                advice="Its own error is the cause of this one.",
            )
            self._fail(wrapped, request, started, error)
        return self._stamped(response, request, self._clock.monotonic() - started)

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return the answer as a stream of one chunk."""
        return whole_stream(self.answer(request))

    def _stamped(self, response: Any, request: ChatRequest, duration: float) -> LLMResponse:
        if not isinstance(response, LLMResponse):
            raise MalformedResponseError(
                f"the provider class {type(self._provider).__name__} returned a {type(response).__name__}, "
                "not an LLMResponse",
                provider=self._name,
                attempts=(self._line(request, duration, MalformedResponseError.__name__),),
            )
        line = self._line(request, duration, model=response.model, response=response)
        return replace(response, provider=self._name, attempts=(line,))

    def _fail(
        self, error: LLMError, request: ChatRequest, started: float, cause: BaseException | None = None
    ) -> NoReturn:
        duration = self._clock.monotonic() - started
        error.attempts = (self._line(request, duration, type(error).__name__, model=error.model),)
        raise error from cause or error.__cause__

    def _timeout_error(self, request: ChatRequest, timeout: float, *, ours: bool) -> ProviderTimeoutError:
        return ProviderTimeoutError(
            f"no answer within {timeout:.3g} s" if ours else "the provider class raised a TimeoutError",
            provider=self._name,
            model=request.model or "",
            phase="first byte",
        )

    def _line(
        self,
        request: ChatRequest,
        duration: float,
        outcome: str = "answered",
        *,
        model: str = "",
        response: LLMResponse | None = None,
    ) -> Attempt:
        return Attempt(
            self._name,
            model or request.model or "",
            outcome,
            duration=duration,
            usage=response.usage if response else None,
        )


def _prompt(request: ChatRequest) -> str:
    return "\n\n".join(message.text for message in request.messages if message.text)


def _arguments(request: ChatRequest, name: str) -> Mapping[str, Any]:
    chosen = {"model": request.model, "max_tokens": request.max_tokens, "temperature": request.temperature}
    return {key: value for key, value in chosen.items() if value is not None} | dict(request.extra.get(name, {}))
