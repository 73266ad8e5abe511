"""Importing what carries bytes, at the first call that needs it, without the event loop standing still for 100 ms."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Name = TypeVar("Name")

_loaded: set[object] = set()


async def loaded(load: Callable[[Name], object], name: Name) -> None:
    """Return when `load(name)`, which imports, has run in a thread; where it has run before, at once.

    What it raises is not told: whoever uses what should be there hears of it. A cancellation ends the waiting alone.
    """
    if (load, name) in _loaded:
        return
    thread = ThreadPoolExecutor(1, thread_name_prefix="faultmaven-load")  # none of the loop's, which are the host's
    try:
        loading = asyncio.get_running_loop().run_in_executor(thread, _quietly, load, name)
    except RuntimeError:  # the interpreter is ending and begins no threads any more: whoever needs it imports it
        return
    finally:
        thread.shutdown(wait=False)
    await asyncio.wait({loading})
    _loaded.add((load, name))


def _quietly(load: Callable[[Name], object], name: Name) -> None:
    with contextlib.suppress(Exception):
        load(name)
