"""Validation of images and files by their bytes, before any request is sent to a provider."""

from dataclasses import replace
from typing import Any, TypeVar

from ...domain.addresses import names_a_server
from ...domain.attachments import Attachment, File
from ...domain.errors import InvalidRequestError

MAX_IMAGE_BYTES = 20 * 1024 * 1024
MAX_FILE_BYTES = 32 * 1024 * 1024

PDF = "application/pdf"
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
)

AttachmentT = TypeVar("AttachmentT", bound=Attachment)


def checked_attachment(part: AttachmentT, where: str) -> AttachmentT:
    """Return the valid `part` with its media type, which is detected from the bytes where `part` holds bytes.

    Args:
        where: Position of the part for the error message, such as "prompt[0]".

    Raises:
        InvalidRequestError: none or several of bytes, path and address; no bytes or too many; a declared media type
            that the bytes contradict; a media type that cannot be sent; an address that is not http:// or https://.
    """
    kind = "a file" if isinstance(part, File) else "an image"
    _check_fields(part, where, kind)
    sources = [part.data is not None, bool(part.url), bool(part.path)]
    if sum(sources) != 1:
        problem = f"{where} holds {kind} with {sum(sources)} sources"
        raise InvalidRequestError(problem, advice="Pass exactly one of bytes, a path and an address.")
    if part.fetch and not part.url:
        raise InvalidRequestError(f"{where} holds {kind} with fetch=True and no address")
    if part.url and not _is_address(part.url):
        raise InvalidRequestError(f"{where} holds {kind} whose address does not begin with http:// or https://")
    declared, known = part.media_type.lower(), known_types(part)
    if declared and declared not in known:
        raise InvalidRequestError(f"{where} holds {kind} of the media type {declared!r}; known: {_listed(known)}")
    part = part if declared == part.media_type else replace(part, media_type=declared)
    return part if part.data is None else _with_media_type(part, part.data, where, kind)


def known_types(part: Attachment) -> tuple[str, ...]:
    """Return the media types that can be sent for a part: those of files or those of images."""
    return (PDF,) if isinstance(part, File) else IMAGE_TYPES


def max_bytes(part: Attachment) -> int:
    """Return the largest size of a part in bytes: that of files or that of images."""
    return MAX_FILE_BYTES if isinstance(part, File) else MAX_IMAGE_BYTES


def _check_fields(part: Attachment, where: str, kind: str) -> None:
    """Refuse fields of the wrong type."""
    data: Any = part.data
    if data is not None and not isinstance(data, bytes):
        raise InvalidRequestError(f"{where} holds {kind} whose data is a {type(data).__name__}, not bytes")
    for name in ("media_type", "url", "path", "name"):
        value: Any = getattr(part, name)
        if not isinstance(value, str):
            raise InvalidRequestError(f"{where} holds {kind} whose {name} is a {type(value).__name__}, not a string")


def _is_address(url: str) -> bool:
    """Return whether `url` is an http:// or https:// address with a host, without spaces and unprintable characters."""
    return url.isprintable() and " " not in url and names_a_server(url)


def _with_media_type(part: AttachmentT, data: bytes, where: str, kind: str) -> AttachmentT:
    """Return `part` with the media type of `data`, after checks of its size and type."""
    limit = max_bytes(part)
    if not data or len(data) > limit:
        raise InvalidRequestError(f"{where} holds {kind} of {len(data)} bytes; 1 to {limit} can be sent")
    detected = media_type(data)
    if detected not in known_types(part):
        raise InvalidRequestError(f"{where} holds {kind} whose bytes are not {_listed(known_types(part))}")
    if part.media_type and part.media_type != detected:
        raise InvalidRequestError(
            f"{where} holds {kind} of the media type {part.media_type} whose bytes are {detected}"
        )
    return part if part.media_type else replace(part, media_type=detected)


def _listed(types: tuple[str, ...]) -> str:
    return ", ".join(types)


def media_type(data: bytes) -> str:
    """Detect the media type from the first bytes; return "" for types that cannot be sent."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), "")
