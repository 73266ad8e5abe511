"""Images and files before they are sent: read from this machine, or fetched where the caller wants us to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from faultmaven.application.attachment_checks import MOST_FILE_BYTES, MOST_IMAGE_BYTES, checked_attachment
from faultmaven.domain.attachments import Attachment, File
from faultmaven.domain.chat import ChatRequest, Message, Part
from faultmaven.domain.errors import InvalidRequestError

Fetch = Callable[[str], Awaitable[bytes]]


async def loaded(request: ChatRequest, fetch: Fetch) -> ChatRequest:
    """Return `request` with every file read and every address fetched that is ours to fetch; the same where none is.

    Raises:
        InvalidRequestError: a file cannot be read, or what it holds cannot be sent.
    """
    if not any(_is_ours(part) for message in request.messages for part in message.parts):
        return request
    messages = [await _loaded(position, message, fetch) for position, message in enumerate(request.messages)]
    return replace(request, messages=tuple(messages))


def _is_ours(part: Part) -> bool:
    return isinstance(part, Attachment) and part.data is None and (bool(part.path) or part.fetch)


async def _loaded(position: int, message: Message, fetch: Fetch) -> Message:
    if not any(map(_is_ours, message.parts)):
        return message
    where = f"prompt[{position}]"
    return replace(message, parts=tuple([await _bytes_of(part, where, fetch) for part in message.parts]))


async def _bytes_of(part: Part, where: str, fetch: Fetch) -> Part:
    if isinstance(part, str) or not _is_ours(part):
        return part
    data = await asyncio.to_thread(_read, part, where) if part.path else await fetch(part.url)
    return checked_attachment(replace(part, data=data, path="", url="", fetch=False), where)


def _read(part: Attachment, where: str) -> bytes:
    path, limit = Path(part.path), MOST_FILE_BYTES if isinstance(part, File) else MOST_IMAGE_BYTES
    try:
        if path.stat().st_size > limit:
            raise InvalidRequestError(f"{where} names a file of more than {limit} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{where} names a file that cannot be read ({type(error).__name__})") from error
