"""Reloading when a file of the configuration is written, replaced, linked to another target, created or deleted."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from ...domain.errors import ConfigurationError
from ..optional.optional_dependencies import require_watchfiles
from .file_state import FileState, file_states

Files = Mapping[Path, FileState | None]
MAX_LINKS = 40  # links may form a circle; Linux follows as many
LOOK_MILLISECONDS = 5000  # interval for comparing files without any event, as on some network file systems


async def watch_files(files: Callable[[], Files], reload: Callable[[], None], warn: Callable[..., object]) -> None:
    """Call `reload`, in a thread, whenever one of `files()` changes; ends when cancelled.

    Args:
        files: Returns the files to watch, each with its state before it was read. Called again after every reload.
        reload: A `ConfigurationError` that it raises is ignored: the error is logged already, and the next change may
            correct it. Any other exception is passed to `warn`. Neither ends the watching.
        warn: Takes an event's name and its fields. "nothing_to_watch": there is no file to watch, and this function
            returns. "no_file_events": the system reports no changes, as when its inotify instances are used up.
            "reload_failed": `reload` raised another exception than `ConfigurationError`.

    Raises:
        ConfigurationError: the package watchfiles is not installed.
    """
    require_watchfiles()
    changes = _Changes(warn)
    known = dict(files())
    while known:
        before = await changes.wait(known)
        try:
            await asyncio.to_thread(reload)
        except ConfigurationError:
            pass
        except Exception as error:  # noqa: BLE001 - a defect in `reload`; the next reload may succeed
            warn("reload_failed", reason=type(error).__name__)
        # A change after `before` was taken may not have been read, so `before` is compared next and no later state.
        known = {path: before.get(path, state) for path, state in files().items()}
    warn("nothing_to_watch")


class _Changes:
    """Waits for changes by the system's events or, while the system gives none, by comparing every five seconds."""

    def __init__(self, warn: Callable[..., object]) -> None:
        self._warn = warn
        self._warned: set[str] = set()

    async def wait(self, known: Files) -> Files:
        """Wait until the files differ from `known`; return their states then."""
        current = known
        while current == known:
            watched = _directories(known)
            try:
                current = await _watch(known, watched)
            except _NoEventsError as error:
                if error.directory_is_gone and _directories(known) != watched:
                    continue  # a directory was deleted before it was watched
                self._warn_once(error.reason)
                await asyncio.sleep(LOOK_MILLISECONDS / 1000)
                current = file_states(known)
        return current

    def _warn_once(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            self._warn("no_file_events", reason=reason, look_every_s=LOOK_MILLISECONDS / 1000)


class _NoEventsError(Exception):
    """The system gives no events of these directories."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.reason = type(error).__name__
        self.directory_is_gone = isinstance(error, FileNotFoundError)


async def _watch(known: Files, watched: frozenset[Path]) -> Files:
    """Return the files' states once they differ from `known`, or once the directories to watch differ from `watched`.

    Raises:
        _NoEventsError: `watched` cannot be watched, and nothing has changed so far.
    """
    async with aclosing(_events(watched)) as events:
        while True:
            event = asyncio.ensure_future(anext(events))
            try:
                await asyncio.sleep(0)  # the first step starts the watch; comparing before it could miss a change
                current = file_states(known)
                if current != known or _directories(known) != watched:
                    return current
                await event
            finally:
                event.cancel()
                await asyncio.gather(event, return_exceptions=True)


async def _events(watched: frozenset[Path]) -> AsyncGenerator[object, None]:
    """Yield whenever `watched` may have changed, and at intervals when nothing has."""
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
    """Return the directories whose events show a change of the files at `paths`.

    Watching the files themselves would miss an atomic replacement, which puts another file at the path. Where a path
    goes through links, as in a mounted ConfigMap, the change shows in the link's directory.
    """
    return frozenset(directory for path in paths for directory in _directories_of(path))


def _directories_of(path: Path) -> set[Path]:
    directories: set[Path] = set()
    pending = {path}
    for _ in range(MAX_LINKS):
        if not pending:
            break
        path = pending.pop()
        # Deleted meanwhile, not readable, or no valid path: the directories above it are watched.
        with suppress(OSError, ValueError):
            directories.add(next(parent for parent in path.parents if parent.is_dir()))
            for link in (path, *path.parents):
                if link.is_symlink():
                    directories.add(link.parent)
                    pending.add(link.parent / link.readlink() / path.relative_to(link))
    return directories
