"""Images and files before they are sent: read from this machine, or fetched where the caller wants us to."""

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
Place: TypeAlias = tuple[int, int]
"""A turn's position, and the part's in it."""


async def loaded(request: ChatRequest, fetch: Fetch) -> ChatRequest:
    """Return `request` with every file read and every address fetched that is ours to fetch; the same where none is.

    What was read once for a call is not read again for its next attempt.

    Raises:
        InvalidRequestError: a file cannot be read, or what it holds cannot be sent.
    """
    missing = dict(_missing(request))
    if not missing:
        return request
    read = request.shape.read
    missing = {place: part for place, part in missing.items() if place not in read}
    paths = {place: part for place, part in missing.items() if part.path}
    found = await asyncio.to_thread(_read_all, paths) if paths else {}
    for place, part in missing.items():
        if place not in found:
            found[place] = await fetch(part.url)
    read.update({place: _filled(part, found[place], place) for place, part in missing.items()})
    return _with_bytes(request, read)


def _missing(request: ChatRequest) -> Iterator[tuple[Place, Attachment]]:
    for position, message in enumerate(request.messages):
        for index, part in enumerate(message.parts):
            if isinstance(part, Attachment) and part.data is None and (part.path or part.fetch):
                yield (position, index), part


def _filled(part: Attachment, data: bytes, place: Place) -> Attachment:
    return checked_attachment(replace(part, data=data, path="", url="", fetch=False), _where(place))


def _with_bytes(request: ChatRequest, filled: dict[Place, Attachment]) -> ChatRequest:
    turns = []
    for position, message in enumerate(request.messages):
        parts = tuple(filled.get((position, index), part) for index, part in enumerate(message.parts))
        turns.append(message if parts == message.parts else replace(message, parts=parts))
    return replace(request, messages=tuple(turns))


def _read_all(parts: dict[Place, Attachment]) -> dict[Place, bytes]:
    return {place: _read(part, _where(place)) for place, part in parts.items()}


def _read(part: Attachment, where: str) -> bytes:
    """Return the file's bytes; what is no file is never opened: a pipe would wait, and a device never ends."""
    limit, problem = max_bytes(part), ""
    try:
        status = Path(part.path).stat()
        if not stat.S_ISREG(status.st_mode):
            problem = "something that is no file"
        elif status.st_size > limit:
            problem = f"a file of more than {limit} bytes"
        else:
            with Path(part.path).open("rb") as file:
                return file.read(limit + 1)  # one more, so that a file that grew meanwhile is refused
    except (OSError, ValueError) as error:
        problem = f"a file that cannot be read ({type(error).__name__})"
    # Outside of the block: the system's own error shows the path.
    raise InvalidRequestError(f"{where} names {problem}", advice="Check the path of the image or file.")


def _where(place: Place) -> str:
    return f"prompt[{place[0]}]"
