"""Measurement of event loop stalls: times in which a call blocks all other tasks of its loop."""

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, Self

from .harness import run_within_limit

MIN_STALL_SECONDS = 0.1
"""The threshold of asyncio's debug mode."""
MEASURED_CALLS = 3
"""Calls that must all stall the loop: a machine under load may suspend the thread in one call, but not in every one."""
TOLERATED_WAIT_PER_CPU_SECOND = 3
"""Seconds that a thread may wait for the CPU for each second of CPU time, where the system does not count that wait."""
SCHEDULER_STATISTICS = Path("/proc/thread-self/schedstat")
"""Linux: nanoseconds on the CPU, nanoseconds of waiting for the CPU, and the number of time slices of this thread."""


def _seconds_without_cpu() -> float | None:
    """Return the seconds that this thread has waited for the CPU on a busy machine, None where they are not counted."""
    try:
        return int(SCHEDULER_STATISTICS.read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


class _Times(NamedTuple):
    """The clocks of this thread in seconds; `without_cpu` is None where the system does not count it."""

    elapsed: float
    cpu: float
    without_cpu: float | None

    @classmethod
    def now(cls) -> Self:
        """Read the clocks."""
        return cls(time.perf_counter(), time.thread_time(), _seconds_without_cpu())

    def blocked_until(self, end: "_Times") -> float:
        """Return the seconds up to `end` in which the thread neither computed nor waited for the CPU."""
        cpu = end.cpu - self.cpu
        if self.without_cpu is None or end.without_cpu is None:
            without_cpu = cpu * TOLERATED_WAIT_PER_CPU_SECOND
        else:
            without_cpu = end.without_cpu - self.without_cpu
        return end.elapsed - self.elapsed - cpu - without_cpu


class _StallMeasuringSelector(selectors.DefaultSelector):
    """Measures how long its thread waits between two calls of `select`, where the loop should only compute.

    Neither computation nor a wait for the CPU on a busy machine is a stall.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest_stall = 0.0
        self._started = _Times.now()

    def restart(self) -> None:
        """Start a new measurement."""
        self.longest_stall = 0.0
        self._started = _Times.now()

    def measure(self) -> float:
        """Include the time up to now, and return the longest stall in seconds since the restart."""
        self.longest_stall = max(self.longest_stall, self._started.blocked_until(_Times.now()))
        return self.longest_stall

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events; the time spent here is no stall."""
        self.measure()
        try:
            return super().select(timeout)
        finally:
            self._started = _Times.now()


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
