"""What `HTTPTransport` sends with: one carrier per event loop, over httpx or over aiohttp."""

from collections.abc import Mapping
from typing import Literal, Protocol

from faultmaven.infrastructure.http.types import WireRequest


class Progress:
    """How far one exchange has come. A timeout takes its phase from here, never from the timer that ends first.

    Attributes:
        waits_for: "permit": a connection permit, see `LimitedCarrier`; "connection": TCP, TLS and a proxy's tunnel.
            Nothing of the request has been sent in either. "reply": the request was sent, or may have been.
    """

    __slots__ = ("waits_for",)

    def __init__(self) -> None:
        self.waits_for: Literal["permit", "connection", "reply"] = "reply"


class CarriedReply(Protocol):
    """A reply whose headers are there and whose body is on its way. Header names are lower case, or found as such."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self) -> bytes:
        """Return all the bytes that are there, at least one, and b"" at the end; unpacked. Raises an `LLMError`."""
        ...

    async def aclose(self) -> None:
        """Close the connection, or give it back where the body was read to its end."""
        ...


class Carrier(Protocol):
    """Connections of one event loop. It keeps no time but that for connecting: `HTTPTransport` has the whole."""

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> CarriedReply:
        """Send, and return the reply once its headers are there; no redirect is followed. Raises an `LLMError`.

        Args:
            timeout: Seconds for the whole attempt; see `connect_seconds`. None has no end.
            progress: Set by the carrier as the exchange goes on.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
