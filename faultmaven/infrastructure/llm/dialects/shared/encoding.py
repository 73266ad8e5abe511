"""Images and files as dialects write them."""

import base64

from .....domain.attachments import Attachment


def to_base64(attachment: Attachment) -> str:
    """Return the bytes as standard base64, without a prefix."""
    return base64.b64encode(attachment.data or b"").decode("ascii")


def attachment_uri(attachment: Attachment) -> str:
    """Return the address where the vendor is to fetch it, else the bytes as a `data:` address."""
    if attachment.data is None:
        return attachment.url
    return f"data:{attachment.media_type};base64,{to_base64(attachment)}"
