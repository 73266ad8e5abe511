"""What an environment leads to, seen through a container that is opened on it and asks nobody."""

from collections.abc import Callable
from functools import partial

from .. import Container
from ..domain.errors import ConfigurationError
from ..infrastructure.llm.providers.assembly.builder import Sources
from ..infrastructure.llm.providers.registry import read_sources, readable_entries
from ..infrastructure.optional.optional_dependencies import require_watchfiles
from .environment_diff import EnvironmentReport, hidden_values, without_faulty
from .session import logging_set_aside


def read_environment_report(name: str, *, files_only: bool) -> EnvironmentReport:
    """Return what the environment `name` leads to, its faults included; "" is the one of this process.

    Raises:
        ConfigurationError: no file has that name, or one cannot be read, so that nothing is known of it.
    """
    load = partial(read_sources, name=name or None, files_only=files_only)
    sources = load()
    with logging_set_aside():
        try:
            return _report(name, sources, _opened(load))
        except ConfigurationError as error:
            faults = error.faults or (str(error),)
            entries = without_faulty(readable_entries(sources), faults)
            hidden = hidden_values(sources.environment, entries)
            return EnvironmentReport(name, entries, hidden, warnings=error.warnings, faults=faults)


def examine(name: str, *, files_only: bool) -> EnvironmentReport:
    """Return what the environment `name` leads to; that it cannot be read at all is a fault of it too."""
    try:
        return read_environment_report(name, files_only=files_only)
    except ConfigurationError as error:
        return EnvironmentReport(name, faults=(str(error),))


def _opened(load: Callable[[], Sources]) -> Container:
    """Return a container over what `load` reads, with all that an opening builds; it holds no connection."""
    container = Container()
    container.sources.override(load)
    container.router_parts()
    if container.settings().watch_files:
        require_watchfiles()
    return container


def _report(name: str, sources: Sources, container: Container) -> EnvironmentReport:
    registry = container.registry()
    snapshot = registry.snapshot()
    entries = tuple(container.configuration())
    chains = {
        role: tuple(asked for asked in chain if asked in snapshot.routes) for role, chain in snapshot.chains.items()
    }
    nobody = () if snapshot.routes else (f"no provider is configured. {snapshot.not_configured}",)
    return EnvironmentReport(
        name,
        entries,
        hidden_values(sources.environment, entries),
        chains,
        tuple(snapshot.routes),
        (*registry.warnings, *nobody),
    )
