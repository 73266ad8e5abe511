"""Imports of HTTP libraries in a thread, at the first call that needs one: an import blocks a loop for 100 ms."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Name = TypeVar("Name")

_imported: set[object] = set()
_running: dict[object, "asyncio.Future[None]"] = {}


async def import_in_thread(load: Callable[[Name], object], name: Name) -> None:
    """Run `load(name)`, which imports, in a thread and wait for its end; return at once when it has run before.

    Concurrent calls in one event loop share the thread. An exception of `load` is ignored: the later use of the missing
    import raises it again. A cancellation ends the wait, not the import.
    """
    if (load, name) in _imported:
        return
    key = (asyncio.get_running_loop(), load, name)
    future = _running.get(key) or _start(load, name)
    if future is None:
        return
    if key not in _running:
        _running[key] = future
        future.add_done_callback(lambda _: _running.pop(key))
    await asyncio.wait({future})
    _imported.add((load, name))


def _start(load: Callable[[Name], object], name: Name) -> "asyncio.Future[None] | None":
    thread = ThreadPoolExecutor(1, thread_name_prefix="faultmaven-load")  # the loop's own threads are the host's
    try:
        return asyncio.get_running_loop().run_in_executor(thread, _load_quietly, load, name)
    except RuntimeError:  # the interpreter is shutting down and starts no threads: the later use imports in the loop
        return None
    finally:
        thread.shutdown(wait=False)


def _load_quietly(load: Callable[[Name], object], name: Name) -> None:
    with contextlib.suppress(Exception):
        load(name)
