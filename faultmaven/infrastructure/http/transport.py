"""`HTTPTransport`: sends requests and returns replies or an `LLMError`. No other module awaits HTTP."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...domain.errors import ConfigurationError, LLMError, MalformedResponseError
from ...ports.clock import Clock
from ..configuration.settings import CarrierName, Settings
from ..event_loops import PerLoop
from ..optional.optional_dependencies import require_http2, require_httpx2
from .carrier import Carrier, CarrierReply, Progress
from .certificates import Certificates
from .connection_limit import LimitedCarrier, permit_error
from .failures import address_advice, blame_proxy, connect_seconds, timeout_error
from .lazy_import import import_in_thread
from .network import NetworkSettings, network_settings
from .types import WireReply, WireRequest

if TYPE_CHECKING:
    from .httpx_carrier.family import AnyClient

MAX_REPLY_BYTES = 32 * 1024 * 1024


def build_transport(clock: Clock, client: "AnyClient | None", settings: Settings) -> "HTTPTransport":
    """Return the transport that all providers of one configuration share; a passed-in client stays the host's.

    Raises:
        ConfigurationError: an invalid certificate path or proxy address, a carrier that is not installed.
    """
    network = network_settings(settings)
    certificates = Certificates(network.certificates, http2=network.http2)
    if client is None:
        _check_carrier(settings)
        if network.certificates:
            # Read now, so that a file without certificates is an error here and not at the first call. Later changes
            # of the file have no effect.
            _ = certificates.context
    return HTTPTransport(
        clock, client=client, network=network, certificates=certificates, carrier=settings.http_carrier
    )


class HTTPTransport:
    """Sends requests through one shared carrier per event loop.

    Every method ends within its `timeout`, so that callers need no timeout around it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        client: "AnyClient | None" = None,
        network: NetworkSettings | None = None,
        certificates: Certificates | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        wall_clock: Callable[[], float] = time.time,
        carrier: CarrierName = "auto",
    ) -> None:
        """Args:
        client: The host's client, used for every request and closed by the host.
        certificates: Trusted certificates for every event loop; None reads those of `network` at the first use.
        max_reply_bytes: A reply whose decoded body is larger is refused, so that no server fills the memory.
        wall_clock: Returns Unix seconds, for vendors' moments in replies without a `Date` header.
        carrier: The HTTP library where no client is passed in: "aiohttp", "httpx" or "httpx2"; "auto" is aiohttp in a
            tested version, else httpx. HTTP/2, if enabled in `network`, always uses httpx2.
        """
        self._clock = clock
        self._network = network or NetworkSettings()
        self._certificates = certificates or Certificates(self._network.certificates, http2=self._network.http2)
        self._max_reply_bytes = max_reply_bytes
        self._wall_clock = wall_clock
        self._carrier: CarrierName = "httpx2" if self._network.http2 else carrier
        self._client_lease = _Lease(self._limit(_wrap_client(client, self._network))) if client is not None else None
        self._carriers = PerLoop(lambda: _Lease(self._make_carrier()), _Lease.aclose)
        self._retired = False

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Send a request and return its complete reply, of any status, within `timeout` seconds.

        Raises:
            ProviderTimeoutError: with its phase, "connect", "first byte" or "body".
            ProviderUnavailableError: connection refused or reset, DNS, TLS.
            MalformedResponseError: not HTTP, undecodable, or larger than the limit.
            ProviderConfigurationError: the address is no URL.
        """
        lease, stream, progress = await self._acquire(), None, Progress()
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                stream = self._stream(sent, lease, await lease.carrier.open(sent, timeout, progress), started)
                return stream.with_body(await stream.rest())
        except TimeoutError:
            if stream is not None:
                raise timeout_error(sent, "body", timeout) from None
            raise self._no_reply_error(sent, progress, timeout) from None
        finally:
            await self._end(lease, stream)

    async def open(self, sent: WireRequest, timeout: float | None) -> "HTTPReplyStream":
        """Send a request and return its reply once the headers have arrived, within `timeout` seconds.

        Raises:
            LLMError: as `send` does, here and while the body is read.
        """
        lease, stream, progress = await self._acquire(), None, Progress()
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                stream = self._stream(sent, lease, await lease.carrier.open(sent, timeout, progress), started)
                return stream  # noqa: RET504 - the clauses below close it
        except TimeoutError:
            await self._end(lease, stream)  # the reply may have arrived in the same turn of the loop as the timeout
            raise self._no_reply_error(sent, progress, timeout) from None
        except BaseException:
            await self._end(lease, stream)
            raise

    async def aclose(self) -> None:
        """Close the running loop's connections; a client that the host passed in stays open."""
        await self._carriers.aclose()

    def retire(self) -> None:
        """Close each loop's connections as soon as no exchange is in flight there; any thread may call this.

        A call that started earlier may still send: it gets a connection, which is closed afterwards.
        """
        self._retired = True
        for loop in self._carriers.loops():
            with contextlib.suppress(RuntimeError):  # the loop has been closed, and its connections with it
                loop.call_soon_threadsafe(self._close_if_idle)

    @property
    def is_open(self) -> bool:
        """Whether any loop holds a carrier or is still closing one."""
        return bool(self.loops())

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the event loops that hold a carrier or are still closing one."""
        return self._carriers.loops()

    def _close_if_idle(self) -> None:
        lease = self._carriers.get_existing()
        if lease is not None and not lease.exchanges:
            self._carriers.close_soon()

    async def _acquire(self) -> "_Lease":
        """Return the running loop's carrier and count one more exchange in flight on it."""
        # Outside of any timeout: the first call imports the HTTP library, and its timeout does not include that.
        lease = self._client_lease or self._carriers.get_existing() or await self._first_lease()
        lease.exchanges += 1
        return lease

    async def _first_lease(self) -> "_Lease":
        await import_in_thread(_import_carrier, self._carrier)
        return await self._carriers.get()

    def _stream(self, sent: WireRequest, lease: "_Lease", reply: CarrierReply, started: float) -> "HTTPReplyStream":
        waited = self._clock.monotonic() - started
        head = WireReply(sent, reply.status, reply.headers, b"", waited, self._wall_clock())
        return HTTPReplyStream(self, reply, head, lease)

    async def _end(self, lease: "_Lease", stream: "HTTPReplyStream | None") -> None:
        if stream is None:
            self._release(lease)
        else:
            await stream.aclose()

    def _release(self, lease: "_Lease") -> None:
        lease.exchanges -= 1
        if self._retired:
            self._close_if_idle()

    def _no_reply_error(self, sent: WireRequest, progress: Progress, timeout: float | None) -> LLMError:
        """Return the error for a `timeout` that ended before the reply began."""
        limit = self._network.connections_per_host
        if progress.waits_for == "permit" and limit is not None:
            return permit_error(sent, connect_seconds(timeout), limit)
        if progress.waits_for == "connection":
            return blame_proxy(timeout_error(sent, "connect", connect_seconds(timeout)), sent, self._network)
        return timeout_error(sent, "first byte", timeout)

    def _too_large_error(self, sent: WireRequest, status: int) -> MalformedResponseError:
        problem, advice = f"the reply is larger than {self._max_reply_bytes} bytes", address_advice(sent)
        provider = sent.origin.provider
        return MalformedResponseError(problem, provider=provider, model=sent.model, status=status, advice=advice)

    def _make_carrier(self) -> Carrier:
        return self._limit(_import_carrier(self._carrier)(self._network, self._certificates))

    def _limit(self, carrier: Carrier) -> Carrier:
        limit = self._network.connections_per_host
        return carrier if limit is None else LimitedCarrier(carrier, limit, self._clock)


