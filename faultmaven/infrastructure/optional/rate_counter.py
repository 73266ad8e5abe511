"""Use per minute, counted over a sliding minute by the library `limits`. Needs the extra `ratelimit`.

`limits` weighs two windows of a minute: what was counted in this one, and of the one before as large a part as a
minute that ends now still covers. Its moving window keeps one entry for each token and its fixed window charges
refused calls; this one keeps two numbers a key, and what was reserved and not used can be taken off again.
"""

import threading
from typing import NoReturn

from limits import RateLimitItemPerMinute
from limits.aio.storage import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from ...ports.clock import Clock

MINUTE = 60
SHORTEST_WAIT = 0.001
ROUNDING = 1e-6
"""Counts and seconds closer than this are equal: they differ by the rounding of floats."""

WITHOUT_LIMIT = 2**52
"""Larger than any count, and exact as a float, which is what a Redis script counts with."""


class _Minute(RateLimitItemPerMinute):
    """A limit whose key leaves out the amount, so that a changed limit finds what was counted under the old one."""

    __slots__ = ()

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return self.name_of(*identifiers)

    @staticmethod
    def name_of(*identifiers: bytes | str | float) -> str:
        return "/".join(["faultmaven", *map(str, identifiers)])


class MinuteStorage(Storage, SlidingWindowCounterSupport):
    """A storage of `limits` in this process's memory, whose time is our clock's and whose windows are all minutes.

    The library's own memory storage asks the machine's time and starts tasks of a loop to forget old windows. Here
    the first call of a new minute forgets them. A plain lock guards sections that await nothing, so that any thread
    and any event loop may count.
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
        """Count `amount` if it fits below `limit`; a negative one is taken off, down to zero."""
        with self._lock:
            previous, left, current, _ = self._window(key)
            if previous * left / MINUTE + current + amount > limit + ROUNDING:
                return False
            self._current[key] = max(0, current + amount)
            return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the previous count, its seconds left, the current count and its seconds left."""
        return self.windows(key)

    def windows(self, key: str) -> tuple[int, float, int, float]:
        """Return what `get_sliding_window` does, without a loop."""
        with self._lock:
            return self._window(key)

    async def take_off_previous(self, key: str, amount: int) -> None:
        """Count `amount` less in the minute before this one, down to zero: `limits` has no way to say this."""
        with self._lock:
            self._previous[key] = max(0, self._window(key)[0] - amount)

    def _window(self, key: str) -> tuple[int, float, int, float]:
        now = self._clock.monotonic()
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._previous = self._current if minute == self._minute + 1 else {}
            self._current, self._minute = {}, minute
        left = (minute + 1) * MINUTE - now
        return self._previous.get(key, 0), left, self._current.get(key, 0), left + MINUTE

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted under `key`."""
        await self.clear(key)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Nothing here can fail."""
        return ()

    async def check(self) -> bool:
        """Return True: memory is always there."""
        return True

    async def reset(self) -> int:
        """Forget everything; return how many keys were known."""
        with self._lock:
            known = len({*self._current, *self._previous})
            self._current, self._previous = {}, {}
        return known

    async def clear(self, key: str) -> None:
        """Forget what was counted under `key`."""
        with self._lock:
            self._current.pop(key, None)
            self._previous.pop(key, None)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Refuse: fixed windows are not counted here."""
        raise NotImplementedError

    async def get(self, key: str) -> NoReturn:
        """Refuse: fixed windows are not counted here."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> NoReturn:
        """Refuse: fixed windows are not counted here."""
        raise NotImplementedError


