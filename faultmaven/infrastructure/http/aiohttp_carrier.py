"""The carrier over aiohttp: what carries bytes when nobody passes anything in."""

import asyncio
import functools
import io
import re
import ssl
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from faultmaven.infrastructure.http.aiohttp_connections import ConnectionProtocol, close_all
from faultmaven.infrastructure.http.aiohttp_failures import AIOHTTP_FAILURES, aiohttp_error
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.failures import blaming_the_proxy, connect_seconds, without_frames
from faultmaven.infrastructure.http.network import NetworkSettings
from faultmaven.infrastructure.http.types import Headers, WireRequest

KEEP_ALIVE_SECONDS = 30.0
MOST_ROUTES = 500
MOST_HEADER_BYTES = 100 * 1024
MOST_HEADERS = 500
LARGE_BODY_BYTES = 512 * 1024
NO_ROUNDING = float("inf")
"""aiohttp rounds a timeout above this many seconds up to a whole one."""

OWN_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "faultmaven"}
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class _Route:
    """What is known of an address: itself, its proxy, and whom we trust there."""

    url: URL
    proxy: URL | None
    trusted: ssl.SSLContext | bool


class AiohttpCarrier:
    """A `Carrier` over one session: a pool of HTTP/1.1 connections without a limit, for all hosts.

    There is no limit because a slow vendor must never block another, and 500 calls at once must not queue.
    """

    def __init__(self, network: NetworkSettings, certificates: Certificates) -> None:
        self._network = network
        self._certificates = certificates
        self._routes: dict[str, _Route] = {}
        self._connections: weakref.WeakSet[ConnectionProtocol] = weakref.WeakSet()
        self._session = _session(self._connections)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._session.closed

    async def open(self, sent: WireRequest, timeout: float | None) -> "AiohttpReply":
        """Return the reply once its headers are there; see `Carrier`."""
        try:
            route = self._routes.get(sent.url) or self._route(sent.url)
            response = await self._session.request(
                sent.method,
                route.url,
                headers=_headers(sent, route),
                data=_body(sent),
                allow_redirects=False,
                proxy=route.proxy,
                ssl=route.trusted,
                timeout=aiohttp.ClientTimeout(connect=connect_seconds(timeout), ceil_threshold=NO_ROUNDING),
            )
        except AIOHTTP_FAILURES as error:
            mapped = aiohttp_error(sent, error, "first byte", timeout)
            raise blaming_the_proxy(mapped, sent, self._network) from without_frames(error)
        return AiohttpReply(sent, response)

    async def aclose(self) -> None:
        """Close the session with all its connections."""
        await self._session.close()
        await close_all(self._connections)

    def _route(self, address: str) -> _Route:
        # What is all printable is sent as it stands: signed addresses must not be quoted anew.
        url = URL(address, encoded=_PRINTABLE.fullmatch(address) is not None)
        if url.scheme not in ("http", "https"):
            raise aiohttp.NonHttpUrlClientError(address)
        proxy = self._network.proxies.address_for(address)
        needs_trust = url.scheme == "https" or proxy.startswith("https:")
        route = _Route(url, URL(proxy) if proxy else None, self._certificates.context if needs_trust else True)
        if len(self._routes) >= MOST_ROUTES:  # addresses of images may be without end
            self._routes.clear()
        self._routes[address] = route
        return route


class AiohttpReply:
    """A `CarriedReply` over aiohttp."""

    __slots__ = ("_content", "_response", "_sent", "headers", "status")

    def __init__(self, sent: WireRequest, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = _told(response)
        self._sent = sent
        self._response = response
        self._content = response.content

    async def read(self) -> bytes:
        """Return the next bytes; see `CarriedReply`."""
        try:
            return await self._content.readany()
        except AIOHTTP_FAILURES as error:
            raise aiohttp_error(self._sent, error, "body", None) from without_frames(error)

    async def aclose(self) -> None:
        """Close the connection; after the end of the body it is back in the pool already."""
        if not self._response.closed:
            self._response.close()


def _session(connections: "weakref.WeakSet[ConnectionProtocol]") -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=0, keepalive_timeout=KEEP_ALIVE_SECONDS, resolver=ThreadedResolver()
    )
    # aiohttp has no argument for it; a test sees whether it is in use
    factory = functools.partial(ConnectionProtocol, asyncio.get_running_loop(), connections)
    connector._factory = factory  # type: ignore[assignment]
    return aiohttp.ClientSession(
        connector=connector,
        headers=OWN_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
        max_headers=MOST_HEADERS,
    )


def _headers(sent: WireRequest, route: _Route) -> Mapping[str, str]:
    headers = sent.headers
    if not all(map(str.isascii, headers.values())):
        raise ValueError("a header that is not ASCII")
    if route.url.raw_user is not None:  # name and password in the address go before a key
        return {name: value for name, value in headers.items() if name != "authorization"}
    return headers


def _body(sent: WireRequest) -> bytes | io.BytesIO | None:
    if sent.method != "POST":
        return None
    # A large one is written piece by piece, so that the event loop serves others meanwhile.
    return io.BytesIO(sent.body) if len(sent.body) > LARGE_BODY_BYTES else sent.body


def _told(response: aiohttp.ClientResponse) -> Headers:
    """Return the headers, names in lower case, those that came several times joined."""
    told: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        text = value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
        told[key] = f"{told[key]}, {text}" if key in told else text
    return Headers(told)
