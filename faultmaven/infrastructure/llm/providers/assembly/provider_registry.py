"""ProviderRegistry: the known providers, the configured ones, and the current configuration snapshot."""

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from .....application.configuration import ConfigurationSnapshot
from .....application.emitting import emit
from .....application.policies.policies import DEFAULT_POLICIES, Policies
from .....domain.errors import ConfigurationError
from .....domain.events import ConfigurationReloaded, ReloadRefused
from .....domain.names import did_you_mean
from .....ports.clock import Clock
from .....ports.llm import LLMProvider
from .....ports.observer import Observer
from ....configuration.config_sources import ConfigEntry, settings_entries, without_credentials
from ....configuration.file_state import FileState
from ....configuration.settings import VARIABLES, Settings
from ....http.types import OwnTransport, Transport
from .builder import BuiltConfiguration, ConfigurationBuilder, Sources, key_file_states, source_file_states
from .provider_config import ConfiguredRow, row_entries

OPENING_SETTINGS = ("LLM_CACHE_SECONDS", "LLM_CACHE_ENTRIES")
"""Settings that are read once, when a container opens."""


class ProviderStatus(TypedDict):
    """The state of a provider as `get_provider_status` reports it, without the key.

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


class ProviderRegistry:
    """Holds the providers and the current configuration, and replaces the configuration on reload.

    The registry does not route. Each reload gets a transport of its own.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        load: Callable[[], Sources],
        transport_for: Callable[[Settings], Transport],
        clock: Clock,
        *,
        observer: Observer = lambda event: None,
        provider_overrides: Mapping[str, Any] | None = None,
        only_overrides: bool = False,
        policies: Policies = DEFAULT_POLICIES,
        classes: Callable[[], Mapping[str, type[Any]]] = dict,
        has_external_rate_counter: bool = False,
        owns_transport: bool = True,
        warn: Callable[[str], object] = lambda warning: None,
    ) -> None:
        """Read every source, and build the first configuration.

        Args:
            schema: The shipped rows, as plain dicts.
            load: Reads environment and settings; called now and by every reload.
            transport_for: Builds the transport for some settings; called now and by every reload. A transport that is
                returned again stays in use; any other is retired when a reload replaces it.
            observer: Gets an event for every reload, in the thread that reloads.
            provider_overrides: Provider objects that replace or add the row of their name.
            only_overrides: Use no provider but those of `provider_overrides`.
            policies: The host's error policy and acceptance; the settings determine the other policies.
            classes: The built-in classes, which a TOML row may name without a module.
            has_external_rate_counter: The host passed a rate counter, so limits per minute need no extra `ratelimit`.
            owns_transport: Whether the registry closes the transports of `transport_for`; else the host does.
            warn: Gets each warning about the configuration once.

        Raises:
            ConfigurationError: lists every fault of every source.
        """
        overrides = dict(provider_overrides or {})
        self._builder = ConfigurationBuilder(
            schema, transport_for, clock, overrides, only_overrides, policies, classes, has_external_rate_counter
        )
        self._load = load
        self._observer = observer
        self._owns_transport = owns_transport
        self._warn = warn
        self._run_time_rows: dict[str, Any] = {}
        self._write_lock = threading.Lock()  # readers take the configuration as one value and need no lock
        self._last_read: dict[Path, FileState | None] = {}
        self._retired: list[OwnTransport] = []
        self._configuration = self._build(self._run_time_rows)
        self._opening_settings = self._configuration.sources.settings
        self._emit_warnings(self._configuration.warnings)

    def get_all_provider_names(self) -> list[str]:
        """Return the name of every row, configured or not, in schema order."""
        return list(self._configuration.rows)

    def get_available_providers(self) -> list[str]:
        """Return the configured providers, in schema order."""
        return list(self._configuration.snapshot.routes)

    def get_provider(self, name: str) -> LLMProvider:
        """Return the provider `name`, which calls its vendor without fallback.

        Raises:
            ConfigurationError: the name is unknown (with the nearest name), or the provider is not configured (with the
                reason).
        """
        provider = self._configuration.providers.get(name)
        if provider is None:
            row = self._row(name)
            raise ConfigurationError(f"{name} is not configured: {row.missing}")
        configured_provider: LLMProvider = provider
        return configured_provider

    def get_fallback_chain(self) -> list[str]:
        """Return the configured providers of the chat chain, in the order in which the router tries them."""
        snapshot = self._configuration.snapshot
        return [name for name in snapshot.chains["chat"] if name in snapshot.routes]

    def get_provider_status(self) -> dict[str, ProviderStatus]:
        """Return the status of each provider, without any network access."""
        chain = self.get_fallback_chain()
        return {name: self._status(name, row, chain) for name, row in self._configuration.rows.items()}

    def register_provider(self, name: str, schema_row: Mapping[str, Any]) -> None:
        """Add a row at run time; the row applies from the next call on and survives a reload.

        Raises:
            ConfigurationError: lists every fault of the row; the name is taken.
        """
        with self._write_lock:
            if name in self._run_time_rows:
                raise ConfigurationError(f"provider {name!r} is already registered")
            rows = {**self._run_time_rows, name: schema_row}
            self._replace_configuration(self._build(rows, self._configuration.transport))
            self._run_time_rows = rows

    def reload(self) -> None:
        """Read the sources again, and replace the configuration as a whole. Any thread may call this.

        Calls in flight finish with the old configuration, whose connections close after the last of these calls.

        Raises:
            ConfigurationError: the new configuration has faults; the old one stays current.
        """
        try:
            with self._write_lock:
                old_transport = self._configuration.transport
                self._replace_configuration(self._build_for_reload())
                self._retire(old_transport)
                configured = tuple(self._configuration.snapshot.routes)
        except ConfigurationError as error:
            emit(self._observer, ReloadRefused(str(error)))
            raise
        emit(self._observer, ConfigurationReloaded(configured))

    async def aclose(self) -> None:
        """Close the connections of the running loop.

        Connections of other loops close with their loops. A transport of the host stays open.
        """
        if not self._owns_transport:
            return
        for transport in (*self._retired, self._configuration.transport):
            await transport.aclose()

    def loops(self) -> list[AbstractEventLoop]:
        """Return the event loops with open connections; to close all of them, `aclose` has to run in each loop."""
        transports = (*self._retired, self._configuration.transport)
        own = [transport for transport in transports if isinstance(transport, OwnTransport)]
        return list(dict.fromkeys(loop for transport in own for loop in transport.loops()))

    def files(self) -> dict[Path, FileState | None]:
        """Return the files of the last read, successful or refused, with the state of each just before the read.

        When the state of a file changes, a reload is due. None is the state of a file that does not exist.
        """
        return dict(self._last_read)

    @property
    def transport(self) -> Transport:
        """The transport for calls that begin now."""
        return self._configuration.transport

    def snapshot(self) -> ConfigurationSnapshot:
        """Return the current configuration snapshot."""
        return self._configuration.snapshot

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._configuration.sources.settings

    @property
    def warnings(self) -> tuple[str, ...]:
        """Probable mistakes in the sources, each as one sentence."""
        return self._configuration.warnings

    def entries(self) -> list[ConfigEntry]:
        """Return every effective value with its source: settings first, then row by row."""
        environment, settings = self._configuration.sources.environment, self._configuration.sources.settings
        entries = settings_entries(environment, settings)
        for row in self._configuration.rows.values():
            entries += row_entries(row.spec, environment)
        return entries

    def _build(self, run_time_rows: Mapping[str, Any], transport: Transport | None = None) -> BuiltConfiguration:
        """Return the configuration of the sources as they are now; without a `transport`, with a new one."""
        sources = self._load()
        # File states are taken before the files are read, so that a change in between is seen by the file watcher.
        states = source_file_states(sources)
        self._last_read = {**self._last_read, **states}
        specs = self._builder.collect_specs(sources, run_time_rows)
        self._last_read = {**key_file_states(sources.environment, specs.valid.values()), **states}
        return self._builder.build(sources, specs, transport)

    def _build_for_reload(self) -> BuiltConfiguration:
        """Return the configuration of a reload.

        Raises:
            ConfigurationError: any failure, so that every refused reload is reported.
        """
        try:
            return self._build(self._run_time_rows)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(f"the configuration cannot be read ({type(error).__name__})") from error

    def _replace_configuration(self, new: BuiltConfiguration) -> None:
        known_warnings = self._configuration.warnings
        warnings = (*new.warnings, *self._ignored_setting_warnings(new.sources.settings))
        self._configuration = replace(new, warnings=warnings)
        self._emit_warnings(warning for warning in warnings if warning not in known_warnings)

    def _ignored_setting_warnings(self, settings: Settings) -> list[str]:
        """Return a warning for each setting that changed although it is read only when a container opens."""
        return [
            f"{variable} is read when a container opens; the value changed since, and the old value is in use"
            for variable in OPENING_SETTINGS
            if getattr(settings, VARIABLES[variable]) != getattr(self._opening_settings, VARIABLES[variable])
        ]

    def _retire(self, transport: Transport) -> None:
        """Retire a replaced transport, unless the host owns it, and keep it while a loop holds connections of it."""
        is_current = transport is self._configuration.transport
        if self._owns_transport and not is_current and isinstance(transport, OwnTransport):
            transport.retire()
            self._retired = [retired for retired in (*self._retired, transport) if retired.is_open]

    def _emit_warnings(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._warn(warning)

    def _row(self, name: str) -> ConfiguredRow:
        rows = self._configuration.rows
        try:
            return rows[name]
        except KeyError:
            raise ConfigurationError(f"unknown provider {name!r}{did_you_mean(name, rows)}") from None

    def _status(self, name: str, row: ConfiguredRow, chain: list[str]) -> ProviderStatus:
        snapshot = self._configuration.snapshot
        unset = "not needed" if row.spec.key == "optional" else "unset"
        route = snapshot.routes.get(name)
        models = list(route.models) if route else row.config.models
        return ProviderStatus(
            available=route is not None,
            missing=snapshot.missing.get(name, ""),
            model=models[0] if models else "",
            models=models,
            base_url=without_credentials(row.config.base_url),
            key="set" if row.config.api_key else unset,
            in_chain=name in chain,
            position=chain.index(name) + 1 if name in chain else None,
            confidence=row.spec.confidence_score,
            dialect=row.spec.dialect or next(iter(getattr(row.spec.provider_class, "dialects", ())), ""),
            provider_class=row.spec.provider_class.__name__,
            source=row.spec.source,
        )
