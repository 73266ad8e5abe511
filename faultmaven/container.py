"""The container: the only file that knows every part. The class is a table of contents; functions build the parts."""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from dependency_injector import containers, providers

from .application.blocking import run_in_background_loop_too
from .application.monitoring.health_report import HealthReport, build_health_report
from .application.monitoring.probe import probe_provider
from .application.monitoring.provider_history import ProviderHistory, combine_observers
from .application.planning.plan import Plan
from .application.policies.acceptance import AcceptancePolicy
from .application.policies.errors import ErrorPolicy, Reaction
from .application.policies.policies import Policies
from .application.resilience.admission import AdmissionControl
from .application.reuse.response_reuse import ResponseReuse
from .application.router import LLMRouter, RouterDependencies
from .domain.errors import ConfigurationError, LLMError
from .domain.messages import Prompt
from .infrastructure.clock import SystemClock
from .infrastructure.configuration.config_sources import ConfigEntry
from .infrastructure.configuration.file_watcher import watch_files
from .infrastructure.configuration.settings import Environment, Settings, working_directory
from .infrastructure.http.transport import build_transport
from .infrastructure.http.types import Transport
from .infrastructure.llm.providers.assembly.builder import Sources
from .infrastructure.llm.providers.assembly.provider_registry import ProviderRegistry
from .infrastructure.llm.providers.registry import build_registry, read_sources
from .infrastructure.logging import LoggingObserver, configure_logging, get_logger
from .infrastructure.optional.optional_dependencies import (
    SchemaValidatorOnDemand,
    build_rate_counter,
    build_response_cache,
)
from .parts import PART_NAMES, LLMEntry, check_mapping, check_parts
from .ports.cache import ResponseCache
from .ports.clock import Clock
from .ports.limits import RateCounter
from .ports.llm import Options
from .ports.observer import Observer
from .ports.randomness import Randomness

if TYPE_CHECKING:
    from .infrastructure.http.httpx_carrier.family import AnyClient


def overridden_parts(container: containers.Container) -> Mapping[str, Any]:
    """Return the parts that the host passed in or overrode, by name.

    Raises:
        ConfigurationError: a part has a wrong type.
    """
    entries = container.providers
    for name in ("env", "given"):
        check_mapping(name, entries[name]())
    overridden = (name for name in PART_NAMES if name in entries and entries[name].overridden)
    parts = {name: entries[name]() for name in overridden}
    check_parts({name: part for name, part in parts.items() if part is not None})
    return parts


def build_sources(
    env: Mapping[str, str] | None, only_overrides: bool, settings: Settings | None, parts: Mapping[str, Any]
) -> Callable[[], Sources]:
    """Return the function that reads environment and settings, at the opening and at every reload.

    The working directory is the one of the opening.

    Args:
        parts: The host's parts, checked. Every part that is built needs the sources, so a wrong part is reported first.
    """
    directory = working_directory()

    def read() -> Sources:
        nothing = Environment(directory=directory)
        sources = Sources(nothing, Settings()) if only_overrides else read_sources(env, directory)
        # Settings that the host passes have no faults.
        return Sources(sources.environment, settings) if settings else sources

    return read


def _is_passed_in(entry: providers.Provider[Any]) -> bool:
    return bool(entry.overridden)


def _is_built_here(entry: providers.Provider[Any]) -> bool:
    return not entry.overridden


def build_transport_for(
    clock: Clock, client: "AnyClient | None", entry: providers.Provider[Transport]
) -> Callable[[Settings], Transport]:
    """Return the function that makes the transport of each reload; a transport of the host serves every reload."""
    if _is_passed_in(entry):
        passed_in = entry()
        return lambda settings: passed_in
    return functools.partial(build_transport, clock, client)


def _check_error_policy(table: Mapping[Any, Any]) -> None:
    for kind, value in table.items():
        if not (isinstance(kind, type) and issubclass(kind, LLMError)):
            raise ConfigurationError(f"error_policy names {getattr(kind, '__name__', kind)}, not an LLMError")
        if not isinstance(value, Reaction):
            raise ConfigurationError(f"error_policy has a {type(value).__name__} for {kind.__name__}, not a Reaction")


def build_policies(error_policy: ErrorPolicy, acceptance: AcceptancePolicy) -> Policies:
    """Return the policies with the host's error policy and acceptance policy."""
    _check_error_policy(error_policy)
    return Policies(dict(error_policy), acceptance, schemas=SchemaValidatorOnDemand())


def build_cache(settings: Settings, clock: Clock) -> ResponseCache | None:
    """Return the response cache, None when LLM_CACHE_SECONDS is 0."""
    if not settings.cache_seconds:
        return None
    return build_response_cache(settings.cache_entries, settings.cache_seconds, clock)


