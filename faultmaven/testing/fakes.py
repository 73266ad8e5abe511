"""Fakes with behaviour: they keep what they were asked and pass the same contract as real providers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from faultmaven.application.face import ProviderFace
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse, StopReason
from faultmaven.domain.errors import LLMError, ProviderTimeoutError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.ports.clock import Clock

Step: TypeAlias = str | LLMResponse | LLMError | Callable[[ChatRequest], str | LLMResponse]


class FakeProvider(ProviderFace):
    """An `LLMProvider` that plays a script: texts, responses, errors to raise, or functions of the request.

    The steps are played in order and the last one for ever. `requests` keeps every `ChatRequest`.
    """

    features = frozenset({"turns", "seed", "tools", "schema", "images", "reasoning", "cache_prompt"})

    def __init__(
        self,
        *script: Step,
        name: str = "fake",
        models: Sequence[str] = ("fake-model",),
        delay: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        """Args:
        delay: Seconds on `clock` before each answer.
        clock: None is the machine's; give a `FakeClock` together with a delay.
        """
        self.requests: list[ChatRequest] = []
        self._script: tuple[Step, ...] = script or ("ok",)
        self._name = name
        self._models = list(models)
        self._delay = delay
        self._clock = clock or SystemClock()

    @property
    def provider_name(self) -> str:
        """The name given."""
        return self._name

    def is_available(self) -> bool:
        """Return True."""
        return True

    def get_supported_models(self) -> list[str]:
        """Return the models given."""
        return self._models.copy()

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Play the next step for `request`, within its timeout."""
        step = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(request.timeout):
                await self._wait()
        except TimeoutError:
            error = ProviderTimeoutError("no answer in time", provider=self._name, phase="first byte")
            raise self._noted(error, request, started) from None
        if isinstance(step, LLMError):
            raise self._noted(step.copy(), request, started)
        played = step if isinstance(step, str | LLMResponse) else step(request)
        return played if isinstance(played, LLMResponse) else self._response(played, request, started)

    async def _wait(self) -> None:
        if self._delay:
            await self._clock.sleep(self._delay)

    def _model(self, request: ChatRequest) -> str:
        return request.model or next(iter(self._models), "")

    def _noted(self, error: LLMError, request: ChatRequest, started: float) -> LLMError:
        duration = self._clock.monotonic() - started
        error.attempts = (Attempt(self._name, self._model(request), type(error).__name__, duration=duration),)
        return error

    def _response(self, text: str, request: ChatRequest, started: float) -> LLMResponse:
        """A whole answer; tokens are counted as words, so that tests can tell them."""
        words = sum(len(message.text.split()) for message in request.messages)
        usage = Usage(input=words, output=len(text.split()))
        duration = self._clock.monotonic() - started
        model = self._model(request)
        return LLMResponse(
            content=text,
            confidence=1.0,
            provider=self._name,
            model=model,
            tokens_used=usage.total,
            response_time_ms=round(duration * 1000, 3),
            stop_reason=StopReason.STOP,
            usage=usage,
            attempts=(Attempt(self._name, model, duration=duration, usage=usage),),
        )


class FakeClock:
    """Time that moves only when told, by `sleep` or by `advance`; nothing really waits.

    A sleep that would pass the end of a surrounding `timeout` stops there and the timeout strikes.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._limits: list[tuple[float, asyncio.Task[object], asyncio.Timeout]] = []
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; every timeout that ends by then strikes."""
        self._now += seconds
        self._strike()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, or as many as the surrounding timeouts leave."""
        task = asyncio.current_task()
        ends = min((end for end, owner, _ in self._limits if owner is task), default=float("inf"))
        if ends <= self._now + seconds:
            self.advance(max(0.0, ends - self._now))
            await asyncio.Event().wait()  # the timeout has struck: its cancellation arrives here
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        """Raise TimeoutError once `seconds` have passed on this clock; None never does."""
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(None) as limit:
            entry = (self._now + seconds, task, limit) if seconds is not None else None
            if entry is not None:
                self._limits.append(entry)
            try:
                yield
            finally:
                if entry is not None:
                    self._limits.remove(entry)

    def _strike(self) -> None:
        for end, _, limit in self._limits:
            if end <= self._now and not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
