"""Requests as bytes, and what aiohttp has to know of an address before it connects."""

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
NOT_GIVEN = ("content-length", "transfer-encoding")
"""Headers that say where a body ends: they are written here."""

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is known of an address.

    Attributes:
        template: What aiohttp connects for: host, port, proxy, and whom we trust there.
        target: What stands behind the method.
        headers: Those of every request there.
        names_a_user: Whether the address holds a name and a password; they go before a key.
    """

    template: aiohttp.ClientRequest
    target: str
    headers: Headers
    names_a_user: bool


def route_to(address: str, proxy: str, certificates: Certificates) -> Endpoint:
    """Return the route to an address, through a proxy or, with "", directly.

    Raises:
        ValueError: it is no address over HTTP, as also aiohttp's own errors say.
    """
    # What is all printable is sent as it stands: signed addresses must not be quoted anew.
    url = URL(address, encoded=_PRINTABLE.fullmatch(address) is not None)
    if url.scheme not in ("http", "https"):
        raise ValueError("no address over HTTP")
    headers = {"host": url.host_port_subcomponent or "", **OWN_HEADERS}
    if url.user is not None:
        headers["authorization"] = _basic(url)
    via = URL(proxy) if proxy else None
    to_proxy = {"proxy-authorization": _basic(via)} if via is not None and via.user is not None else {}
    needs_trust = url.scheme == "https" or proxy.startswith("https:")
    template = _Template(
        "GET",
        url.with_user(None),
        loop=asyncio.get_running_loop(),
        proxy=via.with_user(None) if via else None,  # what errors show of it holds no password
        # With the host, as aiohttp would add it: what is added later makes another pool of the same connections.
        proxy_headers=CIMultiDict({"Host": headers["host"], **OWN_HEADERS, **to_proxy}) if via else None,
        ssl=certificates.context if needs_trust else True,
    )
    in_full = via is not None and url.scheme == "http"
    if in_full:
        headers |= to_proxy
    target = str(url.with_user(None).with_fragment(None)) if in_full else url.raw_path_qs
    return Endpoint(template, target, Headers(headers), url.user is not None)


class _Template(aiohttp.ClientRequest):
    """What is connected for, never sent."""

    @functools.cached_property
    def connection_key(self) -> ConnectionKey:
        """The pool that its connections are in; made once, and not for each call."""
        return super().connection_key


def written_head(sent: WireRequest, route: Endpoint) -> bytes:
    """Return the request up to its body.

    Raises:
        ValueError: a header that is none: another one hidden in it, or letters that are not ASCII.
    """
    headers = dict(route.headers)
    for name, value in sent.headers.items():
        if name != "authorization" or not route.names_a_user:
            headers[_checked(name)] = value
    if sent.method == "POST":
        headers["content-length"] = str(len(sent.body))
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers) or "\0" in lines:
        raise ValueError("a header with an end of line in it")
    return f"{sent.method} {route.target} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


@functools.lru_cache(maxsize=256)
def _checked(name: str) -> str:
    lower = name.lower()
    if lower in NOT_GIVEN or not _NAME.fullmatch(lower):
        raise ValueError("a header's name that may not be sent")
    return lower


def _basic(url: URL) -> str:
    pair = f"{url.user or ''}:{url.password or ''}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
