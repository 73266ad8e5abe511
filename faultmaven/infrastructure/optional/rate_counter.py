"""Requests and tokens per minute, counted over a sliding minute by the library `limits`. Needs the extra `ratelimit`.

The sliding window counter of `limits` adds two counts: that of the current minute, and that of the previous minute,
weighted by the part of it that a minute ending now still covers. It stores two numbers a key, and unused reservations
can be subtracted. The moving window of `limits` stores one entry for each token, and its fixed window charges refused
calls.
"""

import threading
from typing import NoReturn

from limits import RateLimitItemPerMinute
from limits.aio.storage import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from ...ports.clock import Clock

MINUTE = 60
MIN_WAIT_SECONDS = 0.001
ROUNDING = 1e-6
"""Counts and seconds closer than this are equal: they differ by the rounding of floats."""

NO_LIMIT = 2**52
"""Larger than any count, and exact as a float, the type in which a Redis script counts."""


class _Minute(RateLimitItemPerMinute):
    """A limit whose key leaves out the amount, so that a changed limit continues the count of the old one."""

    __slots__ = ()

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return self.name_of(*identifiers)

    @staticmethod
    def name_of(*identifiers: bytes | str | float) -> str:
        return "/".join(["faultmaven", *map(str, identifiers)])


class MinuteStorage(Storage, SlidingWindowCounterSupport):
    """A storage of `limits` in this process's memory that takes its time from a `Clock`. All windows are minutes.

    The library's own memory storage reads the machine's time and starts tasks of an event loop to delete old windows.
    Here the first call of a new minute deletes them. Safe for use from every thread and event loop: a plain lock
    guards sections that await nothing.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        """Start with nothing counted."""
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._current: dict[str, int] = {}
        self._previous: dict[str, int] = {}

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` if it fits below `limit`, and return whether it does; a negative amount is subtracted, down to
        zero."""
        with self._lock:
            previous, remaining, current, _ = self._window(key)
            if previous * remaining / MINUTE + current + amount > limit + ROUNDING:
                return False
            self._current[key] = max(0, current + amount)
            return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the previous count, its seconds left, the current count and its seconds left."""
        return self.windows(key)

    def windows(self, key: str) -> tuple[int, float, int, float]:
        """Return the same as `get_sliding_window`, without an event loop."""
        with self._lock:
            return self._window(key)

    async def subtract_from_previous(self, key: str, amount: int) -> None:
        """Subtract `amount` from the count of the previous minute, down to zero; `limits` has no call for this."""
        with self._lock:
            self._previous[key] = max(0, self._window(key)[0] - amount)

    def _window(self, key: str) -> tuple[int, float, int, float]:
        now = self._clock.monotonic()
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._previous = self._current if minute == self._minute + 1 else {}
            self._current, self._minute = {}, minute
        remaining = (minute + 1) * MINUTE - now
        return self._previous.get(key, 0), remaining, self._current.get(key, 0), remaining + MINUTE

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Delete the counts of `key`."""
        await self.clear(key)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """No exceptions: memory is always reachable."""
        return ()

    async def check(self) -> bool:
        """Return True: memory is always reachable."""
        return True

    async def reset(self) -> int:
        """Delete all counts; return the number of keys."""
        with self._lock:
            known = len({*self._current, *self._previous})
            self._current, self._previous = {}, {}
        return known

    async def clear(self, key: str) -> None:
        """Delete the counts of `key`."""
        with self._lock:
            self._current.pop(key, None)
            self._previous.pop(key, None)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Raise `NotImplementedError`: this storage has no fixed windows."""
        raise NotImplementedError

    async def get(self, key: str) -> NoReturn:
        """Raise `NotImplementedError`: this storage has no fixed windows."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> NoReturn:
        """Raise `NotImplementedError`: this storage has no fixed windows."""
        raise NotImplementedError


