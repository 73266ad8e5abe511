"""A first-in, first-out queue of waiting calls, from any event loop of the process."""

import asyncio
from collections import deque
from collections.abc import Callable


class Waiters:
    """A queue of futures, guarded by the owner's lock. A future of another event loop is woken in that loop."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._futures)

    def join(self) -> "asyncio.Future[None]":
        """Return a future of the running loop, which ends when the queue wakes it."""
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def leave(self, future: "asyncio.Future[None]") -> None:
        """Remove a future that waits no longer."""
        if future in self._futures:
            self._futures.remove(future)

    def wake_next(self, on_lost: Callable[[], None]) -> bool:
        """Wake the first future that still waits; return whether there was one.

        Args:
            on_lost: Called when the woken call ended before its loop ran the wake-up, so that the place is passed on.
        """
        while self._futures:
            future = self._futures.popleft()
            if not future.done() and _wake(future, on_lost):
                return True
        return False

    def wake_all(self) -> None:
        """Wake every waiting future."""
        while self.wake_next(_ignore_lost):
            pass


def _ignore_lost() -> None:
    """Do nothing: where every future wakes, no place is passed on."""


def _wake(future: "asyncio.Future[None]", on_lost: Callable[[], None]) -> bool:
    loop = future.get_loop()

    def wake() -> None:
        if future.done():
            on_lost()
        else:
            future.set_result(None)

    if loop is _running_loop():
        wake()
        return True
    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:  # the future's loop is closed, and its call ended with it
        return False
    return True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
