"""An event loop that notes how long it stood still: what blocks a loop keeps everybody else in it waiting."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from faultmaven.testing.contract.bench import limited

SLOW_SECONDS = 0.1
"""As in asyncio's debug mode."""
TRIES = 3
"""Calls that must all hold up the loop: a machine under load stops a thread now and then, but not in every call."""
SHARE_OF_OTHERS = 3
"""On a machine under load a thread waits this many times as long as it computes, and has not blocked all the same."""


class _WatchedSelector(selectors.DefaultSelector):
    """Notes how long its loop's thread waits between two looks at the selector, where it should only compute."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        self._began = _times()

    def restart(self) -> None:
        """Begin to count anew."""
        self.longest = 0.0
        self._began = _times()

    def note(self) -> float:
        """Take the time up to now into account, and return the longest wait in seconds since the restart."""
        taken, computed, queued = (now - began for now, began in zip(_times(), self._began, strict=True))
        excused = max(computed * (1 + SHARE_OF_OTHERS), computed + queued)
        self.longest = max(self.longest, taken - excused)
        return self.longest

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as the loop wants it; this is where it may."""
        self.note()
        try:
            return super().select(timeout)
        finally:
            self._began = _times()


def _times() -> tuple[float, float, float]:
    """Return three clocks of this thread, in seconds: real time, computing, and waiting for a free processor.

    The last one is 0 where the system does not tell it; Linux does.
    """
    try:
        queued = int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        queued = 0.0
    return time.perf_counter(), time.thread_time(), queued


def standstill(ask: Callable[[], Awaitable[object]]) -> str:
    """Return for how long each of several calls, one after another, holds up the event loop, "" where none does."""
    seconds = _longest_in_every_call(ask)
    return f"the event loop stood still for at least {seconds:.2f} s in every call" if seconds >= SLOW_SECONDS else ""


def _longest_in_every_call(ask: Callable[[], Awaitable[object]]) -> float:
    selector = _WatchedSelector()

    async def watched() -> float:
        held_up = []
        for _ in range(TRIES):
            selector.restart()
            await ask()
            held_up.append(selector.note())
        return min(held_up)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(limited(watched()))
