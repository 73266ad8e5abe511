"""Requests as bytes, and the endpoints that aiohttp connects to."""

import asyncio
import base64
import functools
import re
from dataclasses import dataclass

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict
from yarl import URL

from ..certificates import Certificates
from ..types import Headers, WireRequest

OWN_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "faultmaven"}
RESERVED_HEADERS = ("content-length", "transfer-encoding")
"""Headers that delimit the body. Only the carrier sets them."""

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address, prepared for connections and requests.

    Attributes:
        template: Host, port, proxy and trusted certificates, as a request from which aiohttp connects.
        target: The request target, which follows the method.
        headers: Headers of every request to this address.
        has_credentials: Whether the address contains user and password, which replace a key.
    """

    template: aiohttp.ClientRequest
    target: str
    headers: Headers
    has_credentials: bool


def build_endpoint(address: str, proxy: str, certificates: Certificates) -> Endpoint:
    """Return the endpoint for an address, through a proxy or, with "", directly.

    Raises:
        ValueError: not an HTTP address. aiohttp's `InvalidURL` is a subclass.
    """
    url = _parse_address(address)
    headers = {"host": url.host_port_subcomponent or "", **OWN_HEADERS}
    if url.user is not None:
        headers["authorization"] = _basic_credentials(url)
    if not proxy:
        template = _build_template(url, url.scheme == "https", certificates)
        return Endpoint(template, url.raw_path_qs, Headers(headers), url.user is not None)
    proxy_url = URL(proxy)
    has_proxy_user = proxy_url.user is not None
    authorization = {"proxy-authorization": _basic_credentials(proxy_url)} if has_proxy_user else {}
    template = _build_template(
        url,
        url.scheme == "https" or proxy.startswith("https:"),
        certificates,
        proxy=proxy_url.with_user(None),  # errors show the address, so it must not contain the password
        # With the host, as aiohttp would add it: a later addition would put the same connections in another pool.
        proxy_headers=CIMultiDict({"Host": headers["host"], **OWN_HEADERS, **authorization}),
    )
    if url.scheme == "https":  # the proxy opens a tunnel, and the request in it is as without a proxy
        return Endpoint(template, url.raw_path_qs, Headers(headers), url.user is not None)
    target = str(url.with_user(None).with_fragment(None))
    return Endpoint(template, target, Headers(headers | authorization), url.user is not None)


def _parse_address(address: str) -> URL:
    # An address of printable ASCII is sent unchanged: quoting a signed address again would break its signature.
    url = URL(address, encoded=_PRINTABLE.fullmatch(address) is not None)
    if url.scheme not in ("http", "https"):
        raise ValueError("not an HTTP address")
    return url


def _build_template(
    url: URL,
    needs_tls: bool,
    certificates: Certificates,
    proxy: URL | None = None,
    proxy_headers: CIMultiDict[str] | None = None,
) -> aiohttp.ClientRequest:
    return _Template(
        "GET",
        url.with_user(None),
        loop=asyncio.get_running_loop(),
        proxy=proxy,
        proxy_headers=proxy_headers,
        ssl=certificates.context if needs_tls else True,
    )


class _Template(aiohttp.ClientRequest):
    """A request that aiohttp connects for and that is never sent."""

    @functools.cached_property
    def connection_key(self) -> ConnectionKey:
        """The key of the connections' pool, computed once and not for each call."""
        return super().connection_key


def encode_head(sent: WireRequest, endpoint: Endpoint) -> bytes:
    """Return the request up to its body.

    Raises:
        ValueError: an invalid header: one with a line break in it, or with characters that are not ASCII.
    """
    headers = dict(endpoint.headers)
    for name, value in sent.headers.items():
        if name != "authorization" or not endpoint.has_credentials:
            headers[_check_header_name(name)] = value
    if sent.method == "POST":
        headers["content-length"] = str(len(sent.body))
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers) or "\0" in lines:
        raise ValueError("a header with a line break")
    return f"{sent.method} {endpoint.target} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


@functools.lru_cache(maxsize=256)
def _check_header_name(name: str) -> str:
    """Return the name in lower case; raise `ValueError` unless the header may be sent."""
    lower = name.lower()
    if lower in RESERVED_HEADERS or not _NAME.fullmatch(lower):
        raise ValueError("a header name that may not be sent")
    return lower


def _basic_credentials(url: URL) -> str:
    pair = f"{url.user or ''}:{url.password or ''}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
