"""An event loop in virtual time: a test that waits for an hour takes no real time."""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualDeadlockError(RuntimeError):
    """A deadlock in a loop with virtual time: every task waits, and no timer is set."""


class VirtualClock:
    """A `Clock` over the time of the running event loop, which is virtual inside `run_in_virtual_time`."""

    def monotonic(self) -> float:
        """Return the running loop's time; under `run_in_virtual_time` that is seconds since its start."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context manager that raises `TimeoutError` after `seconds`; None sets no limit."""
        return asyncio.timeout(seconds)


def run_in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` as `asyncio.run` does, in a loop whose time jumps to the next timer when every task waits.

    `asyncio.sleep`, `asyncio.timeout` and `loop.time()` share this time, which starts at 0. Use virtual time for work
    inside the process: time stands still during `asyncio.to_thread`, but not for sockets while a timer is set.

    Raises:
        VirtualDeadlockError: every task waits, no timer is set, and `coroutine` is not done.
        RuntimeError: another loop is running, as in a test that is itself `async def`.
    """
    if asyncio._get_running_loop() is not None:
        coroutine.close()
        raise RuntimeError(
            "run_in_virtual_time() starts an event loop: call run_in_virtual_time() from a function that is not async"
        )
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(coroutine)


class _JumpingSelector(selectors.DefaultSelector):
    """Holds the time of its loop; time jumps to the next timer where another selector would wait for that timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events that are ready; if there are none, advance the time by `timeout` seconds at once.

        Raises:
            VirtualDeadlockError: `timeout` is None, and no thread or socket can end the wait.
        """
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        # Threads and, without a timer, sockets run in real time. One socket is the loop's own, which wakes the loop up.
        if self.threads or (timeout is None and len(self.get_map()) > 1):
            return super().select(None)
        if timeout is None:
            raise VirtualDeadlockError("every task waits, and no timer is set")
        self.now += timeout
        return []


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop with the time of its `_JumpingSelector`."""

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual seconds since the start of the loop."""
        return self._virtual.now

    @property
    def _clock_resolution(self) -> float:
        """Seconds by which a timer may be early: asyncio adds them to the time, and the sum must exceed the time."""
        return math.ulp(self._virtual.now)

    @_clock_resolution.setter
    def _clock_resolution(self, seconds: float) -> None:
        """Ignore the resolution of the system clock, too small to change a virtual time of more than half a year."""

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call `callback` at `when`; an infinite `when` sets no timer, since time would jump to infinity."""
        if when == float("inf"):
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run `func` in a thread; time stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._on_thread_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads to end; time stands still meanwhile."""
        self._virtual.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._virtual.threads -= 1

    def _on_thread_done(self, _: object) -> None:
        self._virtual.threads -= 1
