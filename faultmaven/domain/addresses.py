"""Addresses of servers."""

from urllib.parse import urlsplit


def names_a_server(address: str) -> bool:
    """Return whether `address` is an http:// or https:// address with a host and, where it has one, a sound port."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
