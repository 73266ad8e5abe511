"""What `HTTPTransport` sends with: one carrier per event loop, over httpx or over aiohttp."""

from collections.abc import Mapping
from typing import Protocol

from .types import WireRequest


class CarrierReply(Protocol):
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

    async def open(self, sent: WireRequest, timeout: float | None) -> CarrierReply:
        """Send, and return the reply once its headers are there; no redirect is followed. Raises an `LLMError`.

        Args:
            timeout: Seconds for the whole attempt; see `connect_seconds`. None has no end.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
