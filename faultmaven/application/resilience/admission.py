"""Admission control: circuit breakers, limits and retry budgets of all providers. The state outlives a reload."""

import functools
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ...domain.errors import CircuitOpenError
from ...domain.events import BreakerChanged, BreakerPhase
from ...ports.clock import Clock
from ...ports.limits import RateCounter
from ...ports.observer import Observer
from ..configuration import ConfigurationSnapshot, Route, Target
from ..emitting import emit
from .availability import Availability
from .circuit_breaker import CallResult, CircuitBreaker
from .rate_limiter import RateLimiter, Reservation
from .retry import RetryBudget

MAX_TARGETS = 1024
"""The largest number of circuit breakers: callers name models, so the number of targets needs a bound."""


@dataclass(slots=True)
class Permit:
    """Permission to send one request to a provider, and the report of its result.

    The report is written before the permit is released. An attempt that reports nothing counts neither for nor against
    the provider.

    Attributes:
        breaker: The circuit breaker of the provider and model.
        is_probe: The request is the one probe of a half-open circuit breaker.
        reservation: The place and the tokens held at the row's limits, None where no limit applies.
        result: The result for the circuit breaker.
        used_tokens: Tokens that the vendor counted; 0 where none were used, None where the vendor did not say.
        retry_after: Seconds that the vendor asked to wait.
        was_sent: Whether a request was sent; a request that was not sent counts towards no limit.
    """

    breaker: CircuitBreaker
    is_probe: bool
    reservation: Reservation | None
    result: CallResult = CallResult.IGNORED
    used_tokens: int | None = 0
    retry_after: float | None = None
    was_sent: bool = True


