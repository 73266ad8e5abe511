"""The carrier over aiohttp, the default when no client is passed in.

The carrier uses aiohttp's pool of connections and parser without a `ClientSession`. A session adds cookies, redirects,
timers and a task for each request's body; none is needed here, and together they take half of a call's time.
"""

import asyncio
import functools
import ssl
import weakref
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from ..carrier import Progress
from ..certificates import Certificates
from ..failures import (
    blame_proxy,
    connect_error,
    connect_seconds,
    has_cause,
    proxy_error,
    timeout_error,
    without_frames,
)
from ..network import NetworkSettings
from ..types import Headers, WireRequest
from .connections import ConnectionProtocol, close_connections
from .failures import AIOHTTP_FAILURES, aiohttp_error
from .requests import Endpoint, build_endpoint, encode_head
from .resolver import Resolver

if TYPE_CHECKING:
    from ....domain.errors import LLMError

TESTED_VERSIONS = ("3.14",)
"""Minor versions of aiohttp. Others may change the parts of its pool and parser that are used without a session."""

MAX_ENDPOINTS = 500
MAX_HEADER_BYTES = 100 * 1024
MAX_HEADERS = 500
MAX_JOINED_BYTES = 64 * 1024
"""A body up to this size is written together with its head, as one packet where it fits; a larger one is not copied."""


def is_tested_version() -> bool:
    """Return whether this carrier was tested with the installed version of aiohttp."""
    return ".".join(aiohttp.__version__.split(".")[:2]) in TESTED_VERSIONS


class AiohttpCarrier:
    """A `Carrier` over one connector: a pool of HTTP/1.1 connections without a limit, for all hosts.

    There is no limit because a slow vendor must never block another, and 500 concurrent calls must not queue.
    `LimitedCarrier` adds a limit per host.
    """

    def __init__(self, network: NetworkSettings, certificates: Certificates) -> None:
        self._network = network
        self._certificates = certificates
        self._endpoints: dict[str, Endpoint] = {}
        self._connections: weakref.WeakSet[ConnectionProtocol] = weakref.WeakSet()
        self._resolver = Resolver()
        self._connector = _connector(self._resolver, self._connections, network.keep_alive)

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "AiohttpReply":
        """Return the reply once its headers have arrived; see `Carrier`."""
        try:
            endpoint = self._endpoints.get(sent.url) or self._add_endpoint(sent.url)
            progress.waits_for = "connection"
            connection = await self._connect(sent, endpoint, timeout)
            progress.waits_for = "reply"
            try:
                protocol = _write(connection, sent, endpoint)
                message, content = await protocol.read()
                while _is_interim(message):
                    message, content = await protocol.read()
            except BaseException:
                connection.close()
                raise
        except AIOHTTP_FAILURES as error:
            mapped = aiohttp_error(sent, error, "first byte", timeout)
            raise blame_proxy(mapped, sent, self._network) from without_frames(error)
        return AiohttpReply(sent, connection, message, content)

    async def aclose(self) -> None:
        """Close all connections."""
        try:
            await self._connector.close()
            await close_connections(self._connections)
        finally:
            await self._resolver.close()

    async def _connect(
        self, sent: WireRequest, endpoint: Endpoint, timeout: float | None
    ) -> aiohttp.connector.Connection:
        try:
            return await self._connector.connect(endpoint.template, [], _connect_timeout(connect_seconds(timeout)))
        except TimeoutError:
            mapped: LLMError = timeout_error(sent, "connect", connect_seconds(timeout))
        except aiohttp.ClientHttpProxyError:
            mapped = proxy_error(sent)  # without the cause, which shows the headers sent to the proxy
        except aiohttp.ClientConnectionError as error:
            # Before Python 3.12, asyncio itself fails on a broken handshake of TLS inside TLS, so that aiohttp raises
            # none of its own errors for a failed connection.
            if isinstance(error, aiohttp.ClientConnectorError) or not has_cause(error, ssl.SSLError):
                raise
            raise connect_error(sent, error) from without_frames(error)
        raise blame_proxy(mapped, sent, self._network)

    def _add_endpoint(self, address: str) -> Endpoint:
        if len(self._endpoints) >= MAX_ENDPOINTS:  # images may come from any number of addresses
            self._endpoints.clear()
        proxy = self._network.proxies.address_for(address)
        endpoint = self._endpoints[address] = build_endpoint(address, proxy, self._certificates)
        return endpoint


class AiohttpReply:
    """A `CarrierReply` over aiohttp. The connection returns to the pool as soon as the body has ended."""

    __slots__ = ("_connection", "_content", "_sent", "headers", "status")

    def __init__(
        self,
        sent: WireRequest,
        connection: aiohttp.connector.Connection,
        message: RawResponseMessage,
        content: StreamReader,
    ) -> None:
        self.status = message.code
        self.headers = _read_headers(message)
        self._sent = sent
        self._connection: aiohttp.connector.Connection | None = connection
        self._content = content
        content.on_eof(self._release)

    async def read(self) -> bytes:
        """Return the next bytes; see `CarrierReply`."""
        try:
            return await self._content.readany()
        except AIOHTTP_FAILURES as error:
            raise aiohttp_error(self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection unless the body has ended."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._content.set_exception(aiohttp.ClientConnectionError("the reply was closed"))

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.transport is not None and connection.transport.get_write_buffer_size():
            connection.close()  # the server replied before it had read the whole request
        else:
            connection.release()


def _write(connection: aiohttp.connector.Connection, sent: WireRequest, endpoint: Endpoint) -> ResponseHandler:
    """Write a request, and return the protocol that receives the reply.

    Not a coroutine: the frame of a waiting one would hold the bytes of key and prompt in locals, which tracebacks show.
    """
    head, body = encode_head(sent, endpoint), sent.body
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )
    if len(body) <= MAX_JOINED_BYTES:
        transport.write(head + body)
    else:
        transport.write(head)
        transport.write(body)
    return protocol


def _is_interim(message: RawResponseMessage) -> bool:
    """Return whether another reply to the same request follows.

    Raises:
        HttpProcessingError: the server switches to another protocol, which no request here offers.
    """
    if message.code == 101:
        raise HttpProcessingError(code=101, message="another protocol")
    return 100 <= message.code < 200


@functools.lru_cache(maxsize=64)
def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    # aiohttp rounds timeouts above the threshold up to a whole second.
    return aiohttp.ClientTimeout(connect=seconds, ceil_threshold=float("inf"))


def _connector(
    resolver: Resolver, connections: "weakref.WeakSet[ConnectionProtocol]", keep_alive: float
) -> aiohttp.TCPConnector:
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=keep_alive, resolver=resolver)
    # aiohttp has no argument for the protocol; a test checks that this one is used.
    factory = functools.partial(ConnectionProtocol, asyncio.get_running_loop(), connections)
    connector._factory = factory  # type: ignore[assignment]
    return connector


def _read_headers(message: RawResponseMessage) -> Headers:
    """Return the headers with names in lower case; values of a repeated header are joined with commas."""
    headers: dict[str, str] = {}
    for name, value in message.headers.items():
        key = name.lower()
        text = value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Headers(headers)
