"""The carrier over httpx or httpx2, which hosts and tests can replace: by a passed-in client, respx or a mock."""

import asyncio
import functools
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from ..carrier import Progress
from ..certificates import Certificates
from ..failures import address_error, blame_proxy, connect_seconds, loop_error, without_frames
from ..network import NetworkSettings
from ..types import WireRequest
from .connections import ClosingTransport, defer_cancellation
from .failures import httpx_error
from .family import HttpxFamily, family_of
from .streams import AbandonedStreams

if TYPE_CHECKING:
    import httpx

    from .family import AnyClient

# h11 refuses these; h2 sends them, and a gateway to HTTP/1.1 could split one header into two.
_FORBIDDEN_IN_HEADERS = re.compile(r"[\r\n\0]")


class HttpxCarrier:
    """A `Carrier` over one client of httpx or httpx2."""

    def __init__(self, client: "AnyClient", network: NetworkSettings) -> None:
        self.client = cast("httpx.AsyncClient", client)  # httpx2's client has the same methods
        self.family = family_of(client)
        self.abandoned_streams = AbandonedStreams(self.family, client)
        self._network = network
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def make(cls, family: HttpxFamily, network: NetworkSettings, certificates: Certificates) -> "HttpxCarrier":
        """Return a carrier with a new client."""
        return cls(_create_client(family, network, certificates), network)

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "HttpxReply":
        """Return the reply once its headers have arrived; see `Carrier`."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if any(_FORBIDDEN_IN_HEADERS.search(text) for header in sent.headers.items() for text in header):
            raise address_error(sent)
        try:
            request = self.client.build_request(
                sent.method,
                sent.url,
                headers=sent.headers,
                content=sent.body if sent.method == "POST" else None,
                timeout=self.family.httpx.Timeout(None, connect=connect_seconds(timeout)),
                extensions={"trace": _trace_to(progress)},
            )
            response = await defer_cancellation(self._send(request))
        except self.family.failures as error:
            is_other_loop = isinstance(error, RuntimeError) and loop is not self._loop
            failure = httpx_error(self.family.httpx, sent, error, "first byte", timeout)
            mapped = loop_error(sent) if is_other_loop else failure
            raise blame_proxy(mapped, sent, self._network) from without_frames(error)
        return HttpxReply(self, sent, response)

    async def _send(self, request: "httpx.Request") -> "httpx.Response":
        try:
            return await self.client.send(request, stream=True, follow_redirects=False)
        except BaseException:
            self.abandoned_streams.reset()
            raise

    async def aclose(self) -> None:
        """Close the client and all its connections."""
        await defer_cancellation(self.client.aclose())


class HttpxReply:
    """A `CarrierReply` over httpx or httpx2."""

    def __init__(self, carrier: HttpxCarrier, sent: WireRequest, response: "httpx.Response") -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._carrier = carrier
        self._sent = sent
        self._response = response
        self._blocks = response.aiter_bytes()
        self._has_ended = False

    async def read(self) -> bytes:
        """Return the next bytes; see `CarrierReply`."""
        try:
            return await defer_cancellation(self._next())
        except self._carrier.family.failures as error:
            raise httpx_error(self._carrier.family.httpx, self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool."""
        await defer_cancellation(self._close())

    async def _close(self) -> None:
        await self._response.aclose()
        if not self._has_ended:
            self._carrier.abandoned_streams.reset()

    async def _next(self) -> bytes:
        async for block in self._blocks:
            if block:
                return block
        self._has_ended = True
        return b""


def _trace_to(progress: Progress) -> Callable[[str, Any], Awaitable[None]]:
    """Return a `trace` extension of httpcore that updates `progress` at connecting and sending.

    A client without httpcore, such as a mock, calls no trace: the request counts as sent from the beginning.
    """

    async def trace(event: str, info: Any) -> None:
        if event.endswith((".connect_tcp.started", ".connect_unix_socket.started", ".start_tls.started")):
            progress.waits_for = "connection"
        # CONNECT requests a tunnel from a proxy, and is a part of connecting.
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            progress.waits_for = "reply"

    return trace


def _create_client(family: HttpxFamily, network: NetworkSettings, certificates: Certificates) -> "AnyClient":
    package = family.httpx
    # No limit of connections: all providers share the pool, and a slow provider must never block another.
    limits = package.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=network.keep_alive)
    context = certificates.context
    create_transport = functools.partial(ClosingTransport, family, context, limits, http2=network.http2)
    mounts = {
        pattern: create_transport(proxy=_create_proxy(family, proxy, context)) if proxy else None
        for pattern, proxy in network.proxies.mounts().items()
    }
    client: AnyClient = package.AsyncClient(
        transport=create_transport(),
        trust_env=False,
        mounts=mounts,
        timeout=package.Timeout(None),
        follow_redirects=False,
    )
    return client


def _create_proxy(family: HttpxFamily, address: str, context: ssl.SSLContext) -> "httpx.Proxy":
    """Return a proxy that trusts the same certificates as a vendor; httpcore accepts no context for plain HTTP."""
    proxy: httpx.Proxy = family.httpx.Proxy(address, ssl_context=context if address.startswith("https:") else None)
    return proxy
