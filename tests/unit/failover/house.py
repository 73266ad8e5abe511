"""A router over scripted providers in virtual time, built from its parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from faultmaven.application.configuration import ConfigurationSnapshot, Route
from faultmaven.application.policies.policies import DEFAULT_POLICIES, Policies
from faultmaven.application.resilience.admission import AdmissionControl
from faultmaven.application.reuse.response_reuse import ResponseReuse
from faultmaven.application.router import LLMRouter, RouterDependencies
from faultmaven.application.streaming.single_answer import whole_stream
from faultmaven.domain.errors import LLMError, ProviderTimeoutError
from faultmaven.domain.events import Event
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import LLMResponse, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.optional.optional_dependencies import build_rate_counter
from faultmaven.ports.cache import ResponseCache
from faultmaven.ports.clock import Clock
from faultmaven.ports.limits import RateCounter
from faultmaven.testing.virtual_time import VirtualClock

TEXT = frozenset({"turns", "seed", "tools", "schema"})


@dataclass(frozen=True)
class Step:
    """What a provider does with one request: after `latency` seconds it raises `error`, or answers with `text`.

    A deaf one does not keep the time it is given.
    """

    latency: float = 0.0
    error: LLMError | None = None
    text: str = "an answer"
    stop: StopReason = StopReason.STOP
    usage: Usage | None = None
    confidence: float | None = None
    deaf: bool = False


WELL = Step(0.5)
HANGS = Step(float(10**6))


class Scripted:
    """A provider that plays its steps, the last for ever, and keeps the time it is given."""

    def __init__(self, name: str, steps: Iterable[Step], clock: Clock) -> None:
        self.name = name
        self.steps = tuple(steps) or (WELL,)
        self.clock = clock
        self.asked: list[tuple[float, float]] = []
        self.under_way = 0
        self.most = 0

    async def answer(self, request: ChatRequest) -> LLMResponse:
        step = self.steps[min(len(self.asked), len(self.steps) - 1)]
        assert request.timeout is not None
        self.asked.append((self.clock.monotonic(), request.timeout))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with self.clock.timeout(None if step.deaf else request.timeout):
                await self.clock.sleep(step.latency)
        except TimeoutError:
            raise ProviderTimeoutError("no answer in time", provider=self.name, phase="first byte") from None
        finally:
            self.under_way -= 1
        if step.error is not None:
            raise step.error.copy()
        return LLMResponse(
            content=step.text,
            confidence=1.0 if step.confidence is None else step.confidence,
            provider=self.name,
            model=request.model or f"{self.name}-model",
            tokens_used=step.usage.total if step.usage else None,
            response_time_ms=1.0,
            stop_reason=step.stop,
            usage=step.usage,
        )

    def open_stream(self, request: ChatRequest) -> Any:
        return whole_stream(lambda: self.answer(request))


class TickingClock(VirtualClock):
    """A clock that moves a little whenever it is looked at, as real ones do."""

    def __init__(self) -> None:
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return super().monotonic() + self._looks * 1e-6


@dataclass
class House:
    """A router and everything around it that a test looks at."""

    routes: list[Route]
    policies: Policies = DEFAULT_POLICIES
    deadline: float = 120.0
    cache: ResponseCache | None = None
    chance: Callable[[], float] = lambda: 0.5
    clock: Clock = field(default_factory=VirtualClock)
    events: list[Event] = field(default_factory=list)
    _counted: RateCounter | None = None

    def __post_init__(self) -> None:
        names = tuple(route.name for route in self.routes)
        self.generation = ConfigurationSnapshot(
            {route.name: route for route in self.routes}, {}, {"chat": names}, self.deadline, self.policies
        )
        self.traffic = AdmissionControl(lambda: self.generation, self.clock, self.events.append, self._counter)
        reuse = ResponseReuse(self.cache)
        self.parts = RouterDependencies(
            lambda: self.generation, self.traffic, reuse, self.clock, self.events.append, self.chance
        )
        self.router = LLMRouter(self.parts)

    def _counter(self) -> RateCounter:
        if self._counted is None:
            self._counted = build_rate_counter(self.clock)
        return self._counted

    def backend(self, name: str) -> Scripted:
        backend = self.generation.routes[name].backend
        assert isinstance(backend, Scripted)
        return backend

    def told(self, kind: type[Any]) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def route(name: str, *steps: Step, clock: Clock | None = None, **fields: Any) -> Route:
    """Return a route to a scripted provider; `fields` as for `Route`."""
    backend = Scripted(name, steps, clock or VirtualClock())
    return Route(name, backend, (f"{name}-model",), **{"features": TEXT, **fields})
