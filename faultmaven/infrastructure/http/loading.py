"""Importing what carries bytes, at the first call that needs it, without the event loop standing still for 100 ms."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


async def loaded(load: Callable[[Name], object], name: Name) -> None:
    """Return when `load(name)`, which imports, has run in a thread; it does so once in a process.

    What it raises is not told: whoever uses what should be there hears of it. A cancellation ends the waiting alone.
    """
    loading = _loading(load, name)
    if not loading.done():
        await asyncio.wait({asyncio.wrap_future(loading)})


@functools.cache
def _loading(load: Callable[[Name], object], name: Name) -> "Future[None]":
    thread = ThreadPoolExecutor(1, thread_name_prefix="faultmaven-load")  # none of the loop's, which are the host's
    try:
        return thread.submit(_quietly, load, name)
    finally:
        thread.shutdown(wait=False)


def _quietly(load: Callable[[Name], object], name: Name) -> None:
    with contextlib.suppress(Exception):
        load(name)
