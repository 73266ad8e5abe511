"""The interface between `HTTPTransport` and the HTTP libraries: one carrier per event loop, over aiohttp or httpx."""

from collections.abc import Mapping
from typing import Protocol

from .types import WireRequest


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

    async def open(self, sent: WireRequest, timeout: float | None) -> CarrierReply:
        """Send, and return the reply once its headers are there; no redirect is followed. Raises an `LLMError`.

        Args:
            timeout: Seconds for the whole attempt; see `connect_seconds`. None has no end.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
