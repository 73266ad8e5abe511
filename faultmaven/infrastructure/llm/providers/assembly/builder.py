"""From sources to one whole configuration: rows, providers, routes, chains; or every fault of it at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .....application.configuration import ConfigurationSnapshot, Route
from .....application.policies.policies import DEFAULT_POLICIES, Policies
from .....domain.errors import ConfigurationError
from .....ports.clock import Clock
from ....configuration.environment_warnings import environment_warnings
from ....configuration.file_state import FileState, file_states
from ....configuration.settings import Environment, Settings, faults_error
from ....http.types import Transport
from ....optional.optional_dependencies import ratelimit_is_missing
from ..base import BaseLLMProvider
from ..rows.name_checks import wrong_names
from ..rows.sources import RowWithSource, rows_of_file, rows_of_packages
from ..rows.spec import ProviderSpec, port_faults, row_faults, spec_from_row, spec_of_given
from .provider_config import ConfiguredRow, configure
from .snapshot import build_generation, build_route


@dataclass(frozen=True, slots=True)
class Sources:
    """What a registry is made from, read anew by every reload."""

    environment: Environment
    settings: Settings
    faults: Sequence[str] = ()

    @property
    def network_settings(self) -> Settings:
        """The settings, with certificate paths that no longer depend on the working directory."""
        paths = {"ssl_cert_file": self.settings.ssl_cert_file, "ssl_cert_dir": self.settings.ssl_cert_dir}
        located = {name: str(self.environment.directory / path) for name, path in paths.items() if path}
        return self.settings.model_copy(update=located) if located else self.settings


@dataclass(frozen=True, slots=True)
class BuiltConfiguration:
    """Everything of one generation, swapped as a whole."""

    sources: Sources
    rows: Mapping[str, ConfiguredRow]
    providers: Mapping[str, Any]
    generation: ConfigurationSnapshot
    transport: Transport
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ConfigurationBuilder:
    """What a configuration is made of beside its sources, the same at every reload.

    Attributes:
        schema: The rows that ship, as plain dicts.
        transport_for: Makes what carries requests under these settings.
        given: Provider objects that replace or add the row of their name.
        only_given: Use nothing but `given`.
        policies: The host's own error table and acceptance; the rest of it comes from the settings.
        classes: The classes that a TOML row may name without a module.
        counts_elsewhere: The host brings what counts per minute, so the extra `ratelimit` is not needed.
    """

    schema: Mapping[str, Any]
    transport_for: Callable[[Settings], Transport]
    clock: Clock
    given: Mapping[str, Any] = field(default_factory=dict)
    only_given: bool = False
    policies: Policies = DEFAULT_POLICIES
    classes: Callable[[], Mapping[str, type[Any]]] = dict
    counts_elsewhere: bool = False

    def specs(self, sources: Sources, run_time_rows: Mapping[str, Any]) -> "RowSpecs":
        """Return every row there is, with the faults of all of them."""
        faults = list(sources.faults)
        sourced = list(self._sourced(sources, run_time_rows, faults))
        names = frozenset(str(row.name) for row in sourced)
        return RowSpecs(self._sound(sourced, faults), names, faults)

    def assemble(self, sources: Sources, specs: "RowSpecs", transport: Transport | None = None) -> BuiltConfiguration:
        """Return the configuration that `sources` make now; without a `transport`, with one of its own.

        Raises:
            ConfigurationError: lists every fault.
        """
        faults, settings = list(specs.faults), sources.settings
        try:
            transport = transport or self.transport_for(sources.network_settings)
        except ConfigurationError as error:
            faults.append(str(error))
        named = {name for name in settings.role_providers.values() if name}
        named.update(settings.fallback_chain)
        rows = self._configured(specs.sound, sources, named, faults)
        providers, missing = self._providers(rows, transport, faults) if transport else ({}, {})
        routes = self._routes(rows, providers, settings, faults)
        faults += [] if self.counts_elsewhere else _unmet_limits(routes.values())
        faults += wrong_names(settings, sources.environment, {*specs.sound, *specs.names}, missing)
        warnings = self._warnings(sources.environment, specs.sound.values())
        if faults or transport is None:
            refused = faults_error("the configuration", list(dict.fromkeys(faults)))
            refused.warnings = warnings
            raise refused
        found = [row.spec for row in rows.values()]
        generation = build_generation(routes, missing, found, settings, self.policies)
        return BuiltConfiguration(sources, rows, providers, generation, transport, warnings)

    def _warnings(self, environment: Environment, specs: Iterable[ProviderSpec]) -> tuple[str, ...]:
        if self.only_given:
            return ()
        variables = [variable for spec in specs for variable in spec.variables]
        keys = [spec.api_key_var for spec in specs if spec.api_key_var]
        return tuple(environment_warnings(environment, variables, keys))

    def _sound(self, rows: Iterable[RowWithSource], faults: list[str]) -> dict[str, ProviderSpec]:
        """Return a spec for every sound row; take every fault of the others, and every clash between sources."""
        specs: dict[str, ProviderSpec] = {}
        first: dict[Any, str] = {}
        for sourced in rows:
            name, row, source = sourced.name, sourced.row, sourced.source
            wrong = row_faults(name, row, source)
            faults += wrong
            if name in first:
                faults.append(f"provider {name!r} stands in two sources: {first[name]} and {source}")
            elif not wrong:
                specs[name] = spec_from_row(name, row, source)
            first.setdefault(name, source)
        for name, provider in self.given.items():
            faults += port_faults(name, provider)
            specs.setdefault(name, spec_of_given(name, provider))
        return specs

    def _sourced(
        self, sources: Sources, run_time_rows: Mapping[str, Any], faults: list[str]
    ) -> Iterator[RowWithSource]:
        if not self.only_given:
            yield from (RowWithSource(name, row, "PROVIDER_SCHEMA") for name, row in list(self.schema.items()))
            if named := sources.settings.providers_file:
                try:
                    yield from rows_of_file(named, sources.environment.directory, self.classes())
                except ConfigurationError as error:
                    faults.append(str(error))
            yield from rows_of_packages()
        yield from (RowWithSource(name, row, "register_provider") for name, row in run_time_rows.items())

    def _configured(
        self, specs: Mapping[str, ProviderSpec], sources: Sources, named: set[str], faults: list[str]
    ) -> dict[str, ConfiguredRow]:
        rows = {}
        for name, spec in specs.items():
            try:
                rows[name] = configure(spec, sources.environment, sources.settings, named | self.given.keys())
            except ConfigurationError as error:
                faults.append(str(error))
        return rows

    def _providers(
        self, rows: Mapping[str, ConfiguredRow], transport: Transport, faults: list[str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the configured providers, made, and what each of the others lacks."""
        providers: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for name, row in rows.items():
            if name in self.given:
                if not port_faults(name, self.given[name]):
                    providers[name] = self.given[name]
            elif row.missing:
                missing[name] = row.missing
            else:
                try:
                    provider = self._make(row, transport)
                    available = provider.is_available()
                except Exception as error:  # noqa: BLE001 - foreign code may raise anything; it is reported as a fault
                    class_name = row.spec.provider_class.__name__
                    faults.append(f"provider {name!r}: {class_name} cannot be made ({type(error).__name__})")
                    continue
                if available:
                    providers[name] = provider
                else:
                    missing[name] = "its class says that it is not available"
        return providers, missing

    def _routes(
        self, rows: Mapping[str, ConfiguredRow], providers: Mapping[str, Any], settings: Settings, faults: list[str]
    ) -> dict[str, Route]:
        routes = {}
        for name, provider in providers.items():
            if name not in rows:
                continue  # its row has faults of its own
            try:
                routes[name] = build_route(rows[name].spec, rows[name].config, provider, self.clock, settings)
            except Exception as error:  # noqa: BLE001 - foreign code may raise anything; it is reported as a fault
                told = f"its get_supported_models() gives no names ({type(error).__name__})"
                faults.append(f"provider {name!r}: {told}")
        return routes

    def _make(self, row: ConfiguredRow, transport: Transport) -> Any:
        made = row.spec.provider_class
        if issubclass(made, BaseLLMProvider):
            return made.create(row.config, transport, self.clock)
        return made(row.config)


