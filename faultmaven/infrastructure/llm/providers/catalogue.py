"""ProviderRegistry: which providers there are, which are configured, and the generation that is in force."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from faultmaven.application.generation import Generation, Route
from faultmaven.application.observing import tell
from faultmaven.application.policies import DEFAULT_POLICIES, Policies
from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.events import ConfigurationReloaded, ReloadRefused
from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.environment_warnings import environment_warnings
from faultmaven.infrastructure.files import FileState, file_state
from faultmaven.infrastructure.http.types import OwnTransport, Transport
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.providers.configured import ConfiguredRow, configure, row_entries
from faultmaven.infrastructure.llm.providers.generation import build_generation, build_route
from faultmaven.infrastructure.llm.providers.named import wrong_names
from faultmaven.infrastructure.llm.providers.sources import SourcedRow, rows_of_file, rows_of_packages
from faultmaven.infrastructure.llm.providers.spec import (
    ProviderSpec,
    port_faults,
    row_faults,
    spec_from_row,
    spec_of_given,
)
from faultmaven.infrastructure.provenance import ConfigEntry, settings_entries, without_credentials
from faultmaven.infrastructure.settings import (
    Environment,
    Settings,
    faults_error,
)
from faultmaven.ports.clock import Clock
from faultmaven.ports.llm import LLMProvider
from faultmaven.ports.observer import Observer


class ProviderStatus(TypedDict):
    """What `get_provider_status` says of a provider; no key, no network.

    `key` is "set", "unset" or "not needed"; `position` is the place in the default chain, counted from 1.
    """

    available: bool
    missing: str
    model: str
    models: list[str]
    base_url: str
    key: str
    in_chain: bool
    position: int | None
    confidence: float
    dialect: str
    provider_class: str
    source: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What a registry is made from, read anew by every reload."""

    environment: Environment
    settings: Settings
    faults: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _State:
    """Everything of one generation, swapped as a whole."""

    sources: Sources
    rows: Mapping[str, ConfiguredRow]
    providers: Mapping[str, Any]
    generation: Generation
    transport: Transport
    warnings: tuple[str, ...] = field(default=())


