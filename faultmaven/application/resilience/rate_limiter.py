"""Limits on how much is asked of a provider: the row's own, and those that the vendor announces in its replies."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from ...domain.errors import LimitReachedError
from ...ports.clock import Clock
from ...ports.limits import RateCounter
from ..configuration import Route, Target
from .concurrency_limiter import ConcurrencyLimiter

LONGEST_ANNOUNCEMENT_SECONDS = 60.0
"""A vendor that announces a longer pause is asked again after this: what it announced may be wrong, or over."""

LONGEST_SETTLING_SECONDS = 1.0
"""A counter that takes longer to take something back keeps it: it fades within the minute."""


@dataclass(frozen=True, slots=True)
class MinuteLimit:
    """What one exchange takes of a limit per minute. Its amount is at most the limit: it must come true some time."""

    kind: Literal["requests", "tokens"]
    key: str
    amount: int
    per_minute: int


@dataclass(slots=True)
class Reservation:
    """What a call holds while it is under way: a place, and what it counted of this minute, at `taken_at`."""

    taken_at: float
    counted: tuple[MinuteLimit, ...] = ()
    gate: ConcurrencyLimiter | None = None


class RateLimiter:
    """Lets calls through as the limits allow. One for all routers of a process; waiting calls of one provider never
    stand in the way of another."""

    def __init__(self, clock: Clock, counter: Callable[[], RateCounter]) -> None:
        """Args:
        counter: Gives what counts per minute; asked only when a row has such a limit.
        """
        self._clock = clock
        self._counter = counter
        self._gates: dict[str, ConcurrencyLimiter] = {}
        self._announced: dict[Target, float] = {}
        self._settling: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def limits(self, route: Route, model: str) -> bool:
        """Return whether anything may stand in the way of a call now: a limit of the row, or its vendor's pause."""
        return route.has_limits or (route.name, model) in self._announced

    def gate(self, route: Route) -> ConcurrencyLimiter | None:
        """Return the gate of a provider with a `max_concurrency`; a reload may have changed its size."""
        limit = route.max_concurrency
        if limit is None:
            return None
        gate = self._gates.get(route.name)
        if gate is None:
            return self._gates.setdefault(route.name, ConcurrencyLimiter(limit))
        if gate.limit != limit:
            gate.resize(limit)
        return gate

    def announce(self, target: Target, seconds: float) -> None:
        """Take note that the vendor takes nothing more of `target` for `seconds`."""
        now = self._clock.monotonic()
        with self._lock:
            lasting = {known: until for known, until in self._announced.items() if until > now}
            # A new one each time: other threads may be looking at the old one.
            self._announced = {**lasting, target: now + min(seconds, LONGEST_ANNOUNCEMENT_SECONDS)}

    @property
    def announcing(self) -> Collection[Target]:
        """Whose vendor said that it takes nothing more for now."""
        announced = self._announced
        if not announced:
            return ()
        now = self._clock.monotonic()
        if min(announced.values()) <= now:
            with self._lock:
                self._announced = {target: until for target, until in self._announced.items() if until > now}
        return self._announced.keys()

    def announced(self, target: Target) -> float:
        """Return for how many seconds more the vendor takes nothing of `target`."""
        until = self._announced.get(target)
        return max(0.0, until - self._clock.monotonic()) if until is not None else 0.0

    def used_up_for(self, route: Route, tokens: int) -> float:
        """Return for how many seconds more the row's own limits per minute let no request of `tokens` through."""
        limits = _minute_limits(route, tokens)
        return max((self._counter().peek(limit.key, limit.amount, limit.per_minute) for limit in limits), default=0.0)

    def left(self, route: Route) -> dict[str, int]:
        """Return what the row's own limits still allow now: "requests", "tokens" and "places", where it has them."""
        left: dict[str, int] = {
            limit.kind: _most_that_fits(self._counter(), limit.key, limit.per_minute)
            for limit in _minute_limits(route, 1)
        }
        gate = self.gate(route)
        return left if gate is None else {**left, "places": max(0, gate.limit - gate.taken)}

    async def reserve(self, route: Route, model: str, tokens: int, patience: float) -> Reservation:
        """Return what lets a call through, after at most `patience` seconds; give it back with `release`.

        The place is taken last, so that nobody holds one who waits for the minute to pass.

        Args:
            tokens: An estimate of the whole exchange.

        Raises:
            LimitReachedError: it would take longer; says how long where that is known.
        """
        ends = self._clock.monotonic() + patience
        pause = self.announced((route.name, model))
        if pause:
            await self._wait(route, model, pause, ends, "the vendor takes nothing more for now")
        reservation = Reservation(self._clock.monotonic())
        try:
            for limit in _minute_limits(route, tokens):
                await self._take(route, model, limit, ends)
                reservation.counted += (limit,)
                reservation.taken_at = self._clock.monotonic()
            gate = self.gate(route)
            if gate is not None:
                if not gate.enter_at_once():
                    await self._enter(gate, route, model, ends)
                reservation.gate = gate
        except BaseException:
            await self.release(reservation, 0, sent=False)
            raise
        return reservation

    async def release(self, reservation: Reservation, used: int | None, *, sent: bool = True) -> None:
        """Give the place back, and settle the tokens; nothing interrupts that.

        Args:
            used: Tokens that the vendor counted; 0 gives all back, None leaves the estimate as it is.
            sent: Whether anything was asked; a request that was not sent is not counted.
        """
        if reservation.gate is not None:
            reservation.gate.leave()
        if not reservation.counted:
            return
        if _is_immediate(self._counter()):
            await self._settle(reservation, used, sent)
            return
        settling = asyncio.ensure_future(self._settle_in_time(reservation, used, sent))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        await asyncio.shield(settling)

    async def _settle_in_time(self, reservation: Reservation, used: int | None, sent: bool) -> None:
        with suppress(TimeoutError):
            async with self._clock.timeout(LONGEST_SETTLING_SECONDS):
                await self._settle(reservation, used, sent)

    async def _settle(self, reservation: Reservation, used: int | None, sent: bool) -> None:
        counter, age = self._counter(), self._clock.monotonic() - reservation.taken_at
        for limit in reservation.counted:
            unused = _unused(limit, used, sent)
            if unused > 0:
                await counter.give_back(limit.key, unused, limit.per_minute, age)
            elif unused < 0:
                await counter.charge(limit.key, -unused, limit.per_minute)

    async def _enter(self, gate: ConcurrencyLimiter, route: Route, model: str, ends: float) -> None:
        problem = f"max_concurrency={gate.limit} is reached"
        try:
            async with self._clock.timeout(max(0.0, ends - self._clock.monotonic())):
                entered = await gate.enter()
        except TimeoutError:
            raise LimitReachedError(problem, provider=route.name, model=model) from None
        if not entered:
            raise LimitReachedError(f"{problem}, and so is its queue", provider=route.name, model=model)

    async def _take(self, route: Route, model: str, limit: MinuteLimit, ends: float) -> None:
        while wait := await self._counted(route, model, limit, ends):
            problem = f"{limit.kind}_per_minute={limit.per_minute} is used up"
            await self._wait(route, model, wait, ends, problem)

    async def _counted(self, route: Route, model: str, limit: MinuteLimit, ends: float) -> float:
        """Return 0.0 where the limit's amount was counted, else the seconds after which it may fit."""
        counter = self._counter()
        if _is_immediate(counter):
            return await counter.take(limit.key, limit.amount, limit.per_minute)
        try:
            async with self._clock.timeout(max(0.0, ends - self._clock.monotonic())):
                return await counter.take(limit.key, limit.amount, limit.per_minute)
        except TimeoutError:
            problem = f"what counts {limit.kind}_per_minute did not answer in time"
            raise LimitReachedError(problem, provider=route.name, model=model) from None

    async def _wait(self, route: Route, model: str, seconds: float, ends: float, problem: str) -> None:
        if self._clock.monotonic() + seconds > ends:
            raise LimitReachedError(problem, provider=route.name, model=model, retry_after=seconds)
        await self._clock.sleep(seconds)


def _minute_limits(route: Route, tokens: int) -> Iterator[MinuteLimit]:
    """Give each limit per minute that the row has, with what an exchange of about `tokens` takes of it."""
    requests, allowed = route.requests_per_minute, route.tokens_per_minute
    if requests is not None:
        yield MinuteLimit("requests", f"{route.name}:requests", 1, requests)
    if allowed is not None:
        yield MinuteLimit("tokens", f"{route.name}:tokens", min(tokens, allowed), allowed)


def _most_that_fits(counter: RateCounter, key: str, per_minute: int) -> int:
    """Return the largest amount that the counter would take now; it answers for one amount at a time."""
    least, most = 0, per_minute
    while least < most:
        middle = (least + most + 1) // 2
        if counter.peek(key, middle, per_minute):
            most = middle - 1
        else:
            least = middle
    return least


def _is_immediate(counter: RateCounter) -> bool:
    return getattr(counter, "is_immediate", False) is True


def _unused(limit: MinuteLimit, used: int | None, sent: bool) -> int:
    """Return how much of what was counted was not used in the end; below 0 when more was used."""
    if limit.kind == "requests":
        return 0 if sent else limit.amount
    return 0 if used is None else limit.amount - used
