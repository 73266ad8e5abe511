"""A fake clock that advances only by calls of its methods."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FakeClock:
    """A clock that advances only by `sleep` and `advance`, without real waits.

    A sleep that would exceed a surrounding `timeout` stops at its end, and the timeout raises `TimeoutError`.

    Attributes:
        slept: The seconds of every completed sleep, in order.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._timeouts: list[tuple[float, asyncio.Task[object], asyncio.Timeout]] = []
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time in seconds; the initial value is an argument of the constructor."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the time by `seconds`, and expire every timeout that ends by then."""
        self._now += seconds
        self._expire_timeouts()

    async def sleep(self, seconds: float) -> None:
        """Advance the time by `seconds` at once, but not beyond the end of a surrounding timeout."""
        task = asyncio.current_task()
        deadline = min((end for end, owner, _ in self._timeouts if owner is task), default=float("inf"))
        if deadline <= self._now + seconds:
            self.advance(max(0.0, deadline - self._now))
            await asyncio.Event().wait()  # the expired timeout cancels the task here
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        """Raise TimeoutError once `seconds` have passed on this clock; None sets no limit."""
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(None) as timeout:
            entry = (self._now + seconds, task, timeout) if seconds is not None else None
            if entry is not None:
                self._timeouts.append(entry)
            try:
                yield
            finally:
                if entry is not None:
                    self._timeouts.remove(entry)

    def _expire_timeouts(self) -> None:
        for end, _, timeout in self._timeouts:
            if end <= self._now and not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())
