"""Trusted certificates."""

import functools
import ssl
from pathlib import Path

from ...domain.errors import ConfigurationError
from ..configuration.file_state import FileState, file_state


class Certificates:
    """The certificates that one configuration trusts. Read at the first use, since plain http:// needs none, and not
    again."""

    def __init__(self, path: str = "", *, http2: bool = False) -> None:
        """Args:
        path: See `ssl_context`, as for `http2`.
        """
        self._path = path
        self._http2 = http2

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The verifying context. Raises ConfigurationError as `ssl_context` does."""
        return ssl_context(self._path, http2=self._http2)


def ssl_context(certificates: str, *, http2: bool = False) -> ssl.SSLContext:
    """Return a verifying context, built once for each state of the file: reading certificates takes about 25 ms.

    Args:
        certificates: A PEM file or a folder of hashed certificates; "" for the bundle of certifi.
        http2: Offer HTTP/2 too, in a separate context: a client for HTTP/1.1 that shared the context would offer it.

    Raises:
        ConfigurationError: the path is missing or holds no certificate.
    """
    state = file_state(Path(certificates)) if certificates else None
    return _cached_context(certificates, state, ("h2", "http/1.1") if http2 else ("http/1.1",))


@functools.lru_cache(maxsize=4)  # evicts the contexts of rotated certificates
def _cached_context(certificates: str, state: FileState | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = _create_context(certificates)
    context.set_alpn_protocols(protocols)
    return context


def _create_context(certificates: str) -> ssl.SSLContext:
    if not certificates:
        import certifi  # here, since plain http:// needs none

        return ssl.create_default_context(cafile=certifi.where())
    try:
        return _create_context_of(certificates)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"no certificates could be read from {certificates!r}",
            advice="Set SSL_CERT_FILE to a PEM file, or SSL_CERT_DIR to a folder, that this process can read.",
        ) from error


def _create_context_of(path: str) -> ssl.SSLContext:
    # Without `cafile` and `capath`, Python would also trust the system's store.
    try:
        return ssl.create_default_context(cafile=path)
    except IsADirectoryError:
        return ssl.create_default_context(capath=path)
