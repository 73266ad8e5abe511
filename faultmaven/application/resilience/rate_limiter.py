"""Rate limits of providers: the limits of the row, and the pauses that the vendor announces in responses."""

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

MAX_PAUSE_SECONDS = 60.0
"""The longest announced pause that is kept; a longer announcement may be wrong or outdated."""

MAX_SETTLING_SECONDS = 1.0
"""The longest wait for a counter to settle a reservation; an unsettled amount leaves the count within the minute."""


@dataclass(frozen=True, slots=True)
class MinuteLimit:
    """A limit per minute and the amount that one exchange takes of it.

    The amount is at most the limit, so that every request fits at some time.
    """

    kind: Literal["requests", "tokens"]
    key: str
    amount: int
    per_minute: int


@dataclass(slots=True)
class Reservation:
    """The share of the limits that one request in flight holds.

    Attributes:
        taken_at: Clock time in seconds of the latest count.
        counted: Limits per minute that the request was counted for.
        concurrency: The limiter in which the request holds a place, None where it holds none.
    """

    taken_at: float
    counted: tuple[MinuteLimit, ...] = ()
    concurrency: ConcurrencyLimiter | None = None


class RateLimiter:
    """Reserves requests within the rate limits and concurrency limits of providers.

    One object serves all routers of a process. Calls that wait for one provider never delay calls to another.
    """

    def __init__(self, clock: Clock, counter: Callable[[], RateCounter]) -> None:
        """Args:
        counter: Returns the counter of requests and tokens per minute; called only when a row has such a limit.
        """
        self._clock = clock
        self._counter = counter
        self._concurrency: dict[str, ConcurrencyLimiter] = {}
        self._announced: dict[Target, float] = {}
        self._settling: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def applies(self, route: Route, model: str) -> bool:
        """Return whether any limit may delay or refuse a request now: a limit of the row, or an announced pause."""
        return route.has_limits or (route.name, model) in self._announced

    def concurrency(self, route: Route) -> ConcurrencyLimiter | None:
        """Return the concurrency limiter of `route`, resized if a reload changed the limit; None without a limit."""
        limit = route.max_concurrency
        if limit is None:
            return None
        limiter = self._concurrency.get(route.name)
        if limiter is None:
            return self._concurrency.setdefault(route.name, ConcurrencyLimiter(limit))
        if limiter.limit != limit:
            limiter.resize(limit)
        return limiter

    def announce(self, target: Target, seconds: float) -> None:
        """Record that the vendor announced a pause of `seconds` for `target`."""
        now = self._clock.monotonic()
        with self._lock:
            lasting = {known: until for known, until in self._announced.items() if until > now}
            # Every change makes a new dict: other threads may be reading the old one.
            self._announced = {**lasting, target: now + min(seconds, MAX_PAUSE_SECONDS)}

    @property
    def announcing(self) -> Collection[Target]:
        """Targets whose announced pause has not ended."""
        announced = self._announced
        if not announced:
            return ()
        now = self._clock.monotonic()
        if min(announced.values()) <= now:
            with self._lock:
                self._announced = {target: until for target, until in self._announced.items() if until > now}
        return self._announced.keys()

    def announced(self, target: Target) -> float:
        """Return the seconds that remain of the announced pause of `target`, 0.0 without a pause."""
        until = self._announced.get(target)
        return max(0.0, until - self._clock.monotonic()) if until is not None else 0.0

    def used_up_for(self, route: Route, tokens: int) -> float:
        """Return the seconds for which the row's limits per minute refuse a request of `tokens` tokens, else 0.0."""
        limits = _minute_limits(route, tokens)
        return max((self._counter().peek(limit.key, limit.amount, limit.per_minute) for limit in limits), default=0.0)

    def left(self, route: Route) -> dict[str, int]:
        """Return the amounts that the row's limits allow now, by kind: "requests", "tokens" and "places"."""
        left: dict[str, int] = {
            limit.kind: _max_amount(self._counter(), limit.key, limit.per_minute) for limit in _minute_limits(route, 1)
        }
        concurrency = self.concurrency(route)
        return left if concurrency is None else {**left, "places": max(0, concurrency.limit - concurrency.taken)}

    async def reserve(self, route: Route, model: str, tokens: int, max_wait: float) -> Reservation:
        """Return a reservation for one request; the caller gives the reservation back with `release`.

        The place is taken last, so that a call that waits for a limit per minute holds no place.

        Args:
            tokens: An estimate of the tokens of the whole exchange.
            max_wait: Seconds to wait at most.

        Raises:
            LimitReachedError: the wait would be longer; `retry_after` has its seconds where they are known.
        """
        deadline = self._clock.monotonic() + max_wait
        pause = self.announced((route.name, model))
        if pause:
            await self._wait(route, model, pause, deadline, "the vendor accepts no more requests for now")
        reservation = Reservation(self._clock.monotonic())
        try:
            for limit in _minute_limits(route, tokens):
                await self._take(route, model, limit, deadline)
                reservation.counted += (limit,)
                reservation.taken_at = self._clock.monotonic()
            concurrency = self.concurrency(route)
            if concurrency is not None:
                if not concurrency.try_enter():
                    await self._enter(concurrency, route, model, deadline)
                reservation.concurrency = concurrency
        except BaseException:
            await self.release(reservation, 0, sent=False)
            raise
        return reservation

    async def release(self, reservation: Reservation, used: int | None, *, sent: bool = True) -> None:
        """Give the place back and settle the counted amounts; a cancellation does not interrupt the settling.

        Args:
            used: Tokens that the vendor counted; 0 gives all tokens back, None leaves the estimate as it is.
            sent: Whether a request was sent; a request that was not sent is not counted.
        """
        if reservation.concurrency is not None:
            reservation.concurrency.leave()
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
            async with self._clock.timeout(MAX_SETTLING_SECONDS):
                await self._settle(reservation, used, sent)

    async def _settle(self, reservation: Reservation, used: int | None, sent: bool) -> None:
        counter, age = self._counter(), self._clock.monotonic() - reservation.taken_at
        for limit in reservation.counted:
            unused = _unused(limit, used, sent)
            if unused > 0:
                await counter.give_back(limit.key, unused, limit.per_minute, age)
            elif unused < 0:
                await counter.charge(limit.key, -unused, limit.per_minute)

    async def _enter(self, concurrency: ConcurrencyLimiter, route: Route, model: str, deadline: float) -> None:
        problem = f"max_concurrency={concurrency.limit} is reached"
        try:
            async with self._clock.timeout(max(0.0, deadline - self._clock.monotonic())):
                has_place = await concurrency.enter()
        except TimeoutError:
            raise LimitReachedError(problem, provider=route.name, model=model) from None
        if not has_place:
            raise LimitReachedError(f"{problem} and the queue is full", provider=route.name, model=model)

    async def _take(self, route: Route, model: str, limit: MinuteLimit, deadline: float) -> None:
        while wait := await self._try_take(route, model, limit, deadline):
            problem = f"{limit.kind}_per_minute={limit.per_minute} is used up"
            await self._wait(route, model, wait, deadline, problem)

    async def _try_take(self, route: Route, model: str, limit: MinuteLimit, deadline: float) -> float:
        """Count the amount of `limit` and return 0.0, or return the seconds after which the amount may fit."""
        counter = self._counter()
        if _is_immediate(counter):
            return await counter.take(limit.key, limit.amount, limit.per_minute)
        try:
            async with self._clock.timeout(max(0.0, deadline - self._clock.monotonic())):
                return await counter.take(limit.key, limit.amount, limit.per_minute)
        except TimeoutError:
            problem = f"the rate counter of {limit.kind}_per_minute did not answer in time"
            raise LimitReachedError(problem, provider=route.name, model=model) from None

    async def _wait(self, route: Route, model: str, seconds: float, deadline: float, problem: str) -> None:
        if self._clock.monotonic() + seconds > deadline:
            raise LimitReachedError(problem, provider=route.name, model=model, retry_after=seconds)
        await self._clock.sleep(seconds)


