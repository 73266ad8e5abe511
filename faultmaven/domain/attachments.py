"""What a message holds beside text: images and files. Shows neither bytes nor addresses nor paths."""

from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Attachment:
    """Bytes with their media type, a file to be read, or an address.

    Attributes:
        data: The bytes; None where they are still to be read or fetched, by us or by the vendor.
        media_type: Such as "image/png"; "" lets it be told from the bytes.
        url: An http:// or https:// address.
        path: A file of this machine.
        fetch: Whether we fetch `url` and send its bytes. Without it the vendor does, and a vendor that takes no
            addresses is left out.
        name: A file's name as the vendor may show it, "" for none.
    """

    data: bytes | None = field(default=None, repr=False)
    media_type: str = ""
    url: str = field(default="", repr=False)
    path: str = field(default="", repr=False)
    fetch: bool = False
    name: str = field(default="", repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str = "", *, name: str = "") -> Self:
        """Return one made of bytes; the media type, such as "image/png", is told from them where it is not given."""
        return cls(data=data, media_type=media_type, name=name)

    @classmethod
    def from_path(cls, path: str, media_type: str = "") -> Self:
        """Return one that is a file of this machine; it is read when it is sent."""
        return cls(path=str(path), media_type=media_type)

    @classmethod
    def from_url(cls, url: str, media_type: str = "", *, fetch: bool = False) -> Self:
        """Return one at an address. The vendor fetches it; with `fetch`, we do, and send its bytes."""
        return cls(url=url, media_type=media_type, fetch=fetch)


@dataclass(frozen=True, slots=True)
class Image(Attachment):
    """A picture: PNG, JPEG, GIF or WebP."""


@dataclass(frozen=True, slots=True)
class File(Attachment):
    """A document: a PDF, where the provider takes one."""
