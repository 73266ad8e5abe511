"""ConfigurationBuilder: builds rows, providers, routes and chains from the sources, or reports all of their faults."""

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
from ....http.transport import HTTPTransport
from ....http.types import Transport
from ....optional.optional_dependencies import ratelimit_is_missing
from ..base import BaseLLMProvider
from ..dialect_provider import DialectProvider
from ..rows.name_checks import provider_name_faults
from ..rows.sources import RowWithSource, read_file_rows, read_package_rows
from ..rows.spec import ProviderSpec, provider_object_faults, row_faults, spec_from_object, spec_from_row
from .provider_config import ConfiguredRow, configure
from .snapshot import build_route, build_snapshot


@dataclass(frozen=True, slots=True)
class Sources:
    """Environment and settings of one configuration; every reload reads them again."""

    environment: Environment
    settings: Settings
    faults: Sequence[str] = ()

    @property
    def network_settings(self) -> Settings:
        """The settings, with certificate paths that do not depend on the working directory."""
        paths = {"ssl_cert_file": self.settings.ssl_cert_file, "ssl_cert_dir": self.settings.ssl_cert_dir}
        absolute = {name: str(self.environment.directory / path) for name, path in paths.items() if path}
        return self.settings.model_copy(update=absolute) if absolute else self.settings


