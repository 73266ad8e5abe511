"""Which certificates are trusted."""

import functools
import ssl
from pathlib import Path

from faultmaven.domain.errors import ConfigurationError
from faultmaven.infrastructure.files import FileState, file_state


class Certificates:
    """What one configuration trusts: read at the first use, since plain http:// needs none; the same from then on."""

    def __init__(self, path: str = "") -> None:
        """Args:
        path: See `ssl_context`.
        """
        self._path = path

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The verifying context. Raises ConfigurationError as `ssl_context` does."""
        return ssl_context(self._path)


def ssl_context(certificates: str) -> ssl.SSLContext:
    """Return a verifying context, built once for each state of the file: reading certificates takes about 25 ms.

    Args:
        certificates: A PEM file or a folder of hashed certificates; "" for the bundle of certifi.

    Raises:
        ConfigurationError: the path is missing or holds no certificate.
    """
    return _ssl_context(certificates, file_state(Path(certificates)) if certificates else None)


@functools.lru_cache(maxsize=4)  # of certificates that rotate, the old ones go
def _ssl_context(certificates: str, state: FileState | None) -> ssl.SSLContext:
    if not certificates:
        import certifi  # here, since http:// alone needs none

        return _for_http(ssl.create_default_context(cafile=certifi.where()))
    context = ssl.create_default_context()
    try:
        _load_certificates(context, certificates)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"no certificates could be read from {certificates!r}",
            advice="Set SSL_CERT_FILE to a PEM file, or SSL_CERT_DIR to a folder, that this process can read.",
        ) from error
    return _for_http(context)


def _for_http(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load_certificates(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except IsADirectoryError:
        context.load_verify_locations(capath=path)