class SlidingMinuteCounter:
    """`RateCounter` over a storage of `limits`: `MinuteStorage`, or one that several processes share, such as Redis.

    While the storage cannot be reached, every call is allowed: the vendor's own limit still applies.
    """

    def __init__(self, storage: Storage) -> None:
        """Args:
        storage: An asyncio storage of `limits` that can count sliding windows.
        """
        self._storage = storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._windows: SlidingWindowCounterSupport = _require_windows(storage)
        self._unreachable = _unreachable_errors(storage)

    @property
    def is_immediate(self) -> bool:
        """Whether this counter never waits; see `RateCounter`. A subclass may wait, so it overrides this itself."""
        return type(self) is SlidingMinuteCounter and type(self._storage) is MinuteStorage

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        """Count `amount` and return 0.0; or count nothing and return the seconds after which it may fit.

        An amount above `per_minute` needs an empty minute and is then counted in full, so that it is allowed at some
        time and later calls wait for all of it.
        """
        if amount <= 0:
            return 0.0
        fitting = min(amount, per_minute)
        try:
            if not await self._limiter.hit(_Minute(per_minute), key, cost=fitting):
                return await self._wait(key, fitting, per_minute)
            if amount > fitting:
                await self.charge(key, amount - fitting, per_minute)
        except self._unreachable:
            return 0.0
        return 0.0

    def peek(self, key: str, amount: int, per_minute: int) -> float:
        """Return the result that `take` would have now; 0.0 for a shared storage, which only `take` can query."""
        if not isinstance(self._storage, MinuteStorage):
            return 0.0
        windows, amount = self._storage.windows(_Minute.name_of(key)), min(amount, per_minute)
        previous, remaining, current, _ = windows
        if previous * remaining / MINUTE + current + amount <= per_minute + ROUNDING:
            return 0.0
        return max(MIN_WAIT_SECONDS, seconds_until_fit(*windows, amount=amount, per_minute=per_minute))

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        """Subtract `amount` from the window in which it was taken; no window falls below zero.

        Only `MinuteStorage` can change the previous window; in any other storage, an amount taken there expires by
        itself within the minute.
        """
        name = _Minute.name_of(key)
        try:
            previous, _, current, remaining = await self._windows.get_sliding_window(name, MINUTE)
            older, newer = split_by_window(amount, previous, current, age, elapsed=2 * MINUTE - remaining + ROUNDING)
            if older > 0 and isinstance(self._storage, MinuteStorage):
                await self._storage.subtract_from_previous(name, older)
            if newer > 0:
                await self._limiter.hit(_Minute(NO_LIMIT), key, cost=-newer)
        except self._unreachable:
            return

    async def charge(self, key: str, amount: int, per_minute: int) -> None:
        """Add `amount` to the count, even above the limit."""
        if amount <= 0:
            return
        try:
            await self._limiter.hit(_Minute(NO_LIMIT), key, cost=amount)
        except self._unreachable:
            return

    async def _wait(self, key: str, amount: int, per_minute: int) -> float:
        window = await self._windows.get_sliding_window(_Minute.name_of(key), MINUTE)
        return max(MIN_WAIT_SECONDS, seconds_until_fit(*window, amount=amount, per_minute=per_minute))


def split_by_window(amount: int, previous: int, current: int, age: float, *, elapsed: float) -> tuple[int, int]:
    """Return the parts of `amount` to subtract from the previous and from the current window.

    Args:
        age: Seconds since `amount` was taken.
        elapsed: Seconds since the current window began.
    """
    if age <= elapsed:
        return 0, min(amount, current)
    return (min(amount, previous), 0) if age <= elapsed + MINUTE else (0, 0)


def seconds_until_fit(
    previous: int, previous_remaining: float, current: int, current_remaining: float, *, amount: int, per_minute: int
) -> float:
    """Return the seconds after which `amount` fits, if no other amount is taken or given back; 0.0 when it fits now.

    Until the current window ends, only the previous window's weight decreases. Then the current window becomes the
    previous one, and its weight decreases over a whole minute.
    """
    free = per_minute - amount - current
    if free >= 0:
        return max(0.0, previous_remaining - free * MINUTE / previous) if previous else 0.0
    decrease = 1 - (per_minute - amount) / current
    return max(0.0, current_remaining - MINUTE) + MINUTE * decrease


def _require_windows(storage: Storage) -> SlidingWindowCounterSupport:
    if not isinstance(storage, SlidingWindowCounterSupport):
        raise TypeError(f"{type(storage).__name__} cannot count sliding windows")
    return storage


def _unreachable_errors(storage: Storage) -> tuple[type[Exception], ...]:
    """Return the exceptions that `storage` raises when it cannot be reached."""
    classes = storage.base_exceptions
    return (*(classes if isinstance(classes, tuple) else (classes,)), StorageError)