@dataclass(frozen=True, slots=True)
class BuiltConfiguration:
    """One configuration with all of its objects; a reload replaces it as a whole."""

    sources: Sources
    rows: Mapping[str, ConfiguredRow]
    providers: Mapping[str, Any]
    snapshot: ConfigurationSnapshot
    transport: Transport
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RowSpecs:
    """The rows of all sources.

    Attributes:
        valid: The specs of valid rows by name.
        names: The names of all rows, valid or not.
        faults: The faults of the others, and of the sources.
    """

    valid: Mapping[str, ProviderSpec]
    names: frozenset[str]
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class ConfigurationBuilder:
    """Builds the configuration of the first read and of every reload.

    Attributes:
        schema: The shipped rows, as plain dicts.
        transport_for: Builds the transport for some settings.
        provider_overrides: Provider objects that replace or add the row of their name.
        only_overrides: Use no provider but those of `provider_overrides`.
        policies: The host's error policy and acceptance; the settings determine the other policies.
        classes: The built-in classes, which a TOML row may name without a module.
        has_external_rate_counter: The host passed a rate counter, so limits per minute need no extra `ratelimit`.
    """

    schema: Mapping[str, Any]
    transport_for: Callable[[Settings], Transport]
    clock: Clock
    provider_overrides: Mapping[str, Any] = field(default_factory=dict)
    only_overrides: bool = False
    policies: Policies = DEFAULT_POLICIES
    classes: Callable[[], Mapping[str, type[Any]]] = dict
    has_external_rate_counter: bool = False

    def collect_specs(self, sources: Sources, run_time_rows: Mapping[str, Any]) -> RowSpecs:
        """Return the specs of all rows, with the faults of all of them."""
        faults = list(sources.faults)
        rows = list(self._read_rows(sources, run_time_rows, faults))
        names = frozenset(str(row.name) for row in rows)
        return RowSpecs(self._validate_rows(rows, faults), names, faults)

    def build(self, sources: Sources, specs: RowSpecs, transport: Transport | None = None) -> BuiltConfiguration:
        """Return the configuration of `sources`.

        Args:
            transport: The transport to use; None builds a new one.

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
        rows = self._configure_rows(specs.valid, sources, named, faults)
        providers, missing = self._build_providers(rows, transport, faults) if transport else ({}, {})
        routes = self._build_routes(rows, providers, transport, settings, faults)
        faults += [] if self.has_external_rate_counter else _rate_limit_faults(routes.values())
        faults += provider_name_faults(settings, sources.environment, {*specs.valid, *specs.names}, missing)
        warnings = self._collect_warnings(sources.environment, specs.valid.values())
        if faults or transport is None:
            refusal = faults_error("the configuration", list(dict.fromkeys(faults)))
            refusal.warnings = warnings
            raise refusal
        configured_specs = [row.spec for row in rows.values()]
        snapshot = build_snapshot(routes, missing, configured_specs, settings, self.policies)
        return BuiltConfiguration(sources, rows, providers, snapshot, transport, warnings)

    def _collect_warnings(self, environment: Environment, specs: Iterable[ProviderSpec]) -> tuple[str, ...]:
        if self.only_overrides:
            return ()
        variables = [variable for spec in specs for variable in spec.variables]
        keys = [spec.api_key_var for spec in specs if spec.api_key_var]
        return tuple(environment_warnings(environment, variables, keys))

    def _validate_rows(self, rows: Iterable[RowWithSource], faults: list[str]) -> dict[str, ProviderSpec]:
        """Return the specs of valid rows; add the faults of the others, and duplicates between sources, to `faults`."""
        specs: dict[str, ProviderSpec] = {}
        first_sources: dict[Any, str] = {}
        for row_with_source in rows:
            name, row, source = row_with_source.name, row_with_source.row, row_with_source.source
            faults_of_row = row_faults(name, row, source)
            faults += faults_of_row
            if name in first_sources:
                faults.append(f"provider {name!r} is defined in two sources: {first_sources[name]} and {source}")
            elif not faults_of_row:
                specs[name] = spec_from_row(name, row, source)
            first_sources.setdefault(name, source)
        for name, provider in self.provider_overrides.items():
            faults += provider_object_faults(name, provider)
            specs.setdefault(name, spec_from_object(name, provider))
        return specs

    def _read_rows(
        self, sources: Sources, run_time_rows: Mapping[str, Any], faults: list[str]
    ) -> Iterator[RowWithSource]:
        if not self.only_overrides:
            yield from (RowWithSource(name, row, "PROVIDER_SCHEMA") for name, row in list(self.schema.items()))
            if path := sources.settings.providers_file:
                try:
                    yield from read_file_rows(path, sources.environment.directory, self.classes())
                except ConfigurationError as error:
                    faults.append(str(error))
            yield from read_package_rows()
        yield from (RowWithSource(name, row, "register_provider") for name, row in run_time_rows.items())

    def _configure_rows(
        self, specs: Mapping[str, ProviderSpec], sources: Sources, named: set[str], faults: list[str]
    ) -> dict[str, ConfiguredRow]:
        rows = {}
        for name, spec in specs.items():
            try:
                rows[name] = configure(
                    spec, sources.environment, sources.settings, named | self.provider_overrides.keys()
                )
            except ConfigurationError as error:
                faults.append(str(error))
        return rows

    def _build_providers(
        self, rows: Mapping[str, ConfiguredRow], transport: Transport, faults: list[str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the configured providers by name, and by name the reason why each other row is not configured."""
        providers: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for name, row in rows.items():
            if name in self.provider_overrides:
                if not provider_object_faults(name, self.provider_overrides[name]):
                    providers[name] = self.provider_overrides[name]
            elif row.missing:
                missing[name] = row.missing
            else:
                try:
                    provider = self._build_provider(row, transport)
                    is_available = provider.is_available()
                except Exception as error:  # noqa: BLE001 - third-party code may raise anything; a fault reports it
                    class_name = row.spec.provider_class.__name__
                    faults.append(f"provider {name!r}: {class_name} cannot be created ({type(error).__name__})")
                    continue
                if is_available:
                    providers[name] = provider
                else:
                    missing[name] = "the class reports that the provider is not available"
        return providers, missing

    def _build_routes(
        self,
        rows: Mapping[str, ConfiguredRow],
        providers: Mapping[str, Any],
        transport: Transport | None,
        settings: Settings,
        faults: list[str],
    ) -> dict[str, Route]:
        routes = {}
        for name, provider in providers.items():
            if name not in rows:
                continue  # the faults of its row are reported already
            try:
                keeps_time = name not in self.provider_overrides and self._keeps_time(provider, transport)
                routes[name] = build_route(
                    rows[name].spec, rows[name].config, provider, self.clock, settings, keeps_time=keeps_time
                )
            except Exception as error:  # noqa: BLE001 - third-party code may raise anything; a fault reports it
                problem = f"its get_supported_models() returns no names ({type(error).__name__})"
                faults.append(f"provider {name!r}: {problem}")
        return routes

    def _build_provider(self, row: ConfiguredRow, transport: Transport) -> Any:
        provider_class = row.spec.provider_class
        if not issubclass(provider_class, BaseLLMProvider):
            return provider_class(row.config)
        return provider_class.create(row.config, transport, self.clock)

    def _keeps_time(self, provider: Any, transport: Transport | None) -> bool:
        """Return whether a provider that this builder made ends every attempt at its timeout.

        Exact types only, since a subclass of a provider or of the transport may wait for anything.
        """
        is_built_in = isinstance(provider, DialectProvider) and type(provider) in self.classes().values()
        return is_built_in and type(transport) is HTTPTransport


def _rate_limit_faults(routes: Iterable[Route]) -> list[str]:
    """Return a message for each provider whose limit per minute needs the extra `ratelimit`, which is not installed."""
    limited = [route.name for route in routes if route.requests_per_minute or route.tokens_per_minute]
    problem = ratelimit_is_missing() if limited else ""
    return [f"provider {name!r}: {problem}" for name in limited] if problem else []


def source_file_states(sources: Sources) -> dict[Path, FileState | None]:
    """Return the states of the files that `sources` were read from, from before reading, and of the files they name."""
    named = (sources.settings.providers_file, sources.settings.ssl_cert_file)
    return {**_states(sources.environment, named), **sources.environment.files}


def key_file_states(environment: Environment, specs: Iterable[ProviderSpec]) -> dict[Path, FileState | None]:
    """Return the state of every file that holds the key of one of `specs`."""
    return _states(environment, [environment.get(f"{spec.api_key_var}_FILE") for spec in specs if spec.api_key_var])


def _states(environment: Environment, names: Iterable[str | None]) -> dict[Path, FileState | None]:
    return file_states(environment.directory / name for name in names if name)
