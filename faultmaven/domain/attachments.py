"""The images and files of a message. `repr` shows no bytes, no URL and no path."""

from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Attachment:
    """Content of a message that is not text: bytes, a local file, or a URL.

    Attributes:
        data: The bytes; None for a file that is not read yet and for a URL.
        media_type: The media type, such as "image/png"; "" detects the type from the bytes.
        url: An http:// or https:// URL.
        path: The path of a local file.
        fetch: Whether this library fetches `url` and sends the bytes. If false, the vendor fetches the URL, and the
            planner excludes providers that accept no URLs.
        name: The file name that the vendor may show, "" for none.
    """

    data: bytes | None = field(default=None, repr=False)
    media_type: str = ""
    url: str = field(default="", repr=False)
    path: str = field(default="", repr=False)
    fetch: bool = False
    name: str = field(default="", repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str = "", *, name: str = "") -> Self:
        """Return an attachment of bytes. If `media_type` is "", the type is detected from the bytes."""
        return cls(data=data, media_type=media_type, name=name)

    @classmethod
    def from_path(cls, path: str, media_type: str = "") -> Self:
        """Return an attachment for a local file, which is read when the request is sent."""
        return cls(path=str(path), media_type=media_type)

    @classmethod
    def from_url(cls, url: str, media_type: str = "", *, fetch: bool = False) -> Self:
        """Return an attachment at a URL. The vendor fetches the URL; with `fetch`, this library sends its bytes."""
        return cls(url=url, media_type=media_type, fetch=fetch)


@dataclass(frozen=True, slots=True)
class Image(Attachment):
    """An image: PNG, JPEG, GIF or WebP."""


@dataclass(frozen=True, slots=True)
class File(Attachment):
    """A document: a PDF, if the provider accepts PDFs."""
