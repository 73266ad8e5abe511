"""Reports on environments, from a container that is built over each of them and sends no request."""

from collections.abc import Callable
from functools import partial

from .. import Container
from ..domain.errors import ConfigurationError
from ..infrastructure.llm.providers.assembly.builder import Sources
from ..infrastructure.llm.providers.registry import read_sources, readable_entries
from ..infrastructure.optional.optional_dependencies import require_watchfiles
from .environment_diff import EnvironmentReport, mask_faulty_values, read_hidden_values
from .session import quiet_logging


def read_environment_report(name: str, *, files_only: bool) -> EnvironmentReport:
    """Return the report on the environment `name`, faults included; "" means the environment of this process.

    Raises:
        ConfigurationError: the environment has no file, or a file cannot be read.
    """
    load = partial(read_sources, name=name or None, files_only=files_only)
    sources = load()
    with quiet_logging():
        try:
            return _build_report(name, sources, _build_container(load))
        except ConfigurationError as error:
            faults = error.faults or (str(error),)
            entries = mask_faulty_values(readable_entries(sources), faults)
            hidden = read_hidden_values(sources.environment, entries)
            return EnvironmentReport(name, entries, hidden, warnings=error.warnings, faults=faults)


def examine_environment(name: str, *, files_only: bool) -> EnvironmentReport:
    """Return the report on the environment `name`; an environment that cannot be read has this error as its fault."""
    try:
        return read_environment_report(name, files_only=files_only)
    except ConfigurationError as error:
        return EnvironmentReport(name, faults=(str(error),))


def _build_container(load: Callable[[], Sources]) -> Container:
    """Build a container over the sources of `load`, with the parts that `open_container` builds; open no connection."""
    container = Container()
    container.sources.override(load)
    container.router_parts()
    if container.settings().watch_files:
        require_watchfiles()
    return container


def _build_report(name: str, sources: Sources, container: Container) -> EnvironmentReport:
    registry = container.registry()
    snapshot = registry.snapshot()
    entries = tuple(container.configuration())
    chains = {
        role: tuple(provider for provider in chain if provider in snapshot.routes)
        for role, chain in snapshot.chains.items()
    }
    no_provider = () if snapshot.routes else (f"no provider is configured. {snapshot.not_configured}",)
    return EnvironmentReport(
        name,
        entries,
        read_hidden_values(sources.environment, entries),
        chains,
        tuple(snapshot.routes),
        (*registry.warnings, *no_provider),
    )