class AdmissionControl:
    """Grants permits for requests to providers, and counts the results that the permits report.

    One object serves all routers of a container.
    """

    def __init__(
        self,
        configuration: Callable[[], ConfigurationSnapshot],
        clock: Clock,
        observer: Observer,
        counter: Callable[[], RateCounter],
    ) -> None:
        """Args:
        configuration: Returns the current configuration, whose circuit breaker policy applies.
        counter: Returns the counter of requests and tokens per minute; called only when a row has such a limit.
        """
        self._configuration = configuration
        self._clock = clock
        self._observer = observer
        self._breakers: dict[Target, CircuitBreaker] = {}
        self._not_closed: set[Target] = set()
        self._budgets: dict[str, RetryBudget] = {}
        self._lock = threading.Lock()
        self.limiter = RateLimiter(clock, counter)

    @property
    def possibly_unavailable(self) -> Collection[Target]:
        """Targets whose circuit breaker is not closed or whose vendor announced a pause."""
        announced = self.limiter.announcing
        return self._not_closed.union(announced) if announced else self._not_closed

    def availability(self, route: Route, model: str, tokens: int) -> Availability:
        """Return the availability of `model` at `route` now, for an exchange of about `tokens` tokens.

        No state changes.
        """
        target = (route.name, model)
        breaker = self._breakers.get(target)
        limited_for, used_up_for = self.limiter.announced(target), self.limiter.used_up_for(route, tokens)
        gate = self.limiter.concurrency(self._current(route))
        is_full = gate is not None and gate.is_full
        if breaker is None or breaker.policy != self._configuration().policies.breaker:
            return Availability(limited_for=limited_for, used_up_for=used_up_for, is_full=is_full)
        now = self._clock.monotonic()
        phase, open_for = breaker.phase(now), breaker.open_for(now)
        return Availability(phase, open_for, breaker.is_probing, limited_for, used_up_for, is_full)

    def breakers(self, route: Route) -> dict[str, tuple[BreakerPhase, float]]:
        """Return the circuit breaker's phase and the seconds until its probe, for each model tried at `route`."""
        policy, now = self._configuration().policies.breaker, self._clock.monotonic()
        return {
            model: (breaker.phase(now), breaker.open_for(now))
            for (name, model), breaker in self._breakers.items()
            if name == route.name and breaker.policy == policy
        }

    async def acquire(
        self,
        route: Route,
        model: str,
        size: Callable[[], int],
        max_wait: float,
        *,
        is_last_resort: bool,
        is_last: bool,
    ) -> Permit:
        """Return a permit for one request to `model` at `route`; the caller gives it back with `release`.

        Args:
            size: Returns an estimate of the tokens of the whole exchange; called only where the row limits tokens.
            max_wait: Seconds to wait for a permit at most.
            is_last_resort: The provider is unavailable and no available one is left: a probe may come early.
            is_last: No other candidate is left: a probe in flight is waited for.

        Raises:
            CircuitOpenError: the circuit breaker refuses the request.
            LimitReachedError: a limit refuses the request.
        """
        route, target = self._current(route), (route.name, model)
        breaker = self._breaker(target)
        if breaker.is_closed and not self.limiter.applies(route, model):
            return Permit(breaker, False, None)
        deadline = self._clock.monotonic() + max_wait
        tokens = size() if route.tokens_per_minute else 0
        while True:
            now = self._clock.monotonic()
            if breaker.is_probing:
                await self._wait_for_probe(breaker, target, deadline - now, is_last=is_last)
            elif not breaker.admits(now, is_last_resort=is_last_resort):
                raise self._refusal(breaker, target)
            reservation = await self.limiter.reserve(route, model, tokens, max(0.0, deadline - self._clock.monotonic()))
            is_probe = breaker.enter(self._clock.monotonic(), is_last_resort=is_last_resort)
            if is_probe is not None:
                return Permit(breaker, is_probe, reservation)
            await self.limiter.release(reservation, 0, sent=False)  # the breaker opened during the wait for the limits

    async def release(self, permit: Permit) -> None:
        """Take a permit back, and count the result that it reports."""
        now = self._clock.monotonic()
        permit.breaker.report(permit.result, now, is_probe=permit.is_probe, retry_after=permit.retry_after)
        if permit.reservation is not None:
            await self.limiter.release(permit.reservation, permit.used_tokens, sent=permit.was_sent)

    def count_call(self, provider: str) -> None:
        """Count a first attempt for the provider's retry budget."""
        self._budget(provider).count_call(self._clock.monotonic())

    def may_retry(self, provider: str) -> bool:
        """Take one retry from the provider's retry budget; return False when the budget is used up."""
        return self._budget(provider).take(self._clock.monotonic())

    async def _wait_for_probe(self, breaker: CircuitBreaker, target: Target, max_wait: float, *, is_last: bool) -> None:
        """Wait for the probe in flight when no other candidate is left.

        Raises:
            CircuitOpenError: another candidate is left, the wait is over, or the probe failed.
        """
        if not is_last:
            raise self._refusal(breaker, target)
        try:
            async with self._clock.timeout(max(0.0, max_wait)):
                await breaker.wait_for_probe()
        except TimeoutError:
            raise self._refusal(breaker, target) from None
        if breaker.last_probe is CallResult.FAILURE:
            raise self._refusal(breaker, target)

    def _refusal(self, breaker: CircuitBreaker, target: Target) -> CircuitOpenError:
        now = self._clock.monotonic()
        seconds = breaker.open_for(now)
        availability = Availability(breaker.phase(now), seconds, breaker.is_probing)
        return CircuitOpenError(
            availability.obstacle or "circuit breaker half-open",
            provider=target[0],
            model=target[1],
            retry_after=seconds or None,
        )

    def _current(self, route: Route) -> Route:
        """Return the route of the current configuration: its limits apply to calls that began before a reload, too."""
        return self._configuration().routes.get(route.name, route)

    def _budget(self, provider: str) -> RetryBudget:
        budget = self._budgets.get(provider)
        return budget if budget is not None else self._budgets.setdefault(provider, RetryBudget())

    def _breaker(self, target: Target) -> CircuitBreaker:
        """Return the circuit breaker of `target`; a reload with another policy creates a new one."""
        policy = self._configuration().policies.breaker
        breaker = self._breakers.get(target)
        if breaker is not None and (breaker.policy is policy or breaker.policy == policy):
            return breaker
        with self._lock:
            breaker = self._breakers.get(target)
            if breaker is None or breaker.policy != policy:
                breaker = CircuitBreaker(policy, functools.partial(self._phase_changed, *target))
                self._breakers = {**self._with_room(), target: breaker}
                self._not_closed = {target for target, breaker in self._breakers.items() if not breaker.is_closed}
        return breaker

    def _phase_changed(self, provider: str, model: str, phase: BreakerPhase, seconds: float) -> None:
        with self._lock:  # the breaker's phase is read again: threads may report their changes in another order
            breaker = self._breakers.get((provider, model))
            if breaker is None or breaker.is_closed:
                self._not_closed = self._not_closed - {(provider, model)}
            else:
                self._not_closed = self._not_closed | {(provider, model)}
        emit(self._observer, BreakerChanged(provider, model, phase, seconds))

    def _with_room(self) -> dict[Target, CircuitBreaker]:
        """Return the circuit breakers with room for one more: closed ones leave first, the oldest before the others."""
        if len(self._breakers) < MAX_TARGETS:
            return self._breakers
        closed = [target for target, breaker in self._breakers.items() if breaker.is_closed]
        leaving = set(closed[: len(closed) // 2 + 1] or list(self._breakers)[:1])
        return {target: breaker for target, breaker in self._breakers.items() if target not in leaving}
