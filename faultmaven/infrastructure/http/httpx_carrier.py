"""The carrier over httpx, the seam that hosts and tests see: a passed-in client, respx and mocks work through it."""

import asyncio
import ssl

import httpx

from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.failures import blaming_the_proxy, connect_seconds, loop_error, without_frames
from faultmaven.infrastructure.http.httpx_connections import ClosingTransport, cancelled_in_waits_only
from faultmaven.infrastructure.http.httpx_failures import HTTPX_FAILURES, httpx_error
from faultmaven.infrastructure.http.network import NetworkSettings
from faultmaven.infrastructure.http.types import WireRequest


class HttpxCarrier:
    """A `Carrier` over one httpx client."""

    def __init__(self, client: httpx.AsyncClient, network: NetworkSettings) -> None:
        self.client = client
        self._network = network
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def make(cls, network: NetworkSettings, certificates: Certificates) -> "HttpxCarrier":
        """Return a carrier with a client of its own."""
        return cls(_client(network, certificates), network)

    async def open(self, sent: WireRequest, timeout: float | None) -> "HttpxReply":
        """Return the reply once its headers are there; see `Carrier`."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        try:
            request = self.client.build_request(
                sent.method,
                sent.url,
                headers=sent.headers,
                content=sent.body if sent.method == "POST" else None,
                timeout=httpx.Timeout(None, connect=connect_seconds(timeout)),
            )
            sending = self.client.send(request, stream=True, follow_redirects=False)
            response = await cancelled_in_waits_only(sending)
        except HTTPX_FAILURES as error:
            is_elsewhere = isinstance(error, RuntimeError) and loop is not self._loop
            mapped = loop_error(sent) if is_elsewhere else httpx_error(sent, error, "first byte", timeout)
            raise blaming_the_proxy(mapped, sent, self._network) from without_frames(error)
        return HttpxReply(sent, response)

    async def aclose(self) -> None:
        """Close the client with all its connections."""
        await cancelled_in_waits_only(self.client.aclose())


class HttpxReply:
    """A `CarriedReply` over httpx."""

    def __init__(self, sent: WireRequest, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._sent = sent
        self._response = response
        self._blocks = response.aiter_bytes()

    async def read(self) -> bytes:
        """Return the next bytes; see `CarriedReply`."""
        try:
            return await cancelled_in_waits_only(self._next())
        except HTTPX_FAILURES as error:
            raise httpx_error(self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        await cancelled_in_waits_only(self._response.aclose())

    async def _next(self) -> bytes:
        async for block in self._blocks:
            if block:
                return block
        return b""


def _client(network: NetworkSettings, certificates: Certificates) -> httpx.AsyncClient:
    context = certificates.context
    # No cap on connections: the pool is shared by all providers, and a slow one must never block another.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=network.keep_alive)
    mounts = {
        pattern: ClosingTransport(context, limits, _via(proxy, context)) if proxy else None
        for pattern, proxy in network.proxies.mounts().items()
    }
    return httpx.AsyncClient(
        transport=ClosingTransport(context, limits),
        trust_env=False,
        mounts=mounts,
        timeout=httpx.Timeout(None),
        follow_redirects=False,
    )


def _via(proxy: str, context: ssl.SSLContext) -> httpx.Proxy:
    """Return a proxy of which the same is trusted as of a vendor; httpcore takes nothing to trust for plain HTTP."""
    return httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None)