def _check_carrier(settings: Settings) -> None:
    """Raise a `ConfigurationError` unless the carrier is installed and supports the requested HTTP version."""
    if settings.http2 and settings.http_carrier in ("aiohttp", "httpx"):
        raise ConfigurationError(
            f"LLM_HTTP2=true: {settings.http_carrier} supports HTTP/1.1 only",
            advice="Set LLM_HTTP_CARRIER=httpx2, or leave LLM_HTTP_CARRIER out.",
        )
    if settings.http2:
        require_http2()
    elif settings.http_carrier == "httpx2":
        require_httpx2()


def _import_carrier(name: CarrierName) -> Callable[[NetworkSettings, Certificates], Carrier]:
    """Import the library of one carrier, and return the function that makes such a carrier."""
    # Imported here: each library is slow to import, and only one is used.
    if name in ("auto", "aiohttp"):
        from .aiohttp_carrier.carrier import AiohttpCarrier, is_tested_version

        if name == "aiohttp" or is_tested_version():
            return AiohttpCarrier
    from .httpx_carrier.carrier import HttpxCarrier
    from .httpx_carrier.family import httpx_family

    family = httpx_family("httpx2" if name == "httpx2" else "httpx")
    return functools.partial(HttpxCarrier.make, family)


def _wrap_client(client: "AnyClient", network: NetworkSettings) -> Carrier:
    from .httpx_carrier.carrier import HttpxCarrier

    return HttpxCarrier(client, network)


class HTTPReplyStream:
    """A reply of `HTTPTransport` whose body is read as it arrives."""

    __slots__ = ("_closed", "_lease", "_reply", "_size", "_transport", "head")

    def __init__(self, transport: HTTPTransport, reply: CarrierReply, head: WireReply, lease: "_Lease") -> None:
        self.head = head
        self._transport = transport
        self._reply = reply
        self._lease = lease
        self._size = 0
        self._closed = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; see `ReplyStream`."""
        block = await self._reply.read()
        self._size += len(block)
        if self._size > self._transport._max_reply_bytes:
            raise self._transport._too_large_error(self.head.request, self.head.status)
        return block

    async def rest(self) -> bytes:
        """Return the rest of the body."""
        block, blocks = await self.read(), []
        while block:
            blocks.append(block)
            block = await self.read()
        return b"".join(blocks)

    def with_body(self, body: bytes) -> WireReply:
        """Return the reply with `body`."""
        head = self.head
        return WireReply(head.request, head.status, head.headers, body, head.time_to_headers, head.received_at)

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool; see `ReplyStream`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._reply.aclose()
        finally:
            self._transport._release(self._lease)


class _Lease:
    """One event loop's carrier, and the number of exchanges in flight on it."""

    __slots__ = ("carrier", "exchanges")

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.exchanges = 0

    async def aclose(self) -> None:
        """Close the carrier and all its connections."""
        await self.carrier.aclose()
