"""HTTP requests and replies as values. Their `repr` shows neither keys nor prompts nor answers."""

from asyncio import AbstractEventLoop
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


class Headers(dict[str, str]):
    """Headers by name; `repr` shows the names only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class Origin:
    """The provider and the dialect of a request, for its reply and its errors. Holds names of variables, no values."""

    provider: str
    dialect: str
    api_key_var: str = ""
    model_var: str = ""
    base_url_var: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request to a vendor. `secret` is the key in `headers`, so that the key can be removed from replies."""

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
    """One complete HTTP reply. Header names are lower case; `time_to_headers` is in seconds.

    `received_at` is in Unix seconds; 0 is unknown, as in a reply that a test creates.
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
    """A reply whose body is still to be read. The caller of `Transport.open` closes it.

    Attributes:
        head: The reply without its body.
    """

    @property
    def head(self) -> WireReply: ...

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end, without a time limit. Raises an `LLMError` as `send` does."""
        ...

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool when the body was read to its end. May be called again."""
        ...


class Transport(Protocol):
    """Port for HTTP. `HTTPTransport` is the adapter, over aiohttp or httpx."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Send a request and return its complete reply, of any status, within `timeout` seconds; None is no limit.

        Raises:
            LLMError: no complete reply came.
        """
        ...

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        """Send a request and return its reply once the headers have arrived, within `timeout` seconds; None is no
        limit.

        Raises:
            LLMError: no reply began.
        """
        ...

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        ...


@runtime_checkable
class OwnTransport(Transport, Protocol):
    """A transport of one configuration snapshot that closes by itself once a later snapshot replaces that one."""

    def retire(self) -> None:
        """Close unused connections now and all others as their calls end; any thread may call this."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether any event loop still holds connections of this transport."""
        ...

    def loops(self) -> list[AbstractEventLoop]:
        """Return the event loops that hold connections of this transport."""
        ...


Json = dict[str, Any]
