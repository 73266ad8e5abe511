"""Time that moves only when told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FakeClock:
    """Time that moves only when told, by `sleep` or by `advance`; nothing really waits.

    A sleep that would pass the end of a surrounding `timeout` stops there and the timeout strikes.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._limits: list[tuple[float, asyncio.Task[object], asyncio.Timeout]] = []
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; every timeout that ends by then strikes."""
        self._now += seconds
        self._strike()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, or as many as the surrounding timeouts leave."""
        task = asyncio.current_task()
        ends = min((end for end, owner, _ in self._limits if owner is task), default=float("inf"))
        if ends <= self._now + seconds:
            self.advance(max(0.0, ends - self._now))
            await asyncio.Event().wait()  # the timeout has struck: its cancellation arrives here
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        """Raise TimeoutError once `seconds` have passed on this clock; None never does."""
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(None) as limit:
            entry = (self._now + seconds, task, limit) if seconds is not None else None
            if entry is not None:
                self._limits.append(entry)
            try:
                yield
            finally:
                if entry is not None:
                    self._limits.remove(entry)

    def _strike(self) -> None:
        for end, _, limit in self._limits:
            if end <= self._now and not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
