"""What is known of the providers between calls: breakers, limits, retry budgets. It outlives a reload."""

import functools
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from ...domain.errors import CircuitOpenError
from ...domain.events import BreakerChanged, BreakerPhase
from ...ports.clock import Clock
from ...ports.limits import RateCounter
from ...ports.observer import Observer
from ..configuration import ConfigurationSnapshot, Route, Target
from ..emitting import tell
from ..planning.plan import Candidate
from .availability import Availability
from .circuit_breaker import CallResult, CircuitBreaker
from .rate_limiter import RateLimiter, Reservation
from .retry import RetryBudget

MOST_TARGETS = 1024
"""Models are named by callers, so their number is bounded here."""


@dataclass(slots=True)
class Permit:
    """Leave to ask one provider once; `reservation` is None where nothing limits it."""

    breaker: CircuitBreaker
    probe: bool
    reservation: Reservation | None


class Lesson(NamedTuple):
    """What an attempt tells of its provider.

    Attributes:
        used: Tokens that the vendor counted; 0 where none were used, None where it did not say.
        retry_after: Seconds that the vendor asked us to wait.
        sent: Whether anything was: what was not is not counted.
    """

    result: CallResult
    used: int | None = 0
    retry_after: float | None = None
    sent: bool = True


NO_LESSON = Lesson(CallResult.NOTHING)