def build_admission(
    registry: ProviderRegistry, clock: Clock, observer: Observer, counter: Callable[[], RateCounter]
) -> AdmissionControl:
    """Return the admission control that all routers share."""
    return AdmissionControl(registry.snapshot, clock, observer, counter)


def build_router_dependencies(
    registry: ProviderRegistry,
    admission: AdmissionControl,
    cache: ResponseCache | None,
    clock: Clock,
    observer: Observer,
    random_source: Randomness,
) -> RouterDependencies:
    """Return the parts that all routers share."""
    return RouterDependencies(registry.snapshot, admission, ResponseReuse(cache), clock, observer, random_source)


def build_llm(
    registry: ProviderRegistry,
    dependencies: RouterDependencies,
    *,
    role: str | None = None,
    provider: str | None = None,
) -> LLMRouter:
    """Return a router.

    Args:
        role: "chat", "multimodal", "synthesis", "classifier" or "code"; None is "chat".
        provider: The only provider to try; retries, limits and circuit breaker stay in use.

    Raises:
        ConfigurationError: `provider` is unknown or not configured.
        InvalidRequestError: `role` is unknown.
    """
    if provider is not None:
        registry.get_provider(provider)
    return LLMRouter(dependencies, role=role, provider=provider)


def explain(
    prompt: Prompt,
    model: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    *,
    registry: ProviderRegistry,
    dependencies: RouterDependencies,
    role: str | None = None,
    provider: str | None = None,
    **options: Unpack[Options],
) -> Plan:
    """Return the plan for `prompt`: candidates with their times, skipped providers with reasons. Nothing is sent.

    Arguments as for `generate`, and `role` and `provider` as for `llm`. The command `faultmaven explain` prints `str()`
    of the plan.
    """
    router = build_llm(registry, dependencies, role=role, provider=provider)
    return router.explain(prompt, model, max_tokens, temperature, **options)


def read_opening_settings(load: Callable[[], Sources]) -> Settings:
    """Return the settings of the opening, before there is a registry: they configure logging and the cache."""
    return load().settings


def apply_logging(settings: Settings) -> None:
    """Add a handler to the logger `faultmaven`, configured by `LOG_LEVEL` and `LOG_FORMAT`."""
    configure_logging(settings.log_level, settings.log_format)


def read_settings(registry: ProviderRegistry) -> Settings:
    """Return the current settings, those of the last reload."""
    return registry.settings


def read_configuration(registry: ProviderRegistry) -> list[ConfigEntry]:
    """Return every effective value with its source."""
    return registry.entries()


def read_transport(registry: ProviderRegistry) -> Transport:
    """Return the transport of calls that begin now."""
    return registry.transport


async def health(
    registry: ProviderRegistry,
    admission: AdmissionControl,
    history: ProviderHistory,
    clock: Clock,
    *,
    probe: bool = False,
) -> HealthReport:
    """Return the health of every provider, from the calls of this process. Nothing is sent without `probe`.

    Args:
        probe: Also request the list of models of every configured provider, all at once. The requests cost nothing and
            take 10 seconds at most. A provider without such a list is not probed.
    """
    snapshot = registry.snapshot()
    answers = await asyncio.gather(
        *(probe_provider(name, registry.get_provider(name), clock) for name in snapshot.routes if probe)
    )
    probes = dict(zip(snapshot.routes, answers, strict=True)) if probe else {}
    return build_health_report(snapshot, admission, history.records, clock.monotonic(), probes)


async def close(registry: providers.Provider[ProviderRegistry]) -> None:
    """Close the connections of the running loop and of `generate_sync`; those of other loops close with their loops."""
    if _is_passed_in(registry):
        return  # the host closes a registry that it passed in
    try:
        opened = registry()
    except ConfigurationError:
        return  # the configuration is faulty, so the registry was never built
    await opened.aclose()
    await run_in_background_loop_too(opened.aclose, opened.loops())


async def watch(registry: ProviderRegistry, logger: Any) -> None:
    """Reload whenever a file that was read changes, until cancelled; return at once when no file was read."""
    await watch_files(registry.files, registry.reload, logger.warning)


