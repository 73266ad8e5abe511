"""ProviderRegistry: which providers there are, which are configured, and the generation that is in force."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from faultmaven.application.plan import Generation, Route, chain
from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.llm.models import REASONING_SECONDS, model_facts
from faultmaven.infrastructure.llm.providers.adapted import backend_of
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.providers.configured import ConfiguredRow, configure, row_entries
from faultmaven.infrastructure.llm.providers.sources import SourcedRow, rows_of_file, rows_of_packages
from faultmaven.infrastructure.llm.providers.spec import ProviderSpec, row_faults, spec_from_row
from faultmaven.infrastructure.llm.wire.catalogue import model_family
from faultmaven.infrastructure.settings import (
    ConfigEntry,
    Environment,
    Settings,
    environment_warnings,
    faults_error,
    settings_entries,
)
from faultmaven.ports.clock import Clock
from faultmaven.ports.llm import LLMProvider

PORT_MEMBERS = ("provider_name", "is_available", "get_supported_models", "generate")


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


@dataclass(frozen=True, slots=True)
class _State:
    """Everything of one generation, swapped as a whole."""

    sources: Sources
    rows: Mapping[str, ConfiguredRow]
    providers: Mapping[str, Any]
    generation: Generation
    warnings: tuple[str, ...] = field(default=())


class ProviderRegistry:
    """Answers which names, which configured, make one. It routes nothing and holds no connection."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        load: Callable[[], Sources],
        transport: HTTPTransport,
        clock: Clock,
        *,
        given: Mapping[str, Any] | None = None,
        only_given: bool = False,
        classes: Callable[[], Mapping[str, type[Any]]] = dict,
    ) -> None:
        """Args:
        schema: The rows that ship, as plain dicts.
        load: Reads environment and settings; called now and by every reload.
        given: Provider objects that replace or add the row of their name.
        only_given: Use nothing but `given`.
        classes: The classes that a TOML row may name without a module.

        Raises:
            ConfigurationError: lists every fault of every source.
        """
        self._schema = schema
        self._load = load
        self._transport = transport
        self._clock = clock
        self._given = dict(given or {})
        self._only_given = only_given
        self._classes = classes
        self._run_time_rows: dict[str, Any] = {}
        self._state = self._build(self._run_time_rows)

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
        """Return the order in which providers are asked for a chat."""
        return list(self._state.generation.chains["chat"])

    def get_provider_status(self) -> dict[str, ProviderStatus]:
        """Return what is known of each provider without asking it."""
        order = self.get_fallback_chain()
        return {name: self._status(name, row, order) for name, row in self._state.rows.items()}

    def register_provider(self, name: str, schema_row: Mapping[str, Any]) -> None:
        """Add a row while running; it counts from the next call and survives a reload.

        Raises:
            ConfigurationError: lists every fault of the row; the name is taken.
        """
        rows = {**self._run_time_rows}
        if name in rows:
            raise ConfigurationError(f"provider {name!r} is already registered")
        rows[name] = schema_row
        self._state = self._build(rows)
        self._run_time_rows = rows

    def reload(self) -> None:
        """Read the sources again and swap in a whole new generation; calls in flight finish on the old one.

        Raises:
            ConfigurationError: the new configuration is bad; the old one stays in force.
        """
        self._state = self._build(self._run_time_rows)

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
            base_url=row.config.base_url,
            key="set" if row.config.api_key else key,
            in_chain=name in order,
            position=order.index(name) + 1 if name in order else None,
            confidence=row.spec.confidence_score,
            dialect=row.spec.dialect or next(iter(getattr(row.spec.provider_class, "dialects", ())), ""),
            provider_class=row.spec.provider_class.__name__,
            source=row.spec.source,
        )

    def _build(self, run_time_rows: Mapping[str, Any]) -> _State:
        sources = self._load()
        faults: list[str] = []
        specs = self._specs(sources.settings, run_time_rows, faults)
        named = {name for name in sources.settings.role_providers.values() if name}
        named.update(sources.settings.fallback_chain)
        faults += _unknown_names(sources.settings, specs)
        rows = self._configured(specs, sources, named, faults)
        providers, missing = self._providers(rows, faults)
        faults += _unconfigured_names(sources.settings, missing)
        if faults:
            raise faults_error("the configuration", list(dict.fromkeys(faults)))
        routes = {
            name: _route(rows[name], provider, self._clock, sources.settings) for name, provider in providers.items()
        }
        variables = [variable for row in rows.values() for variable in row.spec.variables]
        warnings = () if self._only_given else environment_warnings(sources.environment, variables)
        return _State(sources, rows, providers, _generation(routes, missing, rows, sources.settings), tuple(warnings))

    def _specs(
        self, settings: Settings, run_time_rows: Mapping[str, Any], faults: list[str]
    ) -> dict[str, ProviderSpec]:
        """Return a spec for every sound row; take every fault of the others, and every clash between sources."""
        specs: dict[str, ProviderSpec] = {}
        for sourced in self._sourced(settings, run_time_rows, faults):
            name, row, source = sourced.name, sourced.row, sourced.source
            wrong = row_faults(name, row)
            if wrong:
                faults += wrong
            elif name in specs:
                faults.append(f"provider {name!r} stands in two sources: {specs[name].source} and {source}")
            else:
                specs[name] = spec_from_row(name, row, source)
        for name, provider in self._given.items():
            faults += _port_faults(name, provider)
            specs.setdefault(name, _spec_of_given(name, provider))
        return specs

    def _sourced(self, settings: Settings, run_time_rows: Mapping[str, Any], faults: list[str]) -> Iterable[SourcedRow]:
        if not self._only_given:
            yield from (SourcedRow(name, row, "PROVIDER_SCHEMA") for name, row in list(self._schema.items()))
            if settings.providers_file:
                yield from rows_of_file(settings.providers_file, self._classes(), faults)
            yield from rows_of_packages(faults)
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

    def _providers(self, rows: Mapping[str, ConfiguredRow], faults: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the configured providers, made, and what each of the others lacks."""
        providers: dict[str, Any] = {}
        missing: dict[str, str] = {}
        for name, row in rows.items():
            if name in self._given:
                providers[name] = self._given[name]
            elif row.missing:
                missing[name] = row.missing
            else:
                try:
                    provider = self._make(row)
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

    def _make(self, row: ConfiguredRow) -> Any:
        made = row.spec.provider_class
        if issubclass(made, BaseLLMProvider):
            return made.create(row.config, self._transport, self._clock)
        return made(row.config)


def _route(row: ConfiguredRow, provider: Any, clock: Clock, settings: Settings) -> Route:
    config = row.config
    family = model_family(config.dialect or next(iter(getattr(provider, "dialects", ())), ""))

    def timeout_for(model: str) -> float:
        # A model that thinks first needs its time, unless the operator says otherwise for all.
        if settings.request_timeout is None and model_facts(family, model).reasons:
            return max(config.timeout, REASONING_SECONDS)
        return config.timeout

    return Route(
        name=config.name,
        backend=backend_of(config.name, provider, clock, config.timeout),
        models=tuple(provider.get_supported_models()),
        timeout=config.timeout,
        max_retries=config.max_retries,
        confidence=config.confidence_score,
        features=frozenset(getattr(provider, "features", frozenset())),
        timeout_for=timeout_for,
    )


def _generation(
    routes: Mapping[str, Route], missing: Mapping[str, str], rows: Mapping[str, ConfiguredRow], settings: Settings
) -> Generation:
    chat = settings.chat_provider
    strict, threshold = settings.strict_provider_mode, settings.confidence_threshold
    default = chain(routes.values(), chat, settings.fallback_chain, strict=strict, threshold=threshold)
    chains = {
        role: ((primary,) if strict else tuple(dict.fromkeys((primary, *default)))) if primary else default
        for role, primary in settings.role_providers.items()
    }
    keys = [row.spec.api_key_var for row in rows.values() if row.spec.key == "required" and row.spec.api_key_var]
    advice = f"Set one of {', '.join(keys)}, or the address of a local server." if keys else "Pass a provider."
    return Generation(routes, missing, chains, settings.deadline, threshold, advice)


def _named(settings: Settings) -> Iterable[tuple[str, str]]:
    """Give each variable that names a primary, with the name."""
    for role, name in settings.role_providers.items():
        if name:
            yield f"{role.upper()}_PROVIDER", name


def _unknown_names(settings: Settings, specs: Mapping[str, ProviderSpec]) -> list[str]:
    named = [*_named(settings), *(("LLM_FALLBACK_CHAIN", name) for name in settings.fallback_chain)]
    return [
        f"{variable} names an unknown provider {name!r}{did_you_mean(name, specs)}"
        for variable, name in named
        if name not in specs
    ]


def _unconfigured_names(settings: Settings, missing: Mapping[str, str]) -> list[str]:
    return [
        f"{variable} names {name!r}, which is not configured: {missing[name]}"
        for variable, name in _named(settings)
        if name in missing
    ]


def _port_faults(name: str, provider: Any) -> list[str]:
    absent = [member for member in PORT_MEMBERS if not hasattr(provider, member)]
    if isinstance(provider, type):
        return [f"providers[{name!r}] is the class {provider.__name__}; pass an object of it"]
    told = f"providers[{name!r}] is a {type(provider).__name__}, not an LLMProvider: it has no {', '.join(absent)}"
    return [told] if absent else []


def _spec_of_given(name: str, provider: Any) -> ProviderSpec:
    return ProviderSpec(
        name=name,
        source="argument",
        provider_class=type(provider),
        model_var="",
        default_base_url="",
        default_model="",
        max_retries=0,
        timeout=30.0,
        confidence_score=1.0,
        key="optional",
    )
