"""HTTPTransport: the one place that awaits HTTP. Bytes out, bytes back, or a typed error."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from faultmaven.domain.errors import ConfigurationError, LLMError, MalformedResponseError
from faultmaven.infrastructure.event_loops import PerLoop
from faultmaven.infrastructure.extras import require_http2, require_httpx2
from faultmaven.infrastructure.http.carrier import CarriedReply, Carrier, Progress
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.connection_limit import LimitedCarrier, permit_error
from faultmaven.infrastructure.http.failures import address_advice, blaming_the_proxy, connect_seconds, timeout_error
from faultmaven.infrastructure.http.loading import loaded
from faultmaven.infrastructure.http.network import NetworkSettings, network_settings
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.settings import CarrierName, Settings
from faultmaven.ports.clock import Clock

if TYPE_CHECKING:
    from faultmaven.infrastructure.http.httpx_family import AnyClient

MAX_REPLY_BYTES = 32 * 1024 * 1024


def build_transport(clock: Clock, client: "AnyClient | None", settings: Settings) -> "HTTPTransport":
    """Return the transport that all providers of one configuration share; a passed-in client stays the host's.

    Raises:
        ConfigurationError: a certificate path or a proxy that is none, a carrier that is not installed.
    """
    network = network_settings(settings)
    certificates = Certificates(network.certificates, http2=network.http2)
    if client is None:
        _check_carrier(settings)
        if network.certificates:
            # A file without certificates is told now, and not by the first call. What becomes of it later changes
            # nothing.
            _ = certificates.context
    return HTTPTransport(
        clock, client=client, network=network, certificates=certificates, carrier=settings.http_carrier
    )


class HTTPTransport:
    """Sends wire requests through one shared carrier per event loop.

    Attributes:
        keeps_time: Whatever it does ends within the time that it is given.
    """

    keeps_time = True

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
        client: A client of the host's, used for everything and closed by the host.
        certificates: What is trusted, in every event loop; None reads what `network` names at the first use.
        max_reply_bytes: A reply whose decoded body is larger is refused, so that no server fills the memory.
        wall_clock: Gives Unix seconds: a moment that a vendor names without a `Date` beside it is measured by it.
        carrier: What carries bytes where no client is passed in: "aiohttp", "httpx" or "httpx2"; "auto" is aiohttp
            in a version that this was tried with, else httpx. HTTP/2, where `network` has it, is httpx2's.
        """
        self._clock = clock
        self._network = network or NetworkSettings()
        self._certificates = certificates or Certificates(self._network.certificates, http2=self._network.http2)
        self._max_reply_bytes = max_reply_bytes
        self._wall_clock = wall_clock
        self._carrier: CarrierName = "httpx2" if self._network.http2 else carrier
        self._given = _Held(self._limited(_over(client, self._network))) if client is not None else None
        self._carriers = PerLoop(lambda: _Held(self._make_carrier()), _Held.aclose)
        self._retired = False

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Return the whole reply to `sent`, whatever its status, within `timeout` seconds.

        Raises:
            ProviderTimeoutError: with its phase, "connect", "first byte" or "body".
            ProviderUnavailableError: refused, reset, DNS, TLS.
            MalformedResponseError: not HTTP, undecodable, or larger than the limit.
            ProviderConfigurationError: the address is no URL.
        """
        held, stream, progress = await self._held(), None, Progress()
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                stream = self._stream(sent, held, await held.carrier.open(sent, timeout, progress), started)
                return stream.with_body(await stream.rest())
        except TimeoutError:
            if stream is not None:
                raise timeout_error(sent, "body", timeout) from None
            raise self._no_reply(sent, progress, timeout) from None
        finally:
            await self._ended(held, stream)

    async def open(self, sent: WireRequest, timeout: float | None) -> "HTTPReplyStream":
        """Return the reply to `sent` once its headers are there, within `timeout` seconds; its body is still to come.

        Raises:
            LLMError: as `send` does, here and while the body is read.
        """
        held, stream, progress = await self._held(), None, Progress()
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(timeout):
                stream = self._stream(sent, held, await held.carrier.open(sent, timeout, progress), started)
                return stream  # noqa: RET504 - the clauses below close it
        except TimeoutError:
            await self._ended(held, stream)  # it may have come in the very turn in which nobody waited any more
            raise self._no_reply(sent, progress, timeout) from None
        except BaseException:
            await self._ended(held, stream)
            raise

    async def aclose(self) -> None:
        """Close the running loop's connections; a client that the host passed in stays open."""
        await self._carriers.aclose()

    def retire(self) -> None:
        """Close each loop's connections as soon as nothing is under way there; any thread may call this.

        A call that began before may still send: it gets a connection, which is closed after it.
        """
        self._retired = True
        for loop in self._carriers.loops():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, and its connections with it
                loop.call_soon_threadsafe(self._close_if_idle)

    @property
    def is_open(self) -> bool:
        """Whether any loop holds a carrier or is still closing one."""
        return bool(self.loops())

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the event loops that hold a carrier or are still closing one."""
        return self._carriers.loops()

    def _close_if_idle(self) -> None:
        held = self._carriers.here()
        if held is not None and not held.exchanges:
            self._carriers.close_soon()

    async def _held(self) -> "_Held":
        """Return the running loop's carrier, with one exchange more under way on it."""
        # Outside of any timeout: the first call loads what carries it, and has its whole time none the less.
        held = self._given or self._carriers.here() or await self._first_held()
        held.exchanges += 1
        return held

    async def _first_held(self) -> "_Held":
        await loaded(_carrier_maker, self._carrier)
        return await self._carriers.get()

    def _stream(self, sent: WireRequest, held: "_Held", reply: CarriedReply, started: float) -> "HTTPReplyStream":
        waited = self._clock.monotonic() - started
        head = WireReply(sent, reply.status, reply.headers, b"", waited, self._wall_clock())
        return HTTPReplyStream(self, reply, head, held)

    async def _ended(self, held: "_Held", stream: "HTTPReplyStream | None") -> None:
        if stream is None:
            self._release(held)
        else:
            await stream.aclose()

    def _release(self, held: "_Held") -> None:
        held.exchanges -= 1
        if self._retired:
            self._close_if_idle()

    def _no_reply(self, sent: WireRequest, progress: Progress, timeout: float | None) -> LLMError:
        """Return the error for a `timeout` that ended before the reply began."""
        limit = self._network.connections_per_host
        if progress.waits_for == "permit" and limit is not None:
            return permit_error(sent, connect_seconds(timeout), limit)
        if progress.waits_for == "connection":
            return blaming_the_proxy(timeout_error(sent, "connect", connect_seconds(timeout)), sent, self._network)
        return timeout_error(sent, "first byte", timeout)

    def _too_large(self, sent: WireRequest, status: int) -> MalformedResponseError:
        problem, advice = f"the reply is larger than {self._max_reply_bytes} bytes", address_advice(sent)
        who = sent.origin.provider
        return MalformedResponseError(problem, provider=who, model=sent.model, status=status, advice=advice)

    def _make_carrier(self) -> Carrier:
        return self._limited(_carrier_maker(self._carrier)(self._network, self._certificates))

    def _limited(self, carrier: Carrier) -> Carrier:
        limit = self._network.connections_per_host
        return carrier if limit is None else LimitedCarrier(carrier, limit, self._clock)


