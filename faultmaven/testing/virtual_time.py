"""An event loop in virtual time: a test of an hour's waiting takes no time."""

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
    """Nothing can happen any more in a loop of virtual time: everyone waits for someone, and no timer is set."""


class VirtualClock:
    """`Clock` over the running event loop's own time, which is virtual inside `run_in_virtual_time`."""

    def monotonic(self) -> float:
        """Return the running loop's time; under `run_in_virtual_time` that is seconds since its start."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context that raises `TimeoutError` after `seconds`; None never does."""
        return asyncio.timeout(seconds)


def run_in_virtual_time(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` as `asyncio.run` does, in a loop whose time jumps to the next timer when nothing is ready.

    `asyncio.sleep`, `asyncio.timeout` and `loop.time()` agree on the time, which starts at 0. It is for work inside the
    process: time does not wait for sockets while a timer is set, but it does wait for `asyncio.to_thread`.

    Raises:
        VirtualDeadlockError: nothing is left to happen, and `coroutine` is not done.
        RuntimeError: another loop is running, as in a test that is itself `async def`.
    """
    if asyncio._get_running_loop() is not None:
        coroutine.close()
        raise RuntimeError("run_in_virtual_time() has a loop of its own: call it from a function that is not async")
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(coroutine)


class _JumpingSelector(selectors.DefaultSelector):
    """Keeps the time of its loop; where another selector would wait for a timer, time jumps to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; else let `timeout` seconds pass at once, None being for ever.

        Raises:
            VirtualDeadlockError: for ever would be in vain.
        """
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        # Threads and, when no timer is set, sockets live in real time. One socket is the loop's own, for waking it up.
        if self.threads or (timeout is None and len(self.get_map()) > 1):
            return super().select(None)
        if timeout is None:
            raise VirtualDeadlockError("nothing is left to happen: no timer is set and no task can go on")
        self.now += timeout
        return []


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose clock is its selector's."""

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self._virtual.now

    @property
    def _clock_resolution(self) -> float:
        """How late a timer counts as due: asyncio adds it to the time, and the sum must be above the time."""
        return math.ulp(self._virtual.now)

    @_clock_resolution.setter
    def _clock_resolution(self, seconds: float) -> None:
        """Take no notice of the system clock's own, with which time would stop after half a year."""

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call `callback` at `when`. Infinity never comes, so no timer is set for it: time would never get there."""
        if when == float("inf"):
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run `func` in a thread, during which time stands still."""
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads to end, during which time stands still."""
        self._virtual.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._virtual.threads -= 1

    def _thread_is_done(self, _: object) -> None:
        self._virtual.threads -= 1
