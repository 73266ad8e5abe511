"""The carrier over aiohttp: what carries bytes when nobody passes anything in.

It uses aiohttp's pool of connections and its parser, and no `ClientSession` over them: what a session adds, such as
cookies, redirects, timers and a task for each request's body, nobody needs here, and it is half of a call's time.
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

from faultmaven.infrastructure.http.aiohttp_connections import ConnectionProtocol, close_all
from faultmaven.infrastructure.http.aiohttp_failures import AIOHTTP_FAILURES, aiohttp_error
from faultmaven.infrastructure.http.aiohttp_requests import Route, route_to, written_head
from faultmaven.infrastructure.http.aiohttp_resolver import Resolver
from faultmaven.infrastructure.http.carrier import Progress
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.failures import (
    blaming_the_proxy,
    connect_error,
    connect_seconds,
    has_cause,
    proxy_error,
    timeout_error,
    without_frames,
)
from faultmaven.infrastructure.http.network import NetworkSettings
from faultmaven.infrastructure.http.types import Headers, WireRequest

if TYPE_CHECKING:
    from faultmaven.domain.errors import LLMError

TRIED = ("3.14",)
"""Its pool and parser are used without a session, in a way that a later minor version may change."""

MOST_ROUTES = 500
MOST_HEADER_BYTES = 100 * 1024
MOST_HEADERS = 500
JOINED_BYTES = 64 * 1024
"""A body up to this size is written together with its head, as one packet where it fits; a larger one is not copied."""


def is_tried() -> bool:
    """Return whether the installed aiohttp is one that all of this was tried with."""
    return ".".join(aiohttp.__version__.split(".")[:2]) in TRIED


class AiohttpCarrier:
    """A `Carrier` over one connector: a pool of HTTP/1.1 connections without a limit, for all hosts.

    There is no limit because a slow vendor must never block another, and 500 calls at once must not queue. One per host
    is set above it: see `LimitedCarrier`.
    """

    def __init__(self, network: NetworkSettings, certificates: Certificates) -> None:
        self._network = network
        self._certificates = certificates
        self._routes: dict[str, Route] = {}
        self._connections: weakref.WeakSet[ConnectionProtocol] = weakref.WeakSet()
        self._resolver = Resolver()
        self._connector = _connector(self._resolver, self._connections, network.keep_alive)

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "AiohttpReply":
        """Return the reply once its headers are there; see `Carrier`."""
        try:
            route = self._routes.get(sent.url) or self._route(sent.url)
            progress.waits_for = "connection"
            connection = await self._connected(sent, route, timeout)
            progress.waits_for = "reply"
            try:
                protocol = _written(connection, sent, route)
                message, content = await protocol.read()
                while _is_interim(message):
                    message, content = await protocol.read()
            except BaseException:
                connection.close()
                raise
        except AIOHTTP_FAILURES as error:
            mapped = aiohttp_error(sent, error, "first byte", timeout)
            raise blaming_the_proxy(mapped, sent, self._network) from without_frames(error)
        return AiohttpReply(sent, connection, message, content)

    async def aclose(self) -> None:
        """Close all connections."""
        try:
            await self._connector.close()
            await close_all(self._connections)
        finally:
            await self._resolver.close()

    async def _connected(self, sent: WireRequest, route: Route, timeout: float | None) -> aiohttp.connector.Connection:
        try:
            return await self._connector.connect(route.template, [], _connecting_within(connect_seconds(timeout)))
        except TimeoutError:
            mapped: LLMError = timeout_error(sent, "connect", connect_seconds(timeout))
        except aiohttp.ClientHttpProxyError:
            mapped = proxy_error(sent)  # without its cause, which shows the headers that the proxy got
        except aiohttp.ClientConnectionError as error:
            # TLS inside of TLS that fails is no error of aiohttp's for that before Python 3.12: asyncio trips over it.
            if isinstance(error, aiohttp.ClientConnectorError) or not has_cause(error, ssl.SSLError):
                raise
            raise connect_error(sent, error) from without_frames(error)
        raise blaming_the_proxy(mapped, sent, self._network)

    def _route(self, address: str) -> Route:
        if len(self._routes) >= MOST_ROUTES:  # addresses of images may be without end
            self._routes.clear()
        proxy = self._network.proxies.address_for(address)
        route = self._routes[address] = route_to(address, proxy, self._certificates)
        return route


class AiohttpReply:
    """A `CarriedReply` over aiohttp. Its connection is back in the pool as soon as the body has come to its end."""

    __slots__ = ("_connection", "_content", "_sent", "headers", "status")

    def __init__(
        self,
        sent: WireRequest,
        connection: aiohttp.connector.Connection,
        message: RawResponseMessage,
        content: StreamReader,
    ) -> None:
        self.status = message.code
        self.headers = _told(message)
        self._sent = sent
        self._connection: aiohttp.connector.Connection | None = connection
        self._content = content
        content.on_eof(self._give_back)

    async def read(self) -> bytes:
        """Return the next bytes; see `CarriedReply`."""
        try:
            return await self._content.readany()
        except AIOHTTP_FAILURES as error:
            raise aiohttp_error(self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection, where the body did not come to its end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._content.set_exception(aiohttp.ClientConnectionError("the reply was closed"))

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.transport is not None and connection.transport.get_write_buffer_size():
            connection.close()  # the server did not wait for the whole request
        else:
            connection.release()


def _written(connection: aiohttp.connector.Connection, sent: WireRequest, route: Route) -> ResponseHandler:
    """Write a request, and return who hears the reply. Nothing is awaited here: whoever waits would hold the bytes of
    the key and of the prompt among its locals, which tracebacks show."""
    head, body = written_head(sent, route), sent.body
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True,
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
        max_headers=MOST_HEADERS,
    )
    if len(body) <= JOINED_BYTES:
        transport.write(head + body)
    else:
        transport.write(head)
        transport.write(body)
    return protocol


def _is_interim(message: RawResponseMessage) -> bool:
    """Return whether another reply follows to the same request.

    Raises:
        HttpProcessingError: something else than HTTP follows, for which nobody asked.
    """
    if message.code == 101:
        raise HttpProcessingError(code=101, message="another protocol")
    return 100 <= message.code < 200


@functools.lru_cache(maxsize=64)
def _connecting_within(seconds: float) -> aiohttp.ClientTimeout:
    # aiohttp rounds what is above the threshold up to a whole second.
    return aiohttp.ClientTimeout(connect=seconds, ceil_threshold=float("inf"))


def _connector(
    resolver: Resolver, connections: "weakref.WeakSet[ConnectionProtocol]", keep_alive: float
) -> aiohttp.TCPConnector:
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=keep_alive, resolver=resolver)
    # aiohttp has no argument for it; a test sees whether it is in use
    factory = functools.partial(ConnectionProtocol, asyncio.get_running_loop(), connections)
    connector._factory = factory  # type: ignore[assignment]
    return connector


def _told(message: RawResponseMessage) -> Headers:
    """Return the headers, names in lower case, those that came several times joined."""
    told: dict[str, str] = {}
    for name, value in message.headers.items():
        key = name.lower()
        text = value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
        told[key] = f"{told[key]}, {text}" if key in told else text
    return Headers(told)
