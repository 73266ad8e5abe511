"""Calls that wait for a turn, in the order in which they came, from any event loop of the process."""

import asyncio
from collections import deque
from collections.abc import Callable


class Waiters:
    """A queue of futures. Its owner guards it with a lock of its own; waking another loop's future goes through that
    loop."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._futures)

    def join(self) -> "asyncio.Future[None]":
        """Return a future of the running loop that ends when its turn comes."""
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def leave(self, future: "asyncio.Future[None]") -> None:
        """Take out a future that waits no more."""
        if future in self._futures:
            self._futures.remove(future)

    def wake_next(self, lost: Callable[[], None]) -> bool:
        """Wake the first that still waits; return whether there was one.

        Args:
            lost: Called when the woken call is gone by the time its loop hears of it, so that its turn is not lost.
        """
        while self._futures:
            future = self._futures.popleft()
            if not future.done() and _wake(future, lost):
                return True
        return False

    def wake_all(self) -> None:
        """Wake everybody."""
        while self.wake_next(_nothing_lost):
            pass


def _nothing_lost() -> None:
    """A turn that everybody has is not lost with one of them."""


def _wake(future: "asyncio.Future[None]", lost: Callable[[], None]) -> bool:
    loop = future.get_loop()

    def wake() -> None:
        if future.done():
            lost()
        else:
            future.set_result(None)

    if loop is _running_loop():
        wake()
        return True
    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:  # that loop is closed, and whoever waited went with it
        return False
    return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
