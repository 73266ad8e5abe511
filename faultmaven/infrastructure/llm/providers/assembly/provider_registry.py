"""ProviderRegistry: which providers there are, which are configured, and the generation that is in force."""

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
from .builder import BuiltConfiguration, ConfigurationBuilder, Sources, states_before, states_of_keys
from .provider_config import ConfiguredRow, row_entries

OF_THE_OPENING = ("LLM_CACHE_SECONDS", "LLM_CACHE_ENTRIES")


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
        counts_elsewhere: bool = False,
        lent_transport: bool = False,
        warn: Callable[[str], object] = lambda warning: None,
    ) -> None:
        """Read every source once, and build the first generation.

        Args:
            schema: The rows that ship, as plain dicts.
            load: Reads environment and settings; called now and by every reload.
            transport_for: Makes what carries requests under these settings; called now and by every reload. One that
                it gives again is left alone, any other is retired when a later one is in force.
            observer: Told of every reload, in the thread that reloads.
            given: Provider objects that replace or add the row of their name.
            only_given: Use nothing but `given`.
            policies: The host's own error table and acceptance; the rest of it comes from the settings.
            classes: The classes that a TOML row may name without a module.
            counts_elsewhere: The host brings what counts per minute, so the extra `ratelimit` is not needed.
            lent_transport: What `transport_for` gives is the host's, who closes it.
            warn: Takes each thing that looks like a mistake, once.

        Raises:
            ConfigurationError: lists every fault of every source.
        """
        self._assembly = ConfigurationBuilder(
            schema, transport_for, clock, dict(given or {}), only_given, policies, classes, counts_elsewhere
        )
        self._load = load
        self._observer = observer
        self._lent_transport = lent_transport
        self._warn = warn
        self._run_time_rows: dict[str, Any] = {}
        self._changing = threading.Lock()  # readers take the state as one value and need none
        self._last_read: dict[Path, FileState | None] = {}
        self._retired: list[OwnTransport] = []
        self._state = self._build(self._run_time_rows)
        self._opening = self._state.sources.settings
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
                self._swap_in(self._build_anew())
                self._retire(old)
                configured = tuple(self._state.generation.routes)
        except ConfigurationError as error:
            emit(self._observer, ReloadRefused(str(error)))
            raise
        emit(self._observer, ConfigurationReloaded(configured))

    async def aclose(self) -> None:
        """Close the running loop's connections; those of other loops close with their loops, a lent one by its host."""
        if self._lent_transport:
            return
        for transport in (*self._retired, self._state.transport):
            await transport.aclose()

    def loops(self) -> list[AbstractEventLoop]:
        """Return the event loops that hold connections of ours: `aclose` has to run in each of them to close all."""
        own = [
            transport for transport in (*self._retired, self._state.transport) if isinstance(transport, OwnTransport)
        ]
        return list(dict.fromkeys(loop for transport in own for loop in transport.loops()))

    def files(self) -> dict[Path, FileState | None]:
        """Return the files of the last reading, be it in force or refused, each as it was just before it was read.

        A change of one of them calls for a reload. None stands for a file that is not there.
        """
        return dict(self._last_read)

    @property
    def transport(self) -> Transport:
        """What carries the requests of calls that begin now."""
        return self._state.transport

    def generation(self) -> ConfigurationSnapshot:
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
        return entries + [line for row in self._state.rows.values() for line in row_entries(row.spec, environment)]

    def _build(self, run_time_rows: Mapping[str, Any], transport: Transport | None = None) -> BuiltConfiguration:
        """Return the configuration that the sources make now; without a `transport`, with one of its own."""
        sources = self._load()
        # Each file's state is taken before the file is read: a change in between is one to come, and not one missed.
        states = states_before(sources)
        self._last_read = {**self._last_read, **states}
        specs = self._assembly.specs(sources, run_time_rows)
        self._last_read = {**states_of_keys(sources.environment, specs.sound.values()), **states}
        return self._assembly.assemble(sources, specs, transport)

    def _build_anew(self) -> BuiltConfiguration:
        """Return the configuration of a reload.

        Raises:
            ConfigurationError: whatever went wrong, so that no reload fails unsaid.
        """
        try:
            return self._build(self._run_time_rows)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(f"the configuration cannot be read ({type(error).__name__})") from error

    def _swap_in(self, state: BuiltConfiguration) -> None:
        known = self._state.warnings
        self._state = state = replace(state, warnings=(*state.warnings, *self._too_late(state.sources.settings)))
        self._tell(warning for warning in state.warnings if warning not in known)

    def _too_late(self, settings: Settings) -> list[str]:
        """Return a sentence for each setting that counts at the opening only, and is now another one."""
        return [
            f"{variable} counts when a container opens; it was changed since, and the old value is in use"
            for variable in OF_THE_OPENING
            if getattr(settings, VARIABLES[variable]) != getattr(self._opening, VARIABLES[variable])
        ]

    def _retire(self, old: Transport) -> None:
        """Let `old` go, unless it still serves; keep it in sight as long as a loop holds connections of it."""
        if isinstance(old, OwnTransport) and old is not self._state.transport and not self._lent_transport:
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
