"""The two packages with httpx's public API: httpx, and httpx2, by others, where it is developed further."""

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import httpx
    import httpx2

    AnyClient: TypeAlias = httpx.AsyncClient | httpx2.AsyncClient

FamilyName = Literal["httpx", "httpx2"]


@dataclass(frozen=True, slots=True)
class HttpxFamily:
    """What differs between them.

    Attributes:
        httpx: The package itself.
        network: The package beneath that opens connections.
        failures: All that they raise, and what the layers below raise for an address or a header that is none.
    """

    httpx: Any
    network: Any
    failures: tuple[type[Exception], ...]


@functools.cache
def httpx_family(name: FamilyName) -> HttpxFamily:
    """Return one of the two; the other is not imported."""
    package, network = _httpx2() if name == "httpx2" else _httpx()
    return HttpxFamily(package, network, _failures(package))


def family_of(client: "AnyClient") -> HttpxFamily:
    """Return which of the two a client is of; of one that nobody imported there is none."""
    other = getattr(sys.modules.get("httpx2"), "AsyncClient", ())
    return httpx_family("httpx2" if isinstance(client, other) else "httpx")


def _httpx() -> tuple[Any, Any]:
    import httpcore
    import httpx

    return httpx, httpcore


def _httpx2() -> tuple[Any, Any]:
    import httpcore2
    import httpx2

    return httpx2, httpcore2


def _failures(package: Any) -> tuple[type[Exception], ...]:
    return (
        package.HTTPError,
        package.InvalidURL,
        package.StreamError,
        package.CookieConflict,
        ValueError,
        OverflowError,
        RuntimeError,  # a passed-in client that is closed
        ExceptionGroup,
    )
