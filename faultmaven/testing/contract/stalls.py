"""Measurement of event loop stalls: times in which a call blocks all other tasks of its loop."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable

from .harness import run_within_limit

MIN_STALL_SECONDS = 0.1
"""The threshold of asyncio's debug mode."""
MEASURED_CALLS = 3
"""Calls that must all stall the loop: a machine under load may suspend the thread in one call, but not in every one."""
TOLERATED_WAIT_PER_CPU_SECOND = 3
"""Seconds that a thread may wait for the CPU for each second of CPU time; on a machine under load this is no stall."""


class _StallMeasuringSelector(selectors.DefaultSelector):
    """Measures how long its thread waits between two calls of `select`, where the loop should only compute."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_stall = 0.0
        self._started = time.perf_counter(), time.thread_time()

    def restart(self) -> None:
        """Start a new measurement."""
        self.longest_stall = 0.0
        self._started = time.perf_counter(), time.thread_time()

    def measure(self) -> float:
        """Include the time up to now, and return the longest stall in seconds since the restart."""
        elapsed, cpu = time.perf_counter() - self._started[0], time.thread_time() - self._started[1]
        self.longest_stall = max(self.longest_stall, elapsed - cpu * (1 + TOLERATED_WAIT_PER_CPU_SECOND))
        return self.longest_stall

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events; the time spent here is no stall."""
        self.measure()
        try:
            return super().select(timeout)
        finally:
            self._started = time.perf_counter(), time.thread_time()


def describe_stall(call: Callable[[], Awaitable[object]]) -> str:
    """Return a description of how long each of several sequential calls blocks the event loop, "" without a stall."""
    seconds = _shortest_stall_of_calls(call)
    if seconds < MIN_STALL_SECONDS:
        return ""
    return f"every call blocked the event loop for at least {seconds:.2f} s"


def _shortest_stall_of_calls(call: Callable[[], Awaitable[object]]) -> float:
    selector = _StallMeasuringSelector()

    async def measure_calls() -> float:
        stalls = []
        for _ in range(MEASURED_CALLS):
            selector.restart()
            await call()
            stalls.append(selector.measure())
        return min(stalls)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(run_within_limit(measure_calls()))
