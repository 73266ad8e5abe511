"""A limit of connections per host, for any carrier.

The limits of the HTTP libraries do not fit: httpx limits a pool over all hosts, and aiohttp lets a call that arrives
just as a connection is freed overtake the waiting calls.
"""

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from ...domain.errors import LimitReachedError
from ...ports.clock import Clock
from .carrier import Carrier, CarrierReply, Progress
from .failures import connect_seconds
from .types import WireRequest

LIMIT_VARIABLE = "LLM_HTTP_CONNECTIONS_PER_HOST"
DEFAULT_PORTS = {"http": 80, "https": 443}

Host: TypeAlias = tuple[asyncio.AbstractEventLoop, str, str, int]
"""The running loop, and an address's scheme, name and port."""


class LimitedCarrier:
    """A `Carrier` that limits the exchanges in flight with a host; later exchanges wait in order of arrival.

    An exchange uses one connection, from connecting to the end of the reply. Idle connections do not count: the next
    exchange uses one of them before it opens another.
    """

    def __init__(self, carrier: Carrier, limit: int, clock: Clock) -> None:
        self._clock = clock
        self._carrier = carrier
        self._limit = limit
        self._hosts: dict[Host, _HostPermits] = {}

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "LimitedReply":
        """Return the reply once its headers have arrived; see `Carrier`.

        Raises:
            LimitReachedError: no connection became free in the time for connecting; nothing was sent.
        """
        host = _host_of(sent.url)
        entry = self._hosts.setdefault(host, _HostPermits(self._limit))
        entry.exchanges += 1
        progress.waits_for = "permit"
        try:
            waited = await self._acquire(entry.permits, sent, connect_seconds(timeout))
        except BaseException:
            self._remove_exchange(host)
            raise
        progress.waits_for = "reply"
        try:
            remaining = None if timeout is None else max(0.0, timeout - waited)
            reply = await self._carrier.open(sent, remaining, progress)
        except BaseException:
            self._release(host)
            raise
        return LimitedReply(reply, functools.partial(self._release, host))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._carrier.aclose()

    def _release(self, host: Host) -> None:
        self._hosts[host].permits.release()
        self._remove_exchange(host)

    def _remove_exchange(self, host: Host) -> None:
        entry = self._hosts[host]
        entry.exchanges -= 1
        if not entry.exchanges:  # images may come from any number of hosts
            del self._hosts[host]

    async def _acquire(self, permits: asyncio.Semaphore, sent: WireRequest, seconds: float) -> float:
        """Acquire a permit; return the seconds of waiting."""
        if not permits.locked():
            await permits.acquire()  # never suspends
            return 0.0
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(seconds):
                await permits.acquire()
        except TimeoutError:
            raise permit_error(sent, seconds, self._limit) from None
        return self._clock.monotonic() - started


def permit_error(sent: WireRequest, seconds: float, limit: int) -> LimitReachedError:
    return LimitReachedError(
        f"no connection to the host came free within {seconds:.3g} s, of {limit} allowed",
        provider=sent.origin.provider,
        model=sent.model,
        phase="connect",
        advice=f"Raise {LIMIT_VARIABLE}, or unset it for no limit.",
    )


class _HostPermits:
    """One host's permits, and the number of exchanges that have a permit or wait for one."""

    __slots__ = ("exchanges", "permits")

    def __init__(self, limit: int) -> None:
        self.permits = asyncio.Semaphore(limit)
        self.exchanges = 0


class LimitedReply:
    """A `CarrierReply` that releases its connection permit at the end of its body or when it is closed."""

    __slots__ = ("_release", "_reply")

    def __init__(self, reply: CarrierReply, release: Callable[[], None]) -> None:
        self._reply = reply
        self._release: Callable[[], None] | None = release

    @property
    def status(self) -> int:
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._reply.headers

    async def read(self) -> bytes:
        """Return the next bytes; see `CarrierReply`."""
        block = await self._reply.read()
        if not block:
            self._release_once()
        return block

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool."""
        try:
            await self._reply.aclose()
        finally:
            self._release_once()

    def _release_once(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


def _host_of(address: str) -> Host:
    loop = asyncio.get_running_loop()
    try:
        parts = urlsplit(address)
        return loop, parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return loop, "", address, 0  # an invalid address: the carrier raises the error
