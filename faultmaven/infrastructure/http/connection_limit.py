"""A limit of connections per host, over whatever carries bytes: neither carrier has one of its own that will do.

httpx limits a pool over all hosts. aiohttp has one per host, but a call that comes just as a connection is freed takes
it before those that wait.
"""

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from faultmaven.domain.errors import LimitReachedError
from faultmaven.infrastructure.http.carrier import CarriedReply, Carrier, Progress
from faultmaven.infrastructure.http.failures import connect_seconds
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.ports.clock import Clock

VARIABLE = "LLM_HTTP_CONNECTIONS_PER_HOST"
PORTS = {"http": 80, "https": 443}

Host: TypeAlias = tuple[asyncio.AbstractEventLoop, str, str, int]
"""The running loop, and an address's scheme, name and port."""


class LimitedCarrier:
    """A `Carrier` with at most so many exchanges under way with a host; whoever comes later waits, in order.

    An exchange uses one connection, from connecting to the end of the reply. Those that are kept count for nobody: the
    next exchange uses one of them before it opens another.
    """

    def __init__(self, carrier: Carrier, limit: int, clock: Clock) -> None:
        self._clock = clock
        self._carrier = carrier
        self._limit = limit
        self._lines: dict[Host, _Line] = {}

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "LimitedReply":
        """Return the reply once its headers are there; see `Carrier`.

        Raises:
            LimitReachedError: no connection came free in the time for connecting; nothing was sent.
        """
        host = _host_of(sent.url)
        line = self._lines.setdefault(host, _Line(self._limit))
        line.exchanges += 1
        progress.waits_for = "permit"
        try:
            waited = await self._permitted(line.permits, sent, connect_seconds(timeout))
        except BaseException:
            self._left(host)
            raise
        progress.waits_for = "reply"
        try:
            left = None if timeout is None else max(0.0, timeout - waited)
            reply = await self._carrier.open(sent, left, progress)
        except BaseException:
            self._ended(host)
            raise
        return LimitedReply(reply, functools.partial(self._ended, host))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._carrier.aclose()

    def _ended(self, host: Host) -> None:
        self._lines[host].permits.release()
        self._left(host)

    def _left(self, host: Host) -> None:
        line = self._lines[host]
        line.exchanges -= 1
        if not line.exchanges:  # addresses of images may be without end
            del self._lines[host]

    async def _permitted(self, permits: asyncio.Semaphore, sent: WireRequest, seconds: float) -> float:
        """Take a permit, and return for how many seconds that was waited for."""
        if not permits.locked():
            await permits.acquire()  # at once
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
        advice=f"Raise {VARIABLE}, or unset it for no limit.",
    )


class _Line:
    """One host's permits, and how many exchanges have one or wait for one."""

    __slots__ = ("exchanges", "permits")

    def __init__(self, limit: int) -> None:
        self.permits = asyncio.Semaphore(limit)
        self.exchanges = 0


class LimitedReply:
    """A `CarriedReply` that counts as a connection until its body has come to its end, or it is closed."""

    __slots__ = ("_ended", "_reply")

    def __init__(self, reply: CarriedReply, ended: Callable[[], None]) -> None:
        self._reply = reply
        self._ended: Callable[[], None] | None = ended

    @property
    def status(self) -> int:
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._reply.headers

    async def read(self) -> bytes:
        """Return the next bytes; see `CarriedReply`."""
        block = await self._reply.read()
        if not block:
            self._give_back()
        return block

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        try:
            await self._reply.aclose()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


def _host_of(address: str) -> Host:
    loop = asyncio.get_running_loop()
    try:
        parts = urlsplit(address)
        return loop, parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return loop, "", address, 0  # no address: the carrier says so
