"""The carrier over httpx, the seam that hosts and tests see: a passed-in client, respx and mocks work through it."""

import asyncio
import functools
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from faultmaven.infrastructure.http.carrier import Progress
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.failures import (
    address_error,
    blaming_the_proxy,
    connect_seconds,
    loop_error,
    without_frames,
)
from faultmaven.infrastructure.http.httpx_connections import ClosingTransport, cancelled_in_waits_only
from faultmaven.infrastructure.http.httpx_failures import httpx_error
from faultmaven.infrastructure.http.httpx_family import HttpxFamily, family_of
from faultmaven.infrastructure.http.httpx_streams import LeftStreams
from faultmaven.infrastructure.http.network import NetworkSettings
from faultmaven.infrastructure.http.types import WireRequest

if TYPE_CHECKING:
    import httpx

    from faultmaven.infrastructure.http.httpx_family import AnyClient

# h11 refuses these; h2 sends them, and a gateway to HTTP/1.1 could make two headers of one.
_BREAKS_A_HEADER = re.compile(r"[\r\n\0]")


class HttpxCarrier:
    """A `Carrier` over one client of httpx or httpx2."""

    def __init__(self, client: "AnyClient", network: NetworkSettings) -> None:
        self.client = cast("httpx.AsyncClient", client)  # whatever is used here is the same in both
        self.family = family_of(client)
        self.left_streams = LeftStreams(self.family, client)
        self._network = network
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def make(cls, family: HttpxFamily, network: NetworkSettings, certificates: Certificates) -> "HttpxCarrier":
        """Return a carrier with a client of its own."""
        return cls(_client(family, network, certificates), network)

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "HttpxReply":
        """Return the reply once its headers are there; see `Carrier`."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if any(_BREAKS_A_HEADER.search(text) for header in sent.headers.items() for text in header):
            raise address_error(sent)
        try:
            request = self.client.build_request(
                sent.method,
                sent.url,
                headers=sent.headers,
                content=sent.body if sent.method == "POST" else None,
                timeout=self.family.httpx.Timeout(None, connect=connect_seconds(timeout)),
                extensions={"trace": _noting(progress)},
            )
            response = await cancelled_in_waits_only(self._sent(request))
        except self.family.failures as error:
            is_elsewhere = isinstance(error, RuntimeError) and loop is not self._loop
            told = httpx_error(self.family.httpx, sent, error, "first byte", timeout)
            mapped = loop_error(sent) if is_elsewhere else told
            raise blaming_the_proxy(mapped, sent, self._network) from without_frames(error)
        return HttpxReply(self, sent, response)

    async def _sent(self, request: "httpx.Request") -> "httpx.Response":
        try:
            return await self.client.send(request, stream=True, follow_redirects=False)
        except BaseException:
            self.left_streams.reset()
            raise

    async def aclose(self) -> None:
        """Close the client with all its connections."""
        await cancelled_in_waits_only(self.client.aclose())


class HttpxReply:
    """A `CarriedReply` over httpx or httpx2."""

    def __init__(self, carrier: HttpxCarrier, sent: WireRequest, response: "httpx.Response") -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._carrier = carrier
        self._sent = sent
        self._response = response
        self._blocks = response.aiter_bytes()
        self._has_ended = False

    async def read(self) -> bytes:
        """Return the next bytes; see `CarriedReply`."""
        try:
            return await cancelled_in_waits_only(self._next())
        except self._carrier.family.failures as error:
            raise httpx_error(self._carrier.family.httpx, self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        await cancelled_in_waits_only(self._close())

    async def _close(self) -> None:
        await self._response.aclose()
        if not self._has_ended:
            self._carrier.left_streams.reset()

    async def _next(self) -> bytes:
        async for block in self._blocks:
            if block:
                return block
        self._has_ended = True
        return b""


def _noting(progress: Progress) -> Callable[[str, Any], Awaitable[None]]:
    """Return a `trace` extension of httpcore that notes in `progress` whether the connection is there.

    A client without httpcore below it, such as a mock, calls no trace: the request counts as sent from the beginning.
    """

    async def note(event: str, info: Any) -> None:
        if event.endswith((".connect_tcp.started", ".connect_unix_socket.started", ".start_tls.started")):
            progress.waits_for = "connection"
        # CONNECT asks a proxy for a tunnel, and is a part of connecting.
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            progress.waits_for = "reply"

    return note


def _client(family: HttpxFamily, network: NetworkSettings, certificates: Certificates) -> "AnyClient":
    package = family.httpx
    # No cap on connections: the pool is shared by all providers, and a slow one must never block another.
    limits = package.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=network.keep_alive)
    context = certificates.context
    made = functools.partial(ClosingTransport, family, context, limits, http2=network.http2)
    mounts = {
        pattern: made(proxy=_via(family, proxy, context)) if proxy else None
        for pattern, proxy in network.proxies.mounts().items()
    }
    client: AnyClient = package.AsyncClient(
        transport=made(),
        trust_env=False,
        mounts=mounts,
        timeout=package.Timeout(None),
        follow_redirects=False,
    )
    return client


def _via(family: HttpxFamily, proxy: str, context: ssl.SSLContext) -> "httpx.Proxy":
    """Return a proxy of which the same is trusted as of a vendor; httpcore takes nothing to trust for plain HTTP."""
    via: httpx.Proxy = family.httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None)
    return via
