"""Whether images and files can be sent: told from their bytes, before anybody is asked."""

from dataclasses import replace
from typing import Any, TypeVar

from ...domain.addresses import names_a_server
from ...domain.attachments import Attachment, File
from ...domain.errors import InvalidRequestError

MOST_IMAGE_BYTES = 20 * 1024 * 1024
MOST_FILE_BYTES = 32 * 1024 * 1024

PDF = "application/pdf"
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
)

Kind = TypeVar("Kind", bound=Attachment)


def checked_attachment(part: Kind, where: str) -> Kind:
    """Return `part` with its media type, told from its bytes where they are there.

    Args:
        where: How the error calls it, such as "prompt[0]".

    Raises:
        InvalidRequestError: none or several of bytes, path and address; too large; of another type than it says, or of
            one that nobody takes; an address that is no http:// or https:// one.
    """
    what = "a file" if isinstance(part, File) else "an image"
    _check_fields(part, where, what)
    given = [part.data is not None, bool(part.url), bool(part.path)]
    if sum(given) != 1:
        told = f"{where} holds {what} made of {sum(given)} sources"
        raise InvalidRequestError(told, advice="Give bytes, a path or an address.")
    if part.fetch and not part.url:
        raise InvalidRequestError(f"{where} holds {what} with fetch=True and no address")
    if part.url and not _is_address(part.url):
        raise InvalidRequestError(f"{where} holds {what} whose address is no http:// or https:// one")
    declared, known = part.media_type.lower(), known_types(part)
    if declared and declared not in known:
        raise InvalidRequestError(
            f"{where} holds {what} that is called {declared!r}, which is none of {_listed(known)}"
        )
    part = part if declared == part.media_type else replace(part, media_type=declared)
    return part if part.data is None else _typed(part, part.data, where, what)


def known_types(part: Attachment) -> tuple[str, ...]:
    """Return the media types that can be sent of its kind."""
    return (PDF,) if isinstance(part, File) else IMAGE_TYPES


def most_bytes(part: Attachment) -> int:
    """Return how large its kind may be."""
    return MOST_FILE_BYTES if isinstance(part, File) else MOST_IMAGE_BYTES


def _check_fields(part: Attachment, where: str, what: str) -> None:
    """Refuse what a type checker would."""
    data: Any = part.data
    if data is not None and not isinstance(data, bytes):
        raise InvalidRequestError(f"{where} holds {what} whose data is a {type(data).__name__}, not bytes")
    for name in ("media_type", "url", "path", "name"):
        value: Any = getattr(part, name)
        if not isinstance(value, str):
            raise InvalidRequestError(f"{where} holds {what} whose {name} is a {type(value).__name__}, not a string")


def _is_address(url: str) -> bool:
    """Return whether it is an address with a host, and nothing that a URL cannot hold: line ends, half a character."""
    return url.isprintable() and " " not in url and names_a_server(url)


def _typed(part: Kind, data: bytes, where: str, what: str) -> Kind:
    limit = most_bytes(part)
    if not data or len(data) > limit:
        raise InvalidRequestError(f"{where} holds {what} of {len(data)} bytes; 1 to {limit} can be sent")
    found = media_type(data)
    if found not in known_types(part):
        raise InvalidRequestError(f"{where} holds {what} that is none of {_listed(known_types(part))}")
    if part.media_type and part.media_type != found:
        raise InvalidRequestError(f"{where} holds {what} that is called {part.media_type} and is {found}")
    return part if part.media_type else replace(part, media_type=found)


def _listed(kinds: tuple[str, ...]) -> str:
    return ", ".join(kinds)


def media_type(data: bytes) -> str:
    """Return the media type that bytes begin like, "" for none of those that are sent."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), "")