@dataclass(frozen=True, slots=True)
class RowSpecs:
    """The rows of all sources: the sound ones as specs, the names of all, and what is wrong."""

    sound: Mapping[str, ProviderSpec]
    names: frozenset[str]
    faults: Sequence[str]


def _unmet_limits(routes: Iterable[Route]) -> list[str]:
    """Return a sentence for each provider with a limit per minute that nothing here can count."""
    limited = [route.name for route in routes if route.requests_per_minute or route.tokens_per_minute]
    told = ratelimit_is_missing() if limited else ""
    return [f"provider {name!r}: {told}" for name in limited] if told else []


def states_before(sources: Sources) -> dict[Path, FileState | None]:
    """Return the state of every file that `sources` were read from, as it was then, and now of those that they name."""
    named = (sources.settings.providers_file, sources.settings.ssl_cert_file)
    return {**_states(sources.environment, named), **sources.environment.files}


def states_of_keys(environment: Environment, specs: Iterable[ProviderSpec]) -> dict[Path, FileState | None]:
    """Return the state of every file that holds the key of one of `specs`."""
    return _states(environment, [environment.get(f"{spec.api_key_var}_FILE") for spec in specs if spec.api_key_var])


def _states(environment: Environment, names: Iterable[str | None]) -> dict[Path, FileState | None]:
    return file_states(environment.directory / name for name in names if name)
