"""Calls that block, for code that is not asynchronous: scripts, threads, and cells of a notebook, whose loop runs."""

import asyncio
import atexit
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of `coroutine`, run in the background loop while this thread waits.

    Ctrl-C cancels it. It sees the caller's context variables.

    Raises:
        RuntimeError: called in the background loop itself, which would wait for itself.
    """
    return _background.run(coroutine)


async def also_in_background(
    work: Callable[[], Coroutine[Any, Any, None]], loops: Iterable[asyncio.AbstractEventLoop]
) -> None:
    """Await `work` in the background loop too, if that is one of `loops`, which have something to close."""
    await _background.also(work, loops)


class _BackgroundLoop:
    """One event loop in a thread of its own, begun on first use and ended with the process.

    A loop that stays keeps the connections of calls before open for those after; a loop for each call would not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` there and wait for it."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("generate_sync() was called inside of a call of its own: await generate() there")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        try:
            with _interruptible():
                return future.result()
        finally:
            _give_up(future)

    async def also(
        self, work: Callable[[], Coroutine[Any, Any, None]], loops: Iterable[asyncio.AbstractEventLoop]
    ) -> None:
        """Do `work` there, if it is one of `loops`, while the caller's own loop goes on."""
        is_elsewhere = self._is_alive and self._loop is not asyncio.get_running_loop()
        if is_elsewhere and self._loop is not None and self._loop in loops:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def end(self) -> None:
        """End the loop, which closes its connections; a later call begins another."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    @property
    def _is_alive(self) -> bool:
        """Whether its thread is there: a process that was forked off has the loop only."""
        return self._thread is not None and self._thread.is_alive()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or not self._is_alive:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="faultmaven generate_sync", daemon=True
                )
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until it is stopped, and close it as `asyncio.run` does.

    The executor is ours, since asyncio ends its own by starting a thread, which an ending process may refuse.
    """
    asyncio.set_event_loop(loop)
    with ThreadPoolExecutor(thread_name_prefix="faultmaven generate_sync") as executor:
        loop.set_default_executor(executor)
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C break off the wait where `asyncio.run` would only cancel its task, which cannot go on meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    if not isinstance(getattr(getattr(handler, "func", None), "__self__", None), asyncio.Runner):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _give_up(future: Future[Any]) -> None:
    """Cancel what nobody waits for any more: the caller was interrupted."""
    if not future.done():
        future.cancel()


_background = _BackgroundLoop()
atexit.register(_background.end)
