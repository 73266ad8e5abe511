"""The two packages with httpx's public API: httpx, and its successor httpx2 by other authors."""

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
    """The differences between httpx and httpx2.

    Attributes:
        httpx: The package itself.
        network: Its httpcore, which opens connections.
        failures: All exceptions of the package, and those of the layers below for an invalid address or header.
    """

    httpx: Any
    network: Any
    failures: tuple[type[Exception], ...]


@functools.cache
def httpx_family(name: FamilyName) -> HttpxFamily:
    """Return the family of one of the two packages; the other is not imported."""
    package, network = _import_httpx2() if name == "httpx2" else _import_httpx()
    return HttpxFamily(package, network, _failures(package))


def family_of(client: "AnyClient") -> HttpxFamily:
    """Return the family of a client's package. Neither package is imported to find out."""
    httpx2_client = getattr(sys.modules.get("httpx2"), "AsyncClient", ())
    return httpx_family("httpx2" if isinstance(client, httpx2_client) else "httpx")


def _import_httpx() -> tuple[Any, Any]:
    import httpcore
    import httpx

    return httpx, httpcore


def _import_httpx2() -> tuple[Any, Any]:
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
        RuntimeError,  # a passed-in client that the host has closed
        ExceptionGroup,
    )
