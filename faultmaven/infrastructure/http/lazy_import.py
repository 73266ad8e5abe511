"""Importing what carries bytes, at the first call that needs it, without the event loop standing still for 100 ms."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Name = TypeVar("Name")

_done: set[object] = set()
_under_way: dict[object, "asyncio.Future[None]"] = {}


async def loaded(load: Callable[[Name], object], name: Name) -> None:
    """Return when `load(name)`, which imports, has run in a thread; where it has run before, at once.

    Calls of one event loop share the thread.

    What it raises is not told: whoever uses what should be there hears of it. A cancellation ends the waiting alone.
    """
    if (load, name) in _done:
        return
    key = (asyncio.get_running_loop(), load, name)
    loading = _under_way.get(key) or _begun(load, name)
    if loading is None:
        return
    if key not in _under_way:
        _under_way[key] = loading
        loading.add_done_callback(lambda _: _under_way.pop(key))
    await asyncio.wait({loading})
    _done.add((load, name))


def _begun(load: Callable[[Name], object], name: Name) -> "asyncio.Future[None] | None":
    thread = ThreadPoolExecutor(1, thread_name_prefix="faultmaven-load")  # none of the loop's, which are the host's
    try:
        return asyncio.get_running_loop().run_in_executor(thread, _quietly, load, name)
    except RuntimeError:  # the interpreter is ending and begins no threads any more: whoever needs it imports it
        return None
    finally:
        thread.shutdown(wait=False)


def _quietly(load: Callable[[Name], object], name: Name) -> None:
    with contextlib.suppress(Exception):
        load(name)
