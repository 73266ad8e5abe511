"""What is known of the providers between calls: breakers, limits, retry budgets. It outlives a reload."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from faultmaven.application.breaker import Breaker, BreakerPolicy, Result
from faultmaven.application.generation import Generation, Route
from faultmaven.application.health import WELL, Standing
from faultmaven.application.limits import Limiter, Reservation, Target
from faultmaven.application.needs import estimated_tokens
from faultmaven.application.observing import tell
from faultmaven.application.planned import Candidate
from faultmaven.application.retry import RetryBudget
from faultmaven.domain.chat import ChatRequest
from faultmaven.domain.errors import CircuitOpenError
from faultmaven.domain.events import BreakerChanged, BreakerPhase
from faultmaven.ports.clock import Clock
from faultmaven.ports.limits import RateCounter
from faultmaven.ports.observer import Observer

MOST_TARGETS = 1024
"""Models are named by callers, so their number is bounded here."""


@dataclass(slots=True)
class Admission:
    """Leave to ask one provider once. `waited` is in seconds."""

    target: Target
    breaker: Breaker
    probe: bool
    reservation: Reservation

    @property
    def waited(self) -> float:
        """Seconds that it took to be let through."""
        return self.reservation.waited


class Traffic:
    """Lets calls through to providers that are well and not too busy, and learns from how they end."""

    def __init__(
        self,
        generation: Callable[[], Generation],
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
        self._breakers: dict[Target, Breaker] = {}
        self._budgets: dict[str, RetryBudget] = {}
        self.limiter = Limiter(clock, counter)

    def standing(self, route: Route, model: str) -> Standing:
        """Return how `model` at `route` stands now."""
        target = (route.name, model)
        breaker = self._breakers.get(target)
        limited_for = self.limiter.announced(target)
        gate = self.limiter.gate(route)
        is_full = gate is not None and gate.is_full
        if breaker is None and not limited_for and not is_full:
            return WELL
        now = self._clock.monotonic()
        breaker = self._breaker(target)
        return Standing(breaker.phase(now), breaker.open_for(now), breaker.is_probing, limited_for, is_full)

    async def admit(self, candidate: Candidate, request: ChatRequest, patience: float, *, last: bool) -> Admission:
        """Return leave to ask `candidate` once, after at most `patience` seconds; give it back with `settle`.

        Args:
            last: Nobody else is left to ask: then a probe that is under way is waited for.

        Raises:
            CircuitOpenError: its breaker lets nothing through.
            LimitReachedError: a limit lets nothing through.
        """
        route, model = candidate.route, candidate.effective_model
        ends = self._clock.monotonic() + patience
        tokens = estimated_tokens(request) if route.tokens_per_minute else 0
        breaker = self._breaker((route.name, model))
        while True:
            now = self._clock.monotonic()
            if breaker.is_probing:
                await self._outlast_probe(breaker, candidate, ends - now, last=last)
            elif not breaker.admits(now, last_resort=candidate.last_resort):
                raise self._refusal(breaker, candidate)
            reservation = await self.limiter.reserve(route, model, tokens, max(0.0, ends - self._clock.monotonic()))
            probe = breaker.enter(self._clock.monotonic(), last_resort=candidate.last_resort)
            if probe is not None:
                return Admission((route.name, model), breaker, probe, reservation)
            await self.limiter.release(reservation, 0, sent=False)  # it changed while we waited for the limits

    async def settle(
        self, admission: Admission, result: Result, used: int | None, retry_after: float | None = None
    ) -> None:
        """Take note of how an admitted call has ended.

        Args:
            used: Tokens that the vendor counted; 0 where none were used, None where it did not say.
            retry_after: Seconds that the vendor asked us to wait.
        """
        admission.breaker.report(result, self._clock.monotonic(), probe=admission.probe, retry_after=retry_after)
        await self.limiter.release(admission.reservation, used)

    def count_call(self, provider: str) -> None:
        """Take note of a first attempt, for the provider's retry budget."""
        self._budget(provider).count_call(self._clock.monotonic())

    def may_retry(self, provider: str) -> bool:
        """Return whether the provider's retry budget has one left, and take it."""
        return self._budget(provider).take(self._clock.monotonic())

    async def _outlast_probe(self, breaker: Breaker, candidate: Candidate, patience: float, *, last: bool) -> None:
        """Wait for the probe that is under way, where nobody else is left to ask; raise when it fails."""
        if not last:
            raise self._refusal(breaker, candidate)
        try:
            async with self._clock.timeout(max(0.0, patience)):
                await breaker.wait_for_probe()
        except TimeoutError:
            raise self._refusal(breaker, candidate) from None
        if breaker.last_probe is Result.BAD:
            raise self._refusal(breaker, candidate)

    def _refusal(self, breaker: Breaker, candidate: Candidate) -> CircuitOpenError:
        now = self._clock.monotonic()
        seconds = breaker.open_for(now)
        standing = Standing(breaker.phase(now), seconds, breaker.is_probing)
        return CircuitOpenError(
            standing.obstacle or "breaker half-open",
            provider=candidate.route.name,
            model=candidate.effective_model,
            retry_after=seconds or None,
        )

    def _budget(self, provider: str) -> RetryBudget:
        budget = self._budgets.get(provider)
        return budget if budget is not None else self._budgets.setdefault(provider, RetryBudget())

    def _breaker(self, target: Target) -> Breaker:
        """Return the breaker of `target`; a reload with another policy begins a new one."""
        policy = self._generation().policies.breaker
        breaker = self._breakers.get(target)
        if breaker is None or breaker.policy != policy:
            self._make_room()
            breaker = self._breakers[target] = self._new_breaker(target, policy)
        return breaker

    def _new_breaker(self, target: Target, policy: BreakerPolicy) -> Breaker:
        return Breaker(policy, functools.partial(self._changed, *target))

    def _changed(self, provider: str, model: str, phase: BreakerPhase, seconds: float) -> None:
        tell(self._observer, BreakerChanged(provider, model, phase, seconds))

    def _make_room(self) -> None:
        while len(self._breakers) >= MOST_TARGETS:
            self._breakers.pop(next(iter(self._breakers)))
