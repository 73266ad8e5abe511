"""Whether images and files can be sent: told from their bytes, before anybody is asked."""

from dataclasses import replace
from typing import TypeVar

from faultmaven.domain.attachments import Attachment, File
from faultmaven.domain.errors import InvalidRequestError

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
    given = [part.data is not None, bool(part.url), bool(part.path)]
    what = "a file" if isinstance(part, File) else "an image"
    if sum(given) != 1:
        told = f"{where} holds {what} made of {sum(given)} sources"
        raise InvalidRequestError(told, advice="Give bytes, a path or an address.")
    if part.url and not part.url.startswith(("http://", "https://")):
        raise InvalidRequestError(f"{where} holds {what} whose address begins with neither http:// nor https://")
    if part.data is None:
        return part
    limit = MOST_FILE_BYTES if isinstance(part, File) else MOST_IMAGE_BYTES
    if not part.data or len(part.data) > limit:
        raise InvalidRequestError(f"{where} holds {what} of {len(part.data)} bytes; 1 to {limit} can be sent")
    return _typed(part, part.data, where, what)


def _typed(part: Kind, data: bytes, where: str, what: str) -> Kind:
    known = (PDF,) if isinstance(part, File) else IMAGE_TYPES
    found = media_type(data)
    if found not in known:
        raise InvalidRequestError(f"{where} holds {what} that is none of {', '.join(known)}")
    if part.media_type and part.media_type != found:
        raise InvalidRequestError(f"{where} holds {what} that is called {part.media_type} and is {found}")
    return part if part.media_type else replace(part, media_type=found)


def media_type(data: bytes) -> str:
    """Return the media type that bytes begin like, "" for none of those that are sent."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), "")
