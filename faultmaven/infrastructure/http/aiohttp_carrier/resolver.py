"""Looking up names in threads of our own: those of the event loop are the host's, and a name that hangs holds one."""

import asyncio
import functools
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from aiohttp.resolver import ThreadedResolver

T = TypeVar("T")

THREADS = 32
"""So many names can hang before another one waits. aiohttp looks up a name once at a time, however many wait for it."""


class Resolver(ThreadedResolver):
    """aiohttp's own resolver, which asks the operating system; whoever makes it closes it.

    A look-up that nobody waits for any more is not stopped, since nothing can do that: its thread ends with it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="faultmaven-dns")
        super().__init__(cast("asyncio.AbstractEventLoop", _LookUps(self._threads)))

    async def close(self) -> None:
        """Drop the look-ups that have not begun, and wait for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _LookUps:
    """What the resolver asks of an event loop."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def getaddrinfo(self, host: str, port: int, **options: int) -> Any:
        return await self._told(functools.partial(socket.getaddrinfo, host, port, **options))

    async def getnameinfo(self, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
        return await self._told(functools.partial(socket.getnameinfo, address, flags))

    async def _told(self, ask: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
