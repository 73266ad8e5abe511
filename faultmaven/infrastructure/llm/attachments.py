"""Images and files of a request: read from this machine or fetched from their address before the request is sent."""

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ...application.validation.attachments import checked_attachment, max_bytes
from ...domain.attachments import Attachment
from ...domain.errors import InvalidRequestError
from ...domain.requests import ChatRequest

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
PartPosition: TypeAlias = tuple[int, int]
"""The index of a message in the prompt, and the index of a part in that message."""


async def load_attachments(request: ChatRequest, fetch: Fetch) -> ChatRequest:
    """Return `request` with the bytes of every file, and of every address marked `fetch=True`.

    A request without such parts is returned unchanged. Bytes are kept on the request, so that the next attempt of the
    same call reads and fetches nothing again.

    Args:
        fetch: Gets an address, and returns the bytes behind it.

    Raises:
        InvalidRequestError: a file cannot be read, or its content cannot be sent.
    """
    attachments = dict(_unloaded_attachments(request))
    if not attachments:
        return request
    loaded = request.shape.read
    missing = {position: part for position, part in attachments.items() if position not in loaded}
    files = {position: part for position, part in missing.items() if part.path}
    contents = await asyncio.to_thread(_read_files, files) if files else {}
    for position, part in missing.items():
        if position not in contents:
            contents[position] = await fetch(part.url)
    loaded.update({position: _with_data(part, contents[position], position) for position, part in missing.items()})
    return _replace_parts(request, loaded)


def _unloaded_attachments(request: ChatRequest) -> Iterator[tuple[PartPosition, Attachment]]:
    for message_index, message in enumerate(request.messages):
        for part_index, part in enumerate(message.parts):
            if isinstance(part, Attachment) and part.data is None and (part.path or part.fetch):
                yield (message_index, part_index), part


def _with_data(part: Attachment, data: bytes, position: PartPosition) -> Attachment:
    return checked_attachment(replace(part, data=data, path="", url="", fetch=False), _describe(position))


def _replace_parts(request: ChatRequest, loaded: dict[PartPosition, Attachment]) -> ChatRequest:
    messages = []
    for message_index, message in enumerate(request.messages):
        parts = tuple(loaded.get((message_index, part_index), part) for part_index, part in enumerate(message.parts))
        messages.append(message if parts == message.parts else replace(message, parts=parts))
    return replace(request, messages=tuple(messages))


def _read_files(parts: dict[PartPosition, Attachment]) -> dict[PartPosition, bytes]:
    return {position: _read_file(part, _describe(position)) for position, part in parts.items()}


def _read_file(part: Attachment, where: str) -> bytes:
    """Return the bytes of a regular file.

    Pipes and devices are never opened, since reading a pipe would block and a device may have no end.
    """
    limit, problem = max_bytes(part), ""
    try:
        status = Path(part.path).stat()
        if not stat.S_ISREG(status.st_mode):
            problem = "a path that is not a file"
        elif status.st_size > limit:
            problem = f"a file of more than {limit} bytes"
        else:
            with Path(part.path).open("rb") as file:
                return file.read(limit + 1)  # one byte more, so that a file that grew since `stat` is refused
    except (OSError, ValueError) as error:
        problem = f"a file that cannot be read ({type(error).__name__})"
    # Raised outside of the `except` block: the chained OSError would show the path.
    raise InvalidRequestError(f"{where} names {problem}", advice="Check the path of the image or file.")


def _describe(position: PartPosition) -> str:
    return f"prompt[{position[0]}]"