class AdmissionControl:
    """Lets calls through to providers that are well and not too busy, and learns from how they end."""

    def __init__(
        self,
        generation: Callable[[], ConfigurationSnapshot],
        clock: Clock,
        observer: Observer,
        counter: Callable[[], RateCounter],
    ) -> None:
        """Args:
        generation: Gives the configuration in force, whose breaker policy holds.
        counter: Gives what counts per minute; asked only when a row has such a limit.
        """
        self._generation = generation
        self._clock = clock
        self._observer = observer
        self._breakers: dict[Target, CircuitBreaker] = {}
        self._unwell: set[Target] = set()
        self._budgets: dict[str, RetryBudget] = {}
        self._lock = threading.Lock()
        self.limiter = RateLimiter(clock, counter)

    @property
    def suspects(self) -> Collection[Target]:
        """Whose breaker is not closed, and who announced a pause; see `AvailabilitySource`."""
        announced = self.limiter.announcing
        return self._unwell.union(announced) if announced else self._unwell

    def standing(self, route: Route, model: str, tokens: int) -> Availability:
        """Return how `model` at `route` stands now, for an exchange of about `tokens`; changes nothing."""
        target = (route.name, model)
        breaker = self._breakers.get(target)
        limited_for, used_up_for = self.limiter.announced(target), self.limiter.used_up_for(route, tokens)
        gate = self.limiter.gate(self._in_force(route))
        is_full = gate is not None and gate.is_full
        if breaker is None or breaker.policy != self._generation().policies.breaker:
            return Availability(limited_for=limited_for, used_up_for=used_up_for, is_full=is_full)
        now = self._clock.monotonic()
        phase, open_for = breaker.phase(now), breaker.open_for(now)
        return Availability(phase, open_for, breaker.is_probing, limited_for, used_up_for, is_full)

    def breakers(self, route: Route) -> dict[str, tuple[BreakerPhase, float]]:
        """Return the breaker's phase, and the seconds for which it is open, of each model that was asked of `route`."""
        policy, now = self._generation().policies.breaker, self._clock.monotonic()
        return {
            model: (breaker.phase(now), breaker.open_for(now))
            for (name, model), breaker in self._breakers.items()
            if name == route.name and breaker.policy == policy
        }

    async def admit(self, candidate: Candidate, size: Callable[[], int], patience: float, *, last: bool) -> Permit:
        """Return leave to ask `candidate` once, after at most `patience` seconds; give it back with `settle`.

        Args:
            size: Tells about how many tokens the whole exchange will have; asked only where a row limits them.
            last: Nobody else is left to ask: then a probe that is under way is waited for.

        Raises:
            CircuitOpenError: its breaker lets nothing through.
            LimitReachedError: a limit lets nothing through.
        """
        route, model = self._in_force(candidate.route), candidate.effective_model
        breaker = self._breaker(candidate.target)
        if breaker.is_closed and not self.limiter.limits(route, model):
            return Permit(breaker, False, None)
        ends = self._clock.monotonic() + patience
        tokens = size() if route.tokens_per_minute else 0
        while True:
            now = self._clock.monotonic()
            if breaker.is_probing:
                await self._outlast_probe(breaker, candidate, ends - now, last=last)
            elif not breaker.admits(now, last_resort=candidate.last_resort):
                raise self._refusal(breaker, candidate)
            reservation = await self.limiter.reserve(route, model, tokens, max(0.0, ends - self._clock.monotonic()))
            probe = breaker.enter(self._clock.monotonic(), last_resort=candidate.last_resort)
            if probe is not None:
                return Permit(breaker, probe, reservation)
            await self.limiter.release(reservation, 0, sent=False)  # it changed while we waited for the limits

    async def settle(self, admission: Permit, lesson: Lesson) -> None:
        """Take note of how an admitted call has ended."""
        now = self._clock.monotonic()
        admission.breaker.report(lesson.result, now, probe=admission.probe, retry_after=lesson.retry_after)
        if admission.reservation is not None:
            await self.limiter.release(admission.reservation, lesson.used, sent=lesson.sent)

    def count_call(self, provider: str) -> None:
        """Take note of a first attempt, for the provider's retry budget."""
        self._budget(provider).count_call(self._clock.monotonic())

    def may_retry(self, provider: str) -> bool:
        """Return whether the provider's retry budget has one left, and take it."""
        return self._budget(provider).take(self._clock.monotonic())

    async def _outlast_probe(
        self, breaker: CircuitBreaker, candidate: Candidate, patience: float, *, last: bool
    ) -> None:
        """Wait for the probe that is under way, where nobody else is left to ask; raise when it fails."""
        if not last:
            raise self._refusal(breaker, candidate)
        try:
            async with self._clock.timeout(max(0.0, patience)):
                await breaker.wait_for_probe()
        except TimeoutError:
            raise self._refusal(breaker, candidate) from None
        if breaker.last_probe is CallResult.BAD:
            raise self._refusal(breaker, candidate)

    def _refusal(self, breaker: CircuitBreaker, candidate: Candidate) -> CircuitOpenError:
        now = self._clock.monotonic()
        seconds = breaker.open_for(now)
        standing = Availability(breaker.phase(now), seconds, breaker.is_probing)
        return CircuitOpenError(
            standing.obstacle or "breaker half-open",
            provider=candidate.route.name,
            model=candidate.effective_model,
            retry_after=seconds or None,
        )

    def _in_force(self, route: Route) -> Route:
        """Return the route as configured now: its limits count, also for calls that began before a reload."""
        return self._generation().routes.get(route.name, route)

    def _budget(self, provider: str) -> RetryBudget:
        budget = self._budgets.get(provider)
        return budget if budget is not None else self._budgets.setdefault(provider, RetryBudget())

    def _breaker(self, target: Target) -> CircuitBreaker:
        """Return the breaker of `target`; a reload with another policy begins a new one."""
        policy = self._generation().policies.breaker
        breaker = self._breakers.get(target)
        if breaker is not None and (breaker.policy is policy or breaker.policy == policy):
            return breaker
        with self._lock:
            breaker = self._breakers.get(target)
            if breaker is None or breaker.policy != policy:
                breaker = CircuitBreaker(policy, functools.partial(self._changed, *target))
                self._breakers = {**self._with_room(), target: breaker}
                self._unwell = {target for target, breaker in self._breakers.items() if not breaker.is_closed}
        return breaker

    def _changed(self, provider: str, model: str, phase: BreakerPhase, seconds: float) -> None:
        with self._lock:  # as it is now: threads may bring their news in another order
            breaker = self._breakers.get((provider, model))
            if breaker is None or breaker.is_closed:
                self._unwell = self._unwell - {(provider, model)}
            else:
                self._unwell = self._unwell | {(provider, model)}
        tell(self._observer, BreakerChanged(provider, model, phase, seconds))

    def _with_room(self) -> dict[Target, CircuitBreaker]:
        """Return the breakers with room for one more: closed ones make it, the oldest first."""
        if len(self._breakers) < MOST_TARGETS:
            return self._breakers
        closed = [target for target, breaker in self._breakers.items() if breaker.is_closed]
        leaving = set(closed[: len(closed) // 2 + 1] or list(self._breakers)[:1])
        return {target: breaker for target, breaker in self._breakers.items() if target not in leaving}