class Container(containers.DeclarativeContainer):
    """Every part of the module by name. Override a part before the first build, or pass it to `open_container`.

    In a host's own container: `fm = providers.Container(Container)`, then `host.fm.llm(role="code")` and
    `await host.fm.aclose()`.

    Attributes:
        llm: Returns a router: `container.llm()`, `container.llm(role="code")`, `container.llm(provider="groq")`. Roles
            are "chat", "multimodal", "synthesis", "classifier" and "code". Raises ConfigurationError for a provider
            that is unknown or not configured, InvalidRequestError for an unknown role.
        explain: Returns the plan for a prompt and sends nothing; arguments as for `generate`, `role` and `provider` as
            for `llm`.
        health: `await container.health()` returns the health of every provider; `probe=True` requests the list of
            models of each.
        registry: Returns the `ProviderRegistry`, with `reload()` and `register_provider()`.
        settings: Returns the current settings.
        configuration: Returns every effective value with its source.
        apply_logging: `container.apply_logging()` configures logging as `configure_logging=True` does for
            `open_container`. Call it before any part is built, so that the warnings of the opening are logged, too.
        watch: `await container.watch()` reloads whenever a file that was read changes, until it is cancelled.
        aclose: `await container.aclose()` closes the connections; `open_container` calls it at its end.
        given: Provider objects by name, as `providers=` of `open_container`; override this entry.
        only_given: True for exactly the providers of `given`; override this entry.
    """

    __self__ = providers.Self()
    env: providers.Provider[Any] = providers.Object(None)
    given: providers.Provider[Any] = providers.Object(None)
    only_given: providers.Provider[bool] = providers.Object(False)
    given_settings: providers.Provider[Any] = providers.Object(None)
    http_client: providers.Provider[Any] = providers.Object(None)

    parts = providers.Callable(overridden_parts, __self__)
    sources = providers.ThreadSafeSingleton(build_sources, env, only_given, given_settings, parts)
    clock: providers.Provider[Any] = providers.ThreadSafeSingleton(SystemClock)
    opening_settings: providers.Provider[Settings] = providers.ThreadSafeSingleton(read_opening_settings, sources)
    apply_logging: providers.Provider[None] = providers.Callable(apply_logging, opening_settings)
    logger: providers.Provider[Any] = providers.ThreadSafeSingleton(get_logger)
    observer: providers.Provider[Any] = providers.ThreadSafeSingleton(LoggingObserver, logger)
    transport = providers.Callable(read_transport)
    transport_for = providers.Callable(build_transport_for, clock, http_client, transport.provider)
    error_policy: providers.Provider[Any] = providers.Object({})
    acceptance: providers.Provider[Any] = providers.ThreadSafeSingleton(AcceptancePolicy)
    policies: providers.Provider[Policies] = providers.ThreadSafeSingleton(build_policies, error_policy, acceptance)
    rate_counter: providers.Provider[Any] = providers.ThreadSafeSingleton(build_rate_counter, clock)
    has_external_rate_counter = providers.Callable(_is_passed_in, rate_counter.provider)
    owns_transport = providers.Callable(_is_built_here, transport.provider)
    registry: providers.Provider[ProviderRegistry] = providers.ThreadSafeSingleton(
        build_registry,
        sources,
        transport_for,
        clock,
        logger,
        observer,
        provider_overrides=given,
        only_overrides=only_given,
        policies=policies,
        has_external_rate_counter=has_external_rate_counter,
        owns_transport=owns_transport,
    )
    transport.add_args(registry)  # the registry holds the transport of the current configuration
    settings: providers.Provider[Settings] = providers.Callable(read_settings, registry)
    chance: providers.Provider[Any] = providers.Object(random.random)
    cache: providers.Provider[Any] = providers.ThreadSafeSingleton(build_cache, opening_settings, clock)
    admission: providers.Provider[AdmissionControl] = providers.ThreadSafeSingleton(
        build_admission, registry, clock, observer, rate_counter.provider
    )
    provider_history: providers.Provider[ProviderHistory] = providers.ThreadSafeSingleton(ProviderHistory, clock)
    call_observer: providers.Provider[Observer] = providers.ThreadSafeSingleton(
        combine_observers, provider_history, observer
    )
    router_parts: providers.Provider[RouterDependencies] = providers.ThreadSafeSingleton(
        build_router_dependencies, registry, admission, cache, clock, call_observer, chance
    )
    llm: providers.Provider[LLMRouter] = LLMEntry(build_llm, registry, router_parts)
    explain: providers.Provider[Plan] = providers.Callable(explain, registry=registry, dependencies=router_parts)
    health: providers.Provider[Awaitable[HealthReport]] = providers.Coroutine(
        health, registry, admission, provider_history, clock
    )
    configuration: providers.Provider[list[ConfigEntry]] = providers.Callable(read_configuration, registry)
    watch: providers.Provider[Any] = providers.Coroutine(watch, registry, logger)
    aclose: providers.Provider[Any] = providers.Coroutine(close, registry.provider)