def _minute_limits(route: Route, tokens: int) -> Iterator[MinuteLimit]:
    """Yield each limit per minute of the row, with the amount that an exchange of about `tokens` tokens takes."""
    max_requests, max_tokens = route.requests_per_minute, route.tokens_per_minute
    if max_requests is not None:
        yield MinuteLimit("requests", f"{route.name}:requests", 1, max_requests)
    if max_tokens is not None:
        yield MinuteLimit("tokens", f"{route.name}:tokens", min(tokens, max_tokens), max_tokens)


def _max_amount(counter: RateCounter, key: str, per_minute: int) -> int:
    """Return the largest amount that the counter would take now, by bisection: `peek` tests one amount."""
    low, high = 0, per_minute
    while low < high:
        middle = (low + high + 1) // 2
        if counter.peek(key, middle, per_minute):
            high = middle - 1
        else:
            low = middle
    return low


def _is_immediate(counter: RateCounter) -> bool:
    """Return whether the counter never waits, so that no timeout is needed."""
    return getattr(counter, "is_immediate", False) is True


def _unused(limit: MinuteLimit, used: int | None, sent: bool) -> int:
    """Return the counted amount that was not used; below 0 when more was used than counted."""
    if limit.kind == "requests":
        return 0 if sent else limit.amount
    return 0 if used is None else limit.amount - used
