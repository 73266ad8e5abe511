"""Limits on how much is asked of a provider: the row's own, and those that the vendor announces in its replies."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from faultmaven.application.concurrency import ConcurrencyGate
from faultmaven.application.generation import Route
from faultmaven.domain.errors import LimitReachedError
from faultmaven.ports.clock import Clock
from faultmaven.ports.limits import RateCounter

LONGEST_ANNOUNCEMENT_SECONDS = 60.0
"""A vendor that announces a longer pause is asked again after this: what it announced may be wrong, or over."""

Target = tuple[str, str]
"""A provider's name and a model."""


@dataclass(slots=True)
class Reservation:
    """What a call holds while it is under way: a place, and tokens of this minute."""

    route: Route
    gate: ConcurrencyGate | None
    tokens: int
    waited: float
    taken_at: float


class Limiter:
    """Lets calls through as the limits allow. One for all routers of a process; waiting calls of one provider never
    stand in the way of another."""

    def __init__(self, clock: Clock, counter: Callable[[], RateCounter]) -> None:
        """Args:
        counter: Gives what counts per minute; asked only when a row has such a limit.
        """
        self._clock = clock
        self._counter = counter
        self._gates: dict[str, ConcurrencyGate] = {}
        self._announced: dict[Target, float] = {}

    def gate(self, route: Route) -> ConcurrencyGate | None:
        """Return the gate of a provider with a `max_concurrency`; a reload may have changed its size."""
        limit = route.max_concurrency
        if limit is None:
            return None
        gate = self._gates.get(route.name)
        if gate is None:
            return self._gates.setdefault(route.name, ConcurrencyGate(limit))
        if gate.limit != limit:
            gate.resize(limit)
        return gate

    def announce(self, target: Target, seconds: float) -> None:
        """Take note that the vendor takes nothing more of `target` for `seconds`."""
        now = self._clock.monotonic()
        if target not in self._announced:
            self._announced = {known: until for known, until in self._announced.items() if until > now}
        self._announced[target] = now + min(seconds, LONGEST_ANNOUNCEMENT_SECONDS)

    def announced(self, target: Target) -> float:
        """Return for how many seconds more the vendor takes nothing of `target`."""
        until = self._announced.get(target)
        return max(0.0, until - self._clock.monotonic()) if until is not None else 0.0

    async def reserve(self, route: Route, model: str, tokens: int, patience: float) -> Reservation:
        """Return what lets a call through, after at most `patience` seconds; give it back with `release`.

        Args:
            tokens: An estimate of the whole exchange.

        Raises:
            LimitReachedError: it would take longer; says how long where that is known.
        """
        started = self._clock.monotonic()
        ends = started + patience
        pause = self.announced((route.name, model))
        if pause:
            await self._wait(route, model, pause, ends, "the vendor takes nothing more for now")
        gate = self.gate(route)
        if gate is not None:
            await self._enter(gate, route, model, ends)
        try:
            reserved = await self._count(route, model, tokens, ends)
        except BaseException:
            if gate is not None:
                gate.leave()
            raise
        now = self._clock.monotonic()
        return Reservation(route, gate, reserved, now - started, now)

    async def release(self, reservation: Reservation, used: int | None, *, sent: bool = True) -> None:
        """Give the place back, and settle the tokens.

        Args:
            used: Tokens that the vendor counted; 0 gives all back, None leaves the estimate as it is.
            sent: Whether anything was asked; a request that was not sent is not counted.
        """
        route = reservation.route
        if reservation.gate is not None:
            reservation.gate.leave()
        age = self._clock.monotonic() - reservation.taken_at
        if route.requests_per_minute is not None and not sent:
            await self._counter().give_back(f"{route.name}:requests", 1, route.requests_per_minute, age)
        if route.tokens_per_minute is not None and used is not None:
            unused, key = reservation.tokens - used, f"{route.name}:tokens"
            if unused > 0:
                await self._counter().give_back(key, unused, route.tokens_per_minute, age)
            elif unused < 0:
                await self._counter().charge(key, -unused, route.tokens_per_minute)

    async def _enter(self, gate: ConcurrencyGate, route: Route, model: str, ends: float) -> None:
        problem = f"max_concurrency={gate.limit} is reached"
        try:
            async with self._clock.timeout(max(0.0, ends - self._clock.monotonic())):
                entered = await gate.enter()
        except TimeoutError:
            raise LimitReachedError(problem, provider=route.name, model=model) from None
        if not entered:
            raise LimitReachedError(f"{problem}, and so is its queue", provider=route.name, model=model)

    async def _count(self, route: Route, model: str, tokens: int, ends: float) -> int:
        """Count one request and its tokens; return the tokens counted. What was counted is given back on the way out
        when the rest cannot be."""
        if route.requests_per_minute is not None:
            await self._take(route, model, "requests", 1, route.requests_per_minute, ends)
        taken_at = self._clock.monotonic()
        if route.tokens_per_minute is None:
            return 0
        tokens = min(tokens, route.tokens_per_minute)  # whatever its size, it must come true some time
        try:
            await self._take(route, model, "tokens", tokens, route.tokens_per_minute, ends)
        except (LimitReachedError, asyncio.CancelledError):
            if route.requests_per_minute is not None:
                age = self._clock.monotonic() - taken_at
                await self._counter().give_back(f"{route.name}:requests", 1, route.requests_per_minute, age)
            raise
        return tokens

    async def _take(self, route: Route, model: str, kind: str, amount: int, per_minute: int, ends: float) -> None:
        while True:
            wait = await self._counter().take(f"{route.name}:{kind}", amount, per_minute)
            if not wait:
                return
            await self._wait(route, model, wait, ends, f"{kind}_per_minute={per_minute} is used up")

    async def _wait(self, route: Route, model: str, seconds: float, ends: float, problem: str) -> None:
        if self._clock.monotonic() + seconds > ends:
            raise LimitReachedError(problem, provider=route.name, model=model, retry_after=seconds)
        await self._clock.sleep(seconds)
