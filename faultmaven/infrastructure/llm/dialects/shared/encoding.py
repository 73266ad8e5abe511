"""Encoding of images and files in requests."""

import base64

from .....domain.attachments import Attachment


def to_base64(attachment: Attachment) -> str:
    """Return the bytes of the attachment as standard base64, without a prefix."""
    return base64.b64encode(attachment.data or b"").decode("ascii")


def attachment_uri(attachment: Attachment) -> str:
    """Return the URL of the attachment for the vendor to fetch, or else its bytes as a `data:` URI."""
    if attachment.data is None:
        return attachment.url
    return f"data:{attachment.media_type};base64,{to_base64(attachment)}"
