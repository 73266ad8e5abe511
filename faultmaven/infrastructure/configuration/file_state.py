"""Files as they are at one moment, so that a change can be told from a stir in their directory."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file is written, replaced or linked anew; `modified` is in nanoseconds."""

    place: str
    device: int
    inode: int
    size: int
    modified: int


def file_state(path: Path) -> FileState | None:
    """Return the state of the file that `path` leads to, None when it leads to none that can be looked at."""
    try:
        found = path.stat()
        place = os.path.realpath(path)
    except (OSError, ValueError):
        return None
    return FileState(place, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def file_states(paths: Iterable[Path]) -> dict[Path, FileState | None]:
    """Return the state of each of `paths`."""
    return {path: file_state(path) for path in paths}
