"""A router over scripted providers, in virtual time."""

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

TEXT_FEATURES = frozenset({"turns", "seed", "tools", "schema"})


@dataclass(frozen=True)
class Step:
    """The behaviour of a scripted provider for one request.

    After `latency` seconds the provider raises `error`, or else answers with `text`. With `ignores_timeout` the
    provider exceeds the timeout of the request.
    """

    latency: float = 0.0
    error: LLMError | None = None
    text: str = "an answer"
    stop: StopReason = StopReason.STOP
    usage: Usage | None = None
    confidence: float | None = None
    ignores_timeout: bool = False


SUCCESS = Step(0.5)
HANGS = Step(float(10**6))


class ScriptedProvider:
    """A provider that plays one step per request, repeats the last step, and stops at the timeout of each request.

    Attributes:
        requests: Start time and timeout of each request, in seconds.
        in_flight: Number of running requests.
        max_in_flight: Highest number of requests that ran at once.
    """

    def __init__(self, name: str, steps: Iterable[Step], clock: Clock) -> None:
        self.name = name
        self.steps = tuple(steps) or (SUCCESS,)
        self.clock = clock
        self.requests: list[tuple[float, float]] = []
        self.in_flight = 0
        self.max_in_flight = 0

    async def answer(self, request: ChatRequest) -> LLMResponse:
        step = self.steps[min(len(self.requests), len(self.steps) - 1)]
        assert request.timeout is not None
        self.requests.append((self.clock.monotonic(), request.timeout))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            async with self.clock.timeout(None if step.ignores_timeout else request.timeout):
                await self.clock.sleep(step.latency)
        except TimeoutError:
            raise ProviderTimeoutError("no answer in time", provider=self.name, phase="first byte") from None
        finally:
            self.in_flight -= 1
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
    """A clock that advances by a microsecond at each reading, as real clocks do."""

    def __init__(self) -> None:
        self._readings = 0

    def monotonic(self) -> float:
        self._readings += 1
        return super().monotonic() + self._readings * 1e-6


@dataclass
class RouterHarness:
    """A router with its configuration, admission control, clock and recorded events."""

    routes: list[Route]
    policies: Policies = DEFAULT_POLICIES
    deadline: float = 120.0
    cache: ResponseCache | None = None
    random: Callable[[], float] = lambda: 0.5
    clock: Clock = field(default_factory=VirtualClock)
    events: list[Event] = field(default_factory=list)
    _rate_counter: RateCounter | None = None

    def __post_init__(self) -> None:
        names = tuple(route.name for route in self.routes)
        self.configuration = ConfigurationSnapshot(
            {route.name: route for route in self.routes}, {}, {"chat": names}, self.deadline, self.policies
        )
        self.admission = AdmissionControl(
            lambda: self.configuration, self.clock, self.events.append, self._build_rate_counter
        )
        reuse = ResponseReuse(self.cache)
        self.dependencies = RouterDependencies(
            lambda: self.configuration, self.admission, reuse, self.clock, self.events.append, self.random
        )
        self.router = LLMRouter(self.dependencies)

    def _build_rate_counter(self) -> RateCounter:
        if self._rate_counter is None:
            self._rate_counter = build_rate_counter(self.clock)
        return self._rate_counter

    def backend(self, name: str) -> ScriptedProvider:
        backend = self.configuration.routes[name].backend
        assert isinstance(backend, ScriptedProvider)
        return backend

    def events_of(self, kind: type[Any]) -> list[Any]:
        """Return the recorded events of one class."""
        return [event for event in self.events if isinstance(event, kind)]


def route(name: str, *steps: Step, clock: Clock | None = None, **fields: Any) -> Route:
    """Return a route to a scripted provider. `fields` are fields of `Route`."""
    backend = ScriptedProvider(name, steps, clock or VirtualClock())
    return Route(name, backend, (f"{name}-model",), **{"features": TEXT_FEATURES, **fields})
