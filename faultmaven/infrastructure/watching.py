"""Watching files: a reload whenever one that was read is written, replaced, linked anew, appears or vanishes."""

import asyncio
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from faultmaven.domain.errors import ConfigurationError
from faultmaven.infrastructure.files import FileState, file_state

Files = Mapping[Path, FileState | None]
MOST_LINKS = 40  # they may lead in a circle; Linux follows as many
LOOK_MILLISECONDS = 5000  # without any event, as on some network file systems, it looks this often


def require_watchfiles() -> None:
    """Raise a `ConfigurationError` unless the optional package is there."""
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigurationError(
            "LLM_WATCH_FILES needs the package watchfiles, which is not installed",
            advice='Run: pip install "faultmaven[watch]"',
        )


async def watch_files(files: Callable[[], Files], reload: Callable[[], None], nothing: Callable[[], object]) -> None:
    """Call `reload`, in a thread, whenever one of `files()` changes; ends when cancelled.

    Args:
        files: The files to watch, as they were when they were read; asked again after every reload.
        reload: Its `ConfigurationError` is passed over: it has been told, and the next change may mend it.
        nothing: Called when there is no file to watch; then this returns.

    Raises:
        ConfigurationError: the package watchfiles is not installed.
    """
    require_watchfiles()
    known = dict(files())
    while known:
        before = await _changed(known)
        with suppress(ConfigurationError):
            await asyncio.to_thread(reload)
        # What changed after `before` was taken may not have been read, so that state counts and not a later one.
        known = {path: before.get(path, state) for path, state in files().items()}
    nothing()


async def _changed(known: Files) -> Files:
    """Wait until the files are no longer as in `known`; return how they are then."""
    found = known
    while found == known:
        found = await _look(known, _directories(known))
    return found


async def _look(known: Files, watched: frozenset[Path]) -> Files:
    """Return the files' states once they are not as in `known`, or once `watched` are not the directories to watch."""
    import watchfiles  # optional, and slow to import

    events = watchfiles.awatch(
        *watched, watch_filter=None, recursive=False, yield_on_timeout=True, rust_timeout=LOOK_MILLISECONDS
    )
    async with aclosing(events):
        while True:
            event = asyncio.ensure_future(anext(events))
            try:
                await asyncio.sleep(0)  # the first step sets the watch up; a look before that could miss a change
                found = {path: file_state(path) for path in known}
                if found != known or _directories(known) != watched:
                    return found
                await event
            except FileNotFoundError:  # a directory went away before it was watched
                return {path: file_state(path) for path in known}
            finally:
                event.cancel()
                await asyncio.gather(event, return_exceptions=True)


def _directories(paths: Iterable[Path]) -> frozenset[Path]:
    """Return the directories in which a change of what `paths` lead to shows.

    The files themselves are no use: an atomic replacement makes them other files. And where a path goes through links,
    as a mounted ConfigMap's does, the change shows where the link lies.
    """
    return frozenset(directory for path in paths for directory in _directories_of(path))


def _directories_of(path: Path) -> set[Path]:
    found: set[Path] = set()
    pending = {path}
    for _ in range(MOST_LINKS):
        if not pending:
            break
        path = pending.pop()
        with suppress(OSError):  # it goes away, or may not be looked at; what is above it is watched
            found.add(next(parent for parent in path.parents if parent.is_dir()))
            for link in (path, *path.parents):
                if link.is_symlink():
                    found.add(link.parent)
                    pending.add(link.parent / link.readlink() / path.relative_to(link))
    return found
