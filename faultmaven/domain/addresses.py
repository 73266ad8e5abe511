"""Checks of server addresses."""

from urllib.parse import urlsplit


def names_a_server(address: str) -> bool:
    """Return whether `address` is an http:// or https:// URL with a host and, if it names a port, a valid one."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