class ProviderRegistry:
    """Answers which names, which configured, make one. It routes nothing; each reload gets a transport of its own."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        load: Callable[[], Sources],
        transport_for: Callable[[Settings], Transport],
        clock: Clock,
        *,
        observer: Observer = lambda event: None,
        given: Mapping[str, Any] | None = None,
        only_given: bool = False,
        policies: Policies = DEFAULT_POLICIES,
        classes: Callable[[], Mapping[str, type[Any]]] = dict,
        warn: Callable[[str], object] = lambda warning: None,
    ) -> None:
        """Args:
        schema: The rows that ship, as plain dicts.
        load: Reads environment and settings; called now and by every reload.
        transport_for: Makes what carries requests under these settings; called now and by every reload. One that it
            gives again is left alone, any other is retired when a later one is in force.
        observer: Told of every reload, in the thread that reloads.
        given: Provider objects that replace or add the row of their name.
        only_given: Use nothing but `given`.
        policies: The host's own error table and acceptance; the rest of it comes from the settings.
        classes: The classes that a TOML row may name without a module.
        warn: Takes each thing that looks like a mistake, once.

        Raises:
            ConfigurationError: lists every fault of every source.
        """
        self._schema = schema
        self._load = load
        self._transport_for = transport_for
        self._clock = clock
        self._given = dict(given or {})
        self._only_given = only_given
        self._policies = policies
        self._classes = classes
        self._observer = observer
        self._warn = warn
        self._run_time_rows: dict[str, Any] = {}
        self._changing = threading.Lock()  # readers take the state as one value and need none
        self._last_read: dict[Path, FileState | None] = {}
        self._retired: list[OwnTransport] = []
        self._state = self._build(self._run_time_rows)
        self._tell(self._state.warnings)

    def get_all_provider_names(self) -> list[str]:
        """Return every provider there is a row for, configured or not, in schema order."""
        return list(self._state.rows)

    def get_available_providers(self) -> list[str]:
        """Return the configured providers, in schema order."""
        return list(self._state.generation.routes)

    def get_provider(self, name: str) -> LLMProvider:
        """Return the provider `name`, which asks its vendor alone, without fallback.

        Raises:
            ConfigurationError: unknown (with the nearest name) or not configured (with what is missing).
        """
        provider = self._state.providers.get(name)
        if provider is None:
            row = self._row(name)
            raise ConfigurationError(f"{name} is not configured: {row.missing}")
        found: LLMProvider = provider
        return found

    def get_fallback_chain(self) -> list[str]:
        """Return the configured providers in the order in which they are asked for a chat."""
        generation = self._state.generation
        return [name for name in generation.chains["chat"] if name in generation.routes]

    def get_provider_status(self) -> dict[str, ProviderStatus]:
        """Return what is known of each provider without asking it."""
        order = self.get_fallback_chain()
        return {name: self._status(name, row, order) for name, row in self._state.rows.items()}

    def register_provider(self, name: str, schema_row: Mapping[str, Any]) -> None:
        """Add a row while running; it counts from the next call and survives a reload.

        Raises:
            ConfigurationError: lists every fault of the row; the name is taken.
        """
        with self._changing:
            if name in self._run_time_rows:
                raise ConfigurationError(f"provider {name!r} is already registered")
            rows = {**self._run_time_rows, name: schema_row}
            self._swap_in(self._build(rows, self._state.transport))
            self._run_time_rows = rows

    def reload(self) -> None:
        """Read the sources again and swap in a whole new generation; calls in flight finish on the old one, and its
        connections close after the last of them. Any thread may call this.

        Raises:
            ConfigurationError: the new configuration is bad; the old one stays in force.
        """
        try:
            with self._changing:
                old = self._state.transport
                self._swap_in(self._build(self._run_time_rows))
                self._retire(old)
                configured = tuple(self._state.generation.routes)
        except ConfigurationError as error:
            tell(self._observer, ReloadRefused(str(error)))
            raise
        tell(self._observer, ConfigurationReloaded(configured))

    async def aclose(self) -> None:
        """Close the running loop's connections; those of other loops close with their loops."""
        for transport in (*self._retired, self._state.transport):
            await transport.aclose()

    def files(self) -> dict[Path, FileState | None]:
        """Return the files whose change calls for a reload, as they were when they were read, None for an absent one:
        those in force, and those of a later configuration that was refused.
        """
        return dict(self._last_read)

    @property
    def transport(self) -> Transport:
        """What carries the requests of calls that begin now."""
        return self._state.transport

    def generation(self) -> Generation:
        """Return the configuration in force."""
        return self._state.generation

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._state.sources.settings

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks like a mistake in the sources, each as one sentence."""
        return self._state.warnings

    def entries(self) -> list[ConfigEntry]:
        """Return every effective value with its source, settings first, then row by row."""
        environment, settings = self._state.sources.environment, self._state.sources.settings
        entries = settings_entries(environment, settings)
        for row in self._state.rows.values():
            if row.spec.model_var:
                entries += row_entries(row, environment)
        return entries

    def _swap_in(self, state: _State) -> None:
        known = self._state.warnings
        self._state = state
        self._tell(warning for warning in state.warnings if warning not in known)

    def _retire(self, old: Transport) -> None:
        """Let `old` go, unless it still serves; keep it in sight as long as a loop holds connections of it."""
        if isinstance(old, OwnTransport) and old is not self._state.transport:
            old.retire()
            self._retired = [transport for transport in (*self._retired, old) if transport.is_open]

    def _tell(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._warn(warning)

    def _row(self, name: str) -> ConfiguredRow:
        try:
            return self._state.rows[name]
        except KeyError:
            raise ConfigurationError(f"unknown provider {name!r}{did_you_mean(name, self._state.rows)}") from None

    def _status(self, name: str, row: ConfiguredRow, order: list[str]) -> ProviderStatus:
        key = "not needed" if row.spec.key == "optional" and not row.config.api_key else "unset"
        route = self._state.generation.routes.get(name)
        models = list(route.models) if route else row.config.models
        return ProviderStatus(
            available=name in self._state.generation.routes,
            missing=self._state.generation.missing.get(name, ""),
            model=models[0] if models else "",
            models=models,
            base_url=without_credentials(row.config.base_url),
            key="set" if row.config.api_key else key,
            in_chain=name in order,
            position=order.index(name) + 1 if name in order else None,
            confidence=row.spec.confidence_score,
            dialect=row.spec.dialect or next(iter(getattr(row.spec.provider_class, "dialects", ())), ""),
            provider_class=row.spec.provider_class.__name__,
            source=row.spec.source,
        )

    def _build(self, run_time_rows: Mapping[str, Any], transport: Transport | None = None) -> _State:
        """Return the generation that the sources make now; without a `transport`, with one of its own."""
        sources = self._load()
        faults = list(sources.faults)
        try:
            transport = transport or self._transport_for(sources.settings)
        except ConfigurationError as error:
            faults.append(str(error))
        sourced = list(self._sourced(sources.settings, run_time_rows, faults))
        specs = self._specs(sourced, faults)
        self._last_read = _states_of(sources, specs.values())
        named = {name for name in sources.settings.role_providers.values() if name}
        named.update(sources.settings.fallback_chain)
        rows = self._configured(specs, sources, named, faults)
        providers, missing = self._providers(rows, transport, faults) if transport else ({}, {})
        routes = self._routes(rows, providers, sources.settings, faults)
        faults += wrong_names(
            sources.settings, sources.environment, {*specs, *(str(row.name) for row in sourced)}, missing
        )
        if faults or transport is None:
            refused = faults_error("the configuration", list(dict.fromkeys(faults)))
            refused.warnings = self._warnings(sources.environment, specs.values())
            raise refused
        found = [row.spec for row in rows.values()]
        generation = build_generation(routes, missing, found, sources.settings, self._policies)
        warnings = self._warnings(sources.environment, specs.values())
        return _State(sources, rows, providers, generation, transport, warnings)

    def _warnings(self, environment: Environment, specs: Iterable[ProviderSpec]) -> tuple[str, ...]:
        if self._only_given:
            return ()
        variables = [variable for spec in specs for variable in spec.variables]
        keys = [spec.api_key_var for spec in specs if spec.api_key_var]
        return tuple(environment_warnings(environment, variables, keys))

    def _specs(self, rows: Iterable[SourcedRow], faults: list[str]) -> dict[str, ProviderSpec]:
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
        for name, provider in self._given.items():
            faults += port_faults(name, provider)
            specs.setdefault(name, spec_of_given(name, provider))
        return specs

    def _sourced(self, settings: Settings, run_time_rows: Mapping[str, Any], faults: list[str]) -> Iterator[SourcedRow]:
        if not self._only_given:
            yield from (SourcedRow(name, row, "PROVIDER_SCHEMA") for name, row in list(self._schema.items()))
            if settings.providers_file:
                try:
                    yield from rows_of_file(settings.providers_file, self._classes())
                except ConfigurationError as error:
                    faults.append(str(error))
            yield from rows_of_packages()
        yield from (SourcedRow(name, row, "register_provider") for name, row in run_time_rows.items())

    def _configured(
        self, specs: Mapping[str, ProviderSpec], sources: Sources, named: set[str], faults: list[str]
    ) -> dict[str, ConfiguredRow]:
        rows = {}
        for name, spec in specs.items():
            try:
                rows[name] = configure(spec, sources.environment, sources.settings, named | self._given.keys())
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
            if name in self._given:
                if not port_faults(name, self._given[name]):
                    providers[name] = self._given[name]
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
                routes[name] = build_route(rows[name].spec, rows[name].config, provider, self._clock, settings)
            except Exception as error:  # noqa: BLE001 - foreign code may raise anything; it is reported as a fault
                told = f"its get_supported_models() gives no names ({type(error).__name__})"
                faults.append(f"provider {name!r}: {told}")
        return routes

    def _make(self, row: ConfiguredRow, transport: Transport) -> Any:
        made = row.spec.provider_class
        if issubclass(made, BaseLLMProvider):
            return made.create(row.config, transport, self._clock)
        return made(row.config)


def _states_of(sources: Sources, specs: Iterable[ProviderSpec]) -> dict[Path, FileState | None]:
    """Return the state of every file that `sources` were read from, and of those that they name."""
    environment, settings = sources.environment, sources.settings
    named = [settings.providers_file, settings.ssl_cert_file]
    named += [environment.get(f"{spec.api_key_var}_FILE") for spec in specs if spec.api_key_var]
    paths = [*environment.files, *(Path(name).absolute() for name in named if name)]
    return {path: file_state(path) for path in paths}
