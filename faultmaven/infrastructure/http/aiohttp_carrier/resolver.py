"""Name resolution in separate threads: those of the event loop belong to the host, and a slow lookup blocks one."""

import asyncio
import functools
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from aiohttp.resolver import ThreadedResolver

T = TypeVar("T")

MAX_THREADS = 32
"""Limit of concurrent lookups; a further one waits. aiohttp shares one lookup among all calls that need the name."""


class Resolver(ThreadedResolver):
    """aiohttp's own resolver, which uses the operating system's, with its own threads. The carrier closes it.

    A lookup that no call waits for any more cannot be stopped: its thread ends with it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="faultmaven-dns")
        super().__init__(cast("asyncio.AbstractEventLoop", _LoopLookups(self._threads)))

    async def close(self) -> None:
        """Drop the lookups that have not started; wait for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _LoopLookups:
    """The two methods of an event loop that `ThreadedResolver` calls."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def getaddrinfo(self, host: str, port: int, **options: int) -> Any:
        return await self._run(functools.partial(socket.getaddrinfo, host, port, **options))

    async def getnameinfo(self, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
        return await self._run(functools.partial(socket.getnameinfo, address, flags))

    async def _run(self, look_up: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
