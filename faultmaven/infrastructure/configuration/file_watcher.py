"""Watching files: a reload whenever one that was read is written, replaced, linked anew, appears or vanishes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from ...domain.errors import ConfigurationError
from ..optional.optional_dependencies import require_watchfiles
from .file_state import FileState, file_states

Files = Mapping[Path, FileState | None]
MOST_LINKS = 40  # they may lead in a circle; Linux follows as many
LOOK_MILLISECONDS = 5000  # without any event, as on some network file systems, it looks this often


async def watch_files(files: Callable[[], Files], reload: Callable[[], None], warn: Callable[..., object]) -> None:
    """Call `reload`, in a thread, whenever one of `files()` changes; ends when cancelled.

    Args:
        files: The files to watch, as they were when they were read; asked again after every reload.
        reload: Its `ConfigurationError` is passed over: it has been told, and the next change may mend it. Any other
            exception is told to `warn`, and ends nothing either.
        warn: Takes an event's name and its fields. "nothing_to_watch": there is no file to watch, and this returns.
            "no_file_events": the system tells of no changes, as when its inotify instances are used up.

    Raises:
        ConfigurationError: the package watchfiles is not installed.
    """
    require_watchfiles()
    changes = _Changes(warn)
    known = dict(files())
    while known:
        before = await changes.of(known)
        try:
            await asyncio.to_thread(reload)
        except ConfigurationError:
            pass
        except Exception as error:  # noqa: BLE001 - a reload that fails for a reason of its own; the next may not
            warn("reload_failed", reason=type(error).__name__)
        # What changed after `before` was taken may not have been read, so that state counts and not a later one.
        known = {path: before.get(path, state) for path, state in files().items()}
    warn("nothing_to_watch")


class _Changes:
    """Waits for changes: by the system's events or, for as long as it gives none, by looking every five seconds."""

    def __init__(self, warn: Callable[..., object]) -> None:
        self._warn = warn
        self._told: set[str] = set()

    async def of(self, known: Files) -> Files:
        """Wait until the files are no longer as in `known`; return how they are then."""
        found = known
        while found == known:
            watched = _directories(known)
            try:
                found = await _look(known, watched)
            except _NoEventsError as missing:
                if missing.directory_is_gone and _directories(known) != watched:
                    continue  # it went away before it was watched
                self._tell(missing.reason)
                await asyncio.sleep(LOOK_MILLISECONDS / 1000)
                found = file_states(known)
        return found

    def _tell(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._warn("no_file_events", reason=reason, look_every_s=LOOK_MILLISECONDS / 1000)


class _NoEventsError(Exception):
    """The system gives no events of these directories."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.reason = type(error).__name__
        self.directory_is_gone = isinstance(error, FileNotFoundError)


async def _look(known: Files, watched: frozenset[Path]) -> Files:
    """Return the files' states once they are not as in `known`, or once `watched` are not the directories to watch.

    Raises:
        _NoEventsError: `watched` cannot be watched, and nothing has changed so far.
    """
    async with aclosing(_events(watched)) as events:
        while True:
            event = asyncio.ensure_future(anext(events))
            try:
                await asyncio.sleep(0)  # the first step sets the watch up; a look before that could miss a change
                found = file_states(known)
                if found != known or _directories(known) != watched:
                    return found
                await event
            finally:
                event.cancel()
                await asyncio.gather(event, return_exceptions=True)


async def _events(watched: frozenset[Path]) -> AsyncGenerator[object, None]:
    """Give something whenever something may have changed in `watched`, and now and then when nothing has."""
    try:
        import watchfiles  # optional, and slow to import

        events = watchfiles.awatch(
            *watched, watch_filter=None, recursive=False, yield_on_timeout=True, rust_timeout=LOOK_MILLISECONDS
        )
        async with aclosing(events):
            async for event in events:
                yield event
    except Exception as error:
        raise _NoEventsError(error) from error
    raise _NoEventsError(StopAsyncIteration())


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
        # It goes away, may not be looked at, or is no path: what is above it is watched.
        with suppress(OSError, ValueError):
            found.add(next(parent for parent in path.parents if parent.is_dir()))
            for link in (path, *path.parents):
                if link.is_symlink():
                    found.add(link.parent)
                    pending.add(link.parent / link.readlink() / path.relative_to(link))
    return found
