"""HTTPTransport: the one place that awaits httpx. Bytes out, bytes back, or a typed error."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import replace

import httpx

from faultmaven.domain.errors import LLMError, MalformedResponseError
from faultmaven.infrastructure.event_loops import PerLoop
from faultmaven.infrastructure.http.certificates import ssl_context
from faultmaven.infrastructure.http.connections import ClosingTransport, cancelled_in_waits_only
from faultmaven.infrastructure.http.failures import (
    FAILURES,
    address_advice,
    timeout_error,
    timeouts,
    transport_error,
    without_frames,
)
from faultmaven.infrastructure.http.network import NetworkSettings, network_settings
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.settings import Settings
from faultmaven.ports.clock import Clock

MAX_REPLY_BYTES = 32 * 1024 * 1024


def build_transport(clock: Clock, client: httpx.AsyncClient | None, settings: Settings) -> "HTTPTransport":
    """Return the transport that all providers of one configuration share; a passed-in client stays the host's.

    Raises:
        ConfigurationError: a certificate path or a proxy that is none.
    """
    network = network_settings(settings)
    # A file without certificates is told now, and not by the first call; what becomes of it later changes nothing.
    certificates = ssl_context(network.certificates) if network.certificates and client is None else None
    return HTTPTransport(clock, client=client, network=network, certificates=certificates)


class HTTPTransport:
    """Sends wire requests through one shared httpx client per event loop."""

    def __init__(
        self,
        clock: Clock,
        *,
        client: httpx.AsyncClient | None = None,
        network: NetworkSettings | None = None,
        certificates: ssl.SSLContext | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Args:
        client: A client of the host's, used for everything and closed by the host.
        certificates: What is trusted, in every event loop; None reads what `network` names at the first use.
        max_reply_bytes: A reply whose decoded body is larger is refused, so that no server fills the memory.
        wall_clock: Gives Unix seconds: a moment that a vendor names without a `Date` beside it is measured by it.
        """
        self._clock = clock
        self._given = _LoopClient(client) if client is not None else None
        self._network = network or NetworkSettings()
        self._certificates = certificates
        self._max_reply_bytes = max_reply_bytes
        self._wall_clock = wall_clock
        self._clients = PerLoop(lambda: _LoopClient(self._make_client()), _LoopClient.aclose)
        self._retired = False

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Return the whole reply to `sent`, whatever its status, within `timeout` seconds.

        Raises:
            ProviderTimeoutError: with its phase, "connect", "first byte" or "body".
            ProviderUnavailableError: refused, reset, DNS, TLS.
            MalformedResponseError: not HTTP, undecodable, or larger than the limit.
            ProviderConfigurationError: the address is no URL.
        """
        progress = _Progress(self._clock.monotonic())
        try:
            async with self._clock.timeout(timeout):
                return await cancelled_in_waits_only(self._exchange(sent, timeout, progress))
        except TimeoutError:
            raise timeout_error(sent, progress.phase, timeout) from None
        except FAILURES as error:
            raise self._failure(sent, error, progress.phase, timeout) from without_frames(error)

    async def open(self, sent: WireRequest, timeout: float | None) -> "HTTPReplyStream":
        """Return the reply to `sent` once its headers are there, within `timeout` seconds; its body is still to come.

        Raises:
            LLMError: as `send` does, here and while the body is read.
        """
        progress = _Progress(self._clock.monotonic())
        try:
            async with self._clock.timeout(timeout):
                return await cancelled_in_waits_only(self._opened(sent, timeout, progress))
        except TimeoutError:
            await progress.close()
            raise timeout_error(sent, progress.phase, timeout) from None
        except FAILURES as error:
            raise self._failure(sent, error, progress.phase, timeout) from without_frames(error)
        except asyncio.CancelledError:
            await progress.close()
            raise

    def _failure(self, sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
        mapped = transport_error(sent, error, phase, timeout)
        proxy = self._network.proxies.variable_for(sent.url)
        if proxy and mapped.phase in ("connect", "dns"):
            mapped.problem = f"the proxy cannot be reached: {mapped.problem}"
            mapped.advice = f"Check {proxy} and NO_PROXY."
        return mapped

    async def aclose(self) -> None:
        """Close the running loop's connections; a client that the host passed in stays open."""
        await self._clients.aclose()

    def retire(self) -> None:
        """Close each loop's connections as soon as nothing is under way there; any thread may call this.

        A call that began before may still send: it gets a connection, which is closed after it.
        """
        self._retired = True
        for loop in self._clients.loops():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, and its connections with it
                loop.call_soon_threadsafe(self._close_if_idle)

    @property
    def is_open(self) -> bool:
        """Whether any loop holds a client or is still closing one."""
        return bool(self.loops())

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the event loops that hold a client or are still closing one."""
        return self._clients.loops()

    def _close_if_idle(self) -> None:
        held = self._clients.here()
        if held is not None and not held.exchanges:
            self._clients.close_soon()

    async def _exchange(self, sent: WireRequest, timeout: float | None, progress: "_Progress") -> WireReply:
        stream = await self._opened(sent, timeout, progress)
        progress.phase = "body"
        try:
            return replace(stream.head, body=await stream.rest())
        finally:
            await stream.aclose()

    async def _opened(self, sent: WireRequest, timeout: float | None, progress: "_Progress") -> "HTTPReplyStream":
        held = self._given or await self._clients.get()
        held.exchanges += 1
        try:
            request = held.client.build_request(
                sent.method,
                sent.url,
                headers=sent.headers,
                content=sent.body if sent.method == "POST" else None,
                timeout=timeouts(timeout),
            )
            response = await held.client.send(request, stream=True, follow_redirects=False)
        except BaseException:
            self._release(held)
            raise
        waited = self._clock.monotonic() - progress.started
        head = WireReply(sent, response.status_code, response.headers, b"", waited, self._wall_clock())
        progress.opened = HTTPReplyStream(self, response, head, held)
        return progress.opened

    def _release(self, held: "_LoopClient") -> None:
        held.exchanges -= 1
        if self._retired:
            self._close_if_idle()

    def _too_large(self, sent: WireRequest, status: int) -> MalformedResponseError:
        problem, advice = f"the reply is larger than {self._max_reply_bytes} bytes", address_advice(sent)
        who = sent.origin.provider
        return MalformedResponseError(problem, provider=who, model=sent.model, status=status, advice=advice)

    def _make_client(self) -> httpx.AsyncClient:
        if self._certificates is None:
            self._certificates = ssl_context(self._network.certificates)
        context = self._certificates
        # No cap on connections: the pool is shared by all providers, and a slow one must never block another.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
        mounts = {
            pattern: ClosingTransport(context, limits, proxy) if proxy else None
            for pattern, proxy in self._network.proxies.mounts().items()
        }
        return httpx.AsyncClient(
            transport=ClosingTransport(context, limits),
            trust_env=False,
            mounts=mounts,
            timeout=timeouts(None),
            follow_redirects=False,
        )


class HTTPReplyStream:
    """A reply of `HTTPTransport` whose body is read as it comes."""

    def __init__(
        self, transport: HTTPTransport, response: httpx.Response, head: WireReply, held: "_LoopClient"
    ) -> None:
        self.head = head
        self._transport = transport
        self._response = response
        self._blocks = response.aiter_bytes()
        self._held = held
        self._size = 0
        self._closed = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; see `ReplyStream`."""
        try:
            return await cancelled_in_waits_only(self._next())
        except FAILURES as error:
            raise self._transport._failure(self.head.request, error, "body", None) from without_frames(error)

    async def rest(self) -> bytes:
        """Return the whole body; what httpx raises is not mapped here."""
        blocks: list[bytes] = []
        while block := await self._next():
            blocks.append(block)
        return b"".join(blocks)

    async def aclose(self) -> None:
        """Close the connection, or give it back; see `ReplyStream`."""
        if self._closed:
            return
        self._closed = True
        try:
            await cancelled_in_waits_only(self._response.aclose())
        finally:
            self._transport._release(self._held)

    async def _next(self) -> bytes:
        async for block in self._blocks:
            self._size += len(block)
            if self._size > self._transport._max_reply_bytes:
                raise self._transport._too_large(self.head.request, self.head.status)
            if block:
                return block
        return b""


class _LoopClient:
    """One event loop's client, and how many exchanges are under way on it."""

    __slots__ = ("client", "exchanges")

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.exchanges = 0

    async def aclose(self) -> None:
        """Close the client with all its connections."""
        await cancelled_in_waits_only(self.client.aclose())


class _Progress:
    """How far an exchange came: a timeout says in which phase it struck, and what was opened by then is closed."""

    __slots__ = ("opened", "phase", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.phase = "first byte"
        self.opened: HTTPReplyStream | None = None

    async def close(self) -> None:
        """Close the reply that came in the very turn in which nobody waited for it any more."""
        if self.opened is not None:
            await self.opened.aclose()
