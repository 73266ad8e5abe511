"""The interface between `HTTPTransport` and the HTTP libraries: one carrier per event loop, over aiohttp or httpx."""

from collections.abc import Mapping
from typing import Literal, Protocol

from .types import WireRequest


class Progress:
    """The current step of one exchange. A timeout takes its phase from here, never from the timer that ends first.

    Attributes:
        waits_for: "permit": a connection permit, see `LimitedCarrier`; "connection": TCP, TLS and a proxy's tunnel.
            No part of the request has been sent in either. "reply": the request was sent, or may have been.
    """

    __slots__ = ("waits_for",)

    def __init__(self) -> None:
        self.waits_for: Literal["permit", "connection", "reply"] = "reply"


class CarrierReply(Protocol):
    """A reply whose headers have arrived and whose body is still to be read. `headers` takes names in lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self) -> bytes:
        """Return all bytes that have arrived, at least one, decompressed; b"" at the end. Raises an `LLMError`."""
        ...

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool when the body was read to its end."""
        ...


class Carrier(Protocol):
    """Connections of one event loop. A carrier limits only the time for connecting; `HTTPTransport` limits the rest."""

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> CarrierReply:
        """Send, and return the reply once its headers are there; no redirect is followed. Raises an `LLMError`.

        Args:
            timeout: Seconds for the whole attempt; see `connect_seconds`. None has no end.
            progress: Updated by the carrier before each step.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