class SlidingMinuteCounter:
    """`RateCounter` over a storage of `limits`: `MinuteStorage`, or one that several processes share, such as Redis.

    A storage that cannot be reached lets every call through: the vendor's own limit still stands behind ours.
    """

    def __init__(self, storage: Storage) -> None:
        """Args:
        storage: An asyncio storage of `limits` that can count sliding windows.
        """
        self._storage = storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._windows: SlidingWindowCounterSupport = _with_windows(storage)
        self._unreachable = _failures(storage)

    @property
    def is_immediate(self) -> bool:
        """Whether it never waits; see `RateCounter`. A subclass may well wait, and says so itself."""
        return type(self) is SlidingMinuteCounter and type(self._storage) is MinuteStorage

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        """Count `amount` and return 0.0; or count nothing and return the seconds after which it may fit.

        An amount above `per_minute` needs an empty minute and is then counted whole, so that it comes true some time
        and those after it wait for all of it.
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
        """Return what `take` would now; 0.0 for a storage elsewhere, which only `take` can ask."""
        if not isinstance(self._storage, MinuteStorage):
            return 0.0
        windows, amount = self._storage.windows(_Minute.name_of(key)), min(amount, per_minute)
        previous, left, current, _ = windows
        if previous * left / MINUTE + current + amount <= per_minute + ROUNDING:
            return 0.0
        return max(SHORTEST_WAIT, seconds_until_fit(*windows, amount=amount, per_minute=per_minute))

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        """Count `amount` less, in the window in which it was taken; no window falls below zero.

        Only `MinuteStorage` can reach the older window; in any other, what was taken there fades by itself within the
        minute.
        """
        name = _Minute.name_of(key)
        try:
            previous, _, current, left = await self._windows.get_sliding_window(name, MINUTE)
            older, newer = split(amount, previous, current, age, elapsed=2 * MINUTE - left + ROUNDING)
            if older > 0 and isinstance(self._storage, MinuteStorage):
                await self._storage.take_off_previous(name, older)
            if newer > 0:
                await self._limiter.hit(_Minute(WITHOUT_LIMIT), key, cost=-newer)
        except self._unreachable:
            return

    async def charge(self, key: str, amount: int, per_minute: int) -> None:
        """Count `amount` more, over the limit if need be."""
        if amount <= 0:
            return
        try:
            await self._limiter.hit(_Minute(WITHOUT_LIMIT), key, cost=amount)
        except self._unreachable:
            return

    async def _wait(self, key: str, amount: int, per_minute: int) -> float:
        window = await self._windows.get_sliding_window(_Minute.name_of(key), MINUTE)
        return max(SHORTEST_WAIT, seconds_until_fit(*window, amount=amount, per_minute=per_minute))


def split(amount: int, previous: int, current: int, age: float, *, elapsed: float) -> tuple[int, int]:
    """Return how much of `amount` comes off the previous window and how much off the current one.

    Args:
        age: Seconds since `amount` was taken.
        elapsed: Seconds since the current window began.
    """
    if age <= elapsed:
        return 0, min(amount, current)
    return (min(amount, previous), 0) if age <= elapsed + MINUTE else (0, 0)


def seconds_until_fit(
    previous: int, previous_left: float, current: int, current_left: float, *, amount: int, per_minute: int
) -> float:
    """Return the seconds after which `amount` fits, if nobody else takes or gives back; 0.0 when it fits now.

    Within this window only the previous one's part fades. After its end the current one is the previous one and fades
    over a whole minute.
    """
    room = per_minute - amount - current
    if room >= 0:
        return max(0.0, previous_left - room * MINUTE / previous) if previous else 0.0
    fade = 1 - (per_minute - amount) / current
    return max(0.0, current_left - MINUTE) + MINUTE * fade


def _with_windows(storage: Storage) -> SlidingWindowCounterSupport:
    if not isinstance(storage, SlidingWindowCounterSupport):
        raise TypeError(f"{type(storage).__name__} cannot count sliding windows")
    return storage


def _failures(storage: Storage) -> tuple[type[Exception], ...]:
    """The exceptions by which `storage` says that it cannot be reached."""
    kinds = storage.base_exceptions
    return (*(kinds if isinstance(kinds, tuple) else (kinds,)), StorageError)
