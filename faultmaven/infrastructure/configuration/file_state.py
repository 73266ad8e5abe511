"""Snapshots of files, to tell a changed file from any other event in its directory."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileState:
    """The facts that change when a file is written, replaced or linked to another target.

    Attributes:
        place: The path with all links resolved.
        size: In bytes.
        modified: In nanoseconds.
    """

    place: str
    device: int
    inode: int
    size: int
    modified: int


def file_state(path: Path) -> FileState | None:
    """Return the state of the file at `path`, None when there is none or its state cannot be read."""
    try:
        status = path.stat()
        place = os.path.realpath(path)
    except (OSError, ValueError):
        return None
    return FileState(place, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def file_states(paths: Iterable[Path]) -> dict[Path, FileState | None]:
    """Return the state of each of `paths`."""
    return {path: file_state(path) for path in paths}