def _check_carrier(settings: Settings) -> None:
    """Raise a `ConfigurationError` where what carries is not installed, or does not speak what is wanted."""
    if settings.http2 and settings.http_carrier in ("aiohttp", "httpx"):
        raise ConfigurationError(
            f"LLM_HTTP2=true: {settings.http_carrier} carries HTTP/1.1 only here",
            advice="Set LLM_HTTP_CARRIER=httpx2, or leave it out.",
        )
    if settings.http2:
        require_http2()
    elif settings.http_carrier == "httpx2":
        require_httpx2()


def _carrier_maker(name: CarrierName) -> Callable[[NetworkSettings, Certificates], Carrier]:
    # Imported here: each takes its time, and one of them is enough.
    if name in ("auto", "aiohttp"):
        from faultmaven.infrastructure.http.aiohttp_carrier import AiohttpCarrier, is_tried

        if name == "aiohttp" or is_tried():
            return AiohttpCarrier
    from faultmaven.infrastructure.http.httpx_carrier import HttpxCarrier
    from faultmaven.infrastructure.http.httpx_family import httpx_family

    family = httpx_family("httpx2" if name == "httpx2" else "httpx")
    return functools.partial(HttpxCarrier.make, family)


def _over(client: "AnyClient", network: NetworkSettings) -> Carrier:
    from faultmaven.infrastructure.http.httpx_carrier import HttpxCarrier

    return HttpxCarrier(client, network)


class HTTPReplyStream:
    """A reply of `HTTPTransport` whose body is read as it comes."""

    __slots__ = ("_closed", "_held", "_reply", "_size", "_transport", "head")

    def __init__(self, transport: HTTPTransport, reply: CarriedReply, head: WireReply, held: "_Held") -> None:
        self.head = head
        self._transport = transport
        self._reply = reply
        self._held = held
        self._size = 0
        self._closed = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; see `ReplyStream`."""
        block = await self._reply.read()
        self._size += len(block)
        if self._size > self._transport._max_reply_bytes:
            raise self._transport._too_large(self.head.request, self.head.status)
        return block

    async def rest(self) -> bytes:
        """Return the whole body."""
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
        """Close the connection, or give it back; see `ReplyStream`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._reply.aclose()
        finally:
            self._transport._release(self._held)


class _Held:
    """One event loop's carrier, and how many exchanges are under way on it."""

    __slots__ = ("carrier", "exchanges")

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.exchanges = 0

    async def aclose(self) -> None:
        """Close the carrier with all its connections."""
        await self.carrier.aclose()
