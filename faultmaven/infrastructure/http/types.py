"""Requests and replies as values. Their `repr` shows neither keys nor prompts nor answers."""

from asyncio import AbstractEventLoop
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


class Headers(dict[str, str]):
    """Header names and values; `repr` shows the names only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who a request is for, so that replies and errors can say it: names only, no values of variables."""

    provider: str
    dialect: str
    api_key_var: str = ""
    model_var: str = ""
    base_url_var: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request to a vendor. `secret` is the key inside `headers`, kept so that replies can be cleaned of it."""

    origin: Origin
    url: str = field(repr=False)
    headers: Headers
    body: bytes = field(default=b"", repr=False)
    method: Literal["GET", "POST"] = "POST"
    model: str = ""
    secret: str = field(default="", repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WireReply:
    """One whole HTTP reply. Header names are lower case; `time_to_headers` is in seconds.

    `received_at` is in Unix seconds; 0 is unknown, as in a reply that was made by hand.
    """

    request: WireRequest
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    time_to_headers: float = 0.0
    received_at: float = 0.0

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case, "" when absent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class ReplyStream(Protocol):
    """A reply whose body is still on its way. Whoever opened it closes it.

    Attributes:
        head: The reply without its body.
    """

    @property
    def head(self) -> WireReply: ...

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; it waits as long as it takes. Raises an `LLMError` as `send` does."""
        ...

    async def aclose(self) -> None:
        """Close the connection, or give it back where the body was read to its end. May be called again."""
        ...


class Transport(Protocol):
    """What carries bytes: the one port to HTTP. `HTTPTransport` is the adapter over httpx."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Return the whole reply to `sent`, whatever its status, within `timeout` seconds, or raise an `LLMError`."""
        ...

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        """Return the reply to `sent` as soon as its headers are there, within `timeout` seconds, or raise an
        `LLMError`."""
        ...

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        ...


@runtime_checkable
class OwnTransport(Transport, Protocol):
    """A transport that is made for one configuration, and closes by itself once a later one is in force."""

    def retire(self) -> None:
        """Close what nothing uses any more, now and as calls end; any thread may call this."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether any event loop still holds connections of it."""
        ...

    def loops(self) -> list[AbstractEventLoop]:
        """Return the event loops that hold connections of it."""
        ...


Json = dict[str, Any]
