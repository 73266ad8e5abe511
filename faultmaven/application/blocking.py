"""Blocking calls for synchronous code: scripts, threads, and notebook cells, where an event loop already runs."""

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
    """Run `coroutine` in the background loop, and return its result; the calling thread waits.

    Ctrl-C cancels the coroutine. The coroutine sees the context variables of the caller.

    Raises:
        RuntimeError: called in the background loop itself, which would wait for itself.
    """
    return _background.run(coroutine)


async def run_in_background_loop_too(
    work: Callable[[], Coroutine[Any, Any, None]], loops: Iterable[asyncio.AbstractEventLoop]
) -> None:
    """Await `work` in the background loop, too, if that loop is one of `loops` and not the running one."""
    await _background.run_too(work, loops)


class _BackgroundLoop:
    """One event loop in a thread of its own, started on first use and stopped at the end of the process.

    A loop that stays keeps connections open between calls; a loop for each call would not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` in the loop, wait for the end, and return the result."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("generate_sync() was called inside another generate_sync() call: await generate()")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._ensure_running())
        try:
            with _interruptible():
                return future.result()
        finally:
            _cancel_unfinished(future)

    async def run_too(
        self, work: Callable[[], Coroutine[Any, Any, None]], loops: Iterable[asyncio.AbstractEventLoop]
    ) -> None:
        """Await `work` in the background loop if that loop is alive, one of `loops`, and not the running one."""
        is_other_loop = self._is_alive and self._loop is not asyncio.get_running_loop()
        if is_other_loop and self._loop is not None and self._loop in loops:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._loop))

    def end(self) -> None:
        """Stop the loop, which closes the loop's connections; a later call starts a new loop."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    @property
    def _is_alive(self) -> bool:
        """Whether the thread runs in this process: a forked process inherits the loop without the thread."""
        return self._thread is not None and self._thread.is_alive()

    def _ensure_running(self) -> asyncio.AbstractEventLoop:
        """Return the loop; start a loop and its thread if none runs in this process."""
        with self._lock:
            if self._loop is None or not self._is_alive:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run_loop, args=(self._loop,), name="faultmaven generate_sync", daemon=True
                )
                self._thread.start()
            return self._loop


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until `loop` is stopped, then close `loop` as `asyncio.run` does.

    The loop gets an explicit executor: asyncio shuts its default one down in a new thread, which an ending process may
    refuse to start.
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
    """Let Ctrl-C interrupt the wait inside `asyncio.run`, which would only cancel its task, blocked by this wait."""
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


def _cancel_unfinished(future: Future[Any]) -> None:
    """Cancel a future that has no result yet, because the waiting caller was interrupted."""
    if not future.done():
        future.cancel()


_background = _BackgroundLoop()
atexit.register(_background.end)
