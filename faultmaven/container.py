"""The container: the only file that knows everyone. A table of contents; the work is in the functions it names."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack

import httpx
from dependency_injector import containers, providers

from faultmaven.application.acceptance import AcceptancePolicy
from faultmaven.application.error_policy import DEFAULT_ERROR_POLICY, ErrorPolicy
from faultmaven.application.planned import Plan
from faultmaven.application.policies import Policies
from faultmaven.application.reuse import AnswerReuse
from faultmaven.application.router import LLMRouter, RouterParts
from faultmaven.application.traffic import Traffic
from faultmaven.domain.chat import Prompt
from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.hidden import HiddenMapping
from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.network import network_settings
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import Transport
from faultmaven.infrastructure.llm.providers.catalogue import ProviderRegistry, Sources
from faultmaven.infrastructure.llm.providers.registry import build_registry, read_sources
from faultmaven.infrastructure.logging import LoggingObserver, configure_logging, get_logger
from faultmaven.infrastructure.provenance import ConfigEntry
from faultmaven.infrastructure.settings import Environment, Settings
from faultmaven.ports.cache import ResponseCache
from faultmaven.ports.clock import Clock
from faultmaven.ports.limits import RateCounter
from faultmaven.ports.llm import LLMProvider, Options
from faultmaven.ports.observer import Observer
from faultmaven.ports.randomness import Randomness


class Parts(TypedDict, total=False):
    """What may be swapped by name when a container is opened."""

    settings: Settings
    http_client: httpx.AsyncClient
    clock: Clock
    observer: Observer
    transport: Transport
    registry: ProviderRegistry
    error_policy: ErrorPolicy
    acceptance: AcceptancePolicy
    cache: ResponseCache
    rate_counter: RateCounter
    chance: Randomness
    configure_logging: bool


def build_sources(env: Mapping[str, str] | None, only_given: bool, settings: Settings | None) -> Callable[[], Sources]:
    """Return what reads environment and settings, now and at every reload."""

    def read() -> Sources:
        sources = Sources(Environment(), Settings()) if only_given else read_sources(env)
        return Sources(sources.environment, settings) if settings else sources  # given settings have no faults

    return read


def build_transport(clock: Clock, client: httpx.AsyncClient | None, settings: Settings) -> HTTPTransport:
    """Return the transport that all providers share; a passed-in client stays the host's."""
    return HTTPTransport(clock, client=client, network=network_settings(settings))


def build_policies(error_policy: ErrorPolicy, acceptance: AcceptancePolicy) -> Policies:
    """Return the host's own policies; what the host's error table does not name keeps its usual reaction."""
    return Policies({**DEFAULT_ERROR_POLICY, **error_policy}, acceptance)


def build_rate_counter(clock: Clock) -> RateCounter:
    """Return what counts requests and tokens per minute; loaded only when a row has such a limit."""
    from faultmaven.infrastructure import rate_counter

    return rate_counter.build_rate_counter(clock)


def build_cache(settings: Settings, clock: Clock) -> ResponseCache | None:
    """Return the response cache, None when LLM_CACHE_SECONDS is 0."""
    if not settings.cache_seconds:
        return None
    from faultmaven.infrastructure import memory_cache

    return memory_cache.build_response_cache(settings.cache_entries, settings.cache_seconds, clock)


def build_traffic(
    registry: ProviderRegistry, clock: Clock, observer: Observer, counter: Callable[[], RateCounter]
) -> Traffic:
    """Return what all routers know of the providers between calls."""
    return Traffic(registry.generation, clock, observer, counter)


def build_router_parts(
    registry: ProviderRegistry,
    traffic: Traffic,
    cache: ResponseCache | None,
    clock: Clock,
    observer: Observer,
    chance: Randomness,
) -> RouterParts:
    """Return what all routers share."""
    return RouterParts(registry.generation, traffic, AnswerReuse(cache), clock, observer, chance)


def build_llm(
    registry: ProviderRegistry, parts: RouterParts, *, role: str | None = None, provider: str | None = None
) -> LLMRouter:
    """Return a provider that routes.

    Args:
        role: "chat", "multimodal", "synthesis", "classifier" or "code"; None is "chat".
        provider: Ask this provider only, with everything else still on.

    Raises:
        ConfigurationError: `provider` is unknown or not configured.
        InvalidRequestError: `role` is unknown.
    """
    if provider is not None:
        registry.get_provider(provider)
    return LLMRouter(parts, role=role, provider=provider)


def explain(
    prompt: Prompt,
    model: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    *,
    registry: ProviderRegistry,
    parts: RouterParts,
    role: str | None = None,
    provider: str | None = None,
    **options: Unpack[Options],
) -> Plan:
    """Return who would be asked for `prompt` now, for how long, and why not the others; nothing is sent.

    Arguments as for `generate`, and `role` and `provider` as for `llm`. `str()` of the plan is what the command
    `faultmaven explain` prints.
    """
    router = build_llm(registry, parts, role=role, provider=provider)
    return router.explain(prompt, model, max_tokens, temperature, **options)


def read_opening_settings(load: Callable[[], Sources]) -> Settings:
    """Return the settings that parts with a life of their own are built with: the transport outlives reloads."""
    return load().settings


def read_settings(registry: ProviderRegistry) -> Settings:
    """Return the settings in force, those of the last reload."""
    return registry.settings


def read_configuration(registry: ProviderRegistry) -> list[ConfigEntry]:
    """Return every effective value with its source."""
    return registry.entries()


async def close(transport: Transport) -> None:
    """Close the running loop's connections; those of other loops close with their loops."""
    await transport.aclose()


class Container(containers.DeclarativeContainer):
    """Every part of the module by its name. Override one before the first build, or pass it to `open_container`.

    In a host's own container: `fm = providers.Container(Container)`, then `host.fm.llm(role="code")` and
    `await host.fm.aclose()`.
    """

    env: providers.Provider[Any] = providers.Object(None)
    given: providers.Provider[Any] = providers.Object(None)
    only_given: providers.Provider[bool] = providers.Object(False)
    given_settings: providers.Provider[Any] = providers.Object(None)
    http_client: providers.Provider[Any] = providers.Object(None)

    sources = providers.Callable(build_sources, env, only_given, given_settings)
    clock: providers.Provider[Any] = providers.ThreadSafeSingleton(SystemClock)
    opening_settings: providers.Provider[Settings] = providers.ThreadSafeSingleton(read_opening_settings, sources)
    transport: providers.Provider[Transport] = providers.ThreadSafeSingleton(
        build_transport, clock, http_client, opening_settings
    )
    logger: providers.Provider[Any] = providers.ThreadSafeSingleton(get_logger)
    error_policy: providers.Provider[Any] = providers.Object({})
    acceptance: providers.Provider[Any] = providers.ThreadSafeSingleton(AcceptancePolicy)
    policies: providers.Provider[Policies] = providers.ThreadSafeSingleton(build_policies, error_policy, acceptance)
    registry: providers.Provider[ProviderRegistry] = providers.ThreadSafeSingleton(
        build_registry, sources, transport, clock, logger, given=given, only_given=only_given, policies=policies
    )
    settings: providers.Provider[Settings] = providers.Callable(read_settings, registry)
    observer: providers.Provider[Any] = providers.ThreadSafeSingleton(LoggingObserver, logger)
    chance: providers.Provider[Any] = providers.Object(random.random)
    rate_counter: providers.Provider[Any] = providers.ThreadSafeSingleton(build_rate_counter, clock)
    cache: providers.Provider[Any] = providers.ThreadSafeSingleton(build_cache, opening_settings, clock)
    traffic: providers.Provider[Traffic] = providers.ThreadSafeSingleton(
        build_traffic, registry, clock, observer, rate_counter.provider
    )
    router_parts: providers.Provider[RouterParts] = providers.ThreadSafeSingleton(
        build_router_parts, registry, traffic, cache, clock, observer, chance
    )
    llm: providers.Provider[LLMProvider] = providers.Factory(build_llm, registry, router_parts)
    explain: providers.Provider[Plan] = providers.Callable(explain, registry=registry, parts=router_parts)
    configuration: providers.Provider[list[ConfigEntry]] = providers.Callable(read_configuration, registry)
    aclose: providers.Provider[Any] = providers.Coroutine(close, transport)


# What each part must be: the type, or for a port the members it must have.
_PART_TYPES: dict[str, type[Any] | tuple[str, ...]] = {
    "settings": Settings,
    "http_client": httpx.AsyncClient,
    "clock": ("monotonic", "sleep", "timeout"),
    "observer": ("__call__",),
    "transport": ("send", "aclose"),
    "registry": ProviderRegistry,
    "error_policy": Mapping,
    "acceptance": AcceptancePolicy,
    "cache": ("get", "put"),
    "rate_counter": ("take", "give_back", "charge"),
    "chance": ("__call__",),
    "configure_logging": bool,
}


def create_container(
    env: Mapping[str, str] | None = None,
    *,
    providers: Mapping[str, LLMProvider] | None = None,
    **parts: Unpack[Parts],
) -> Container:
    """Return an opened container; close it with `await container.aclose()`.

    Args:
        env: Variables to use; then neither the process's environment nor any `.env` is read. None reads those.
        providers: Provider objects by name. Alone, exactly these are there and no environment is read; with `env`, they
            replace or add rows of that name.
        parts: Swap a part by its name; see `Parts`. `configure_logging=True` applies `LOG_LEVEL` and `LOG_FORMAT`.

    Raises:
        ConfigurationError: lists every fault of the configuration; an unknown part or one of a wrong type.
    """
    env = _hidden(env)
    _check_mapping("providers", providers)
    _check_parts(parts)
    container = Container()
    _override(container, "env", env)
    if providers is not None:
        _override(container, "given", dict(providers))
        _override(container, "only_given", env is None)
    if "settings" in parts:
        _override(container, "given_settings", parts["settings"])
    for name, part in parts.items():
        if name not in ("settings", "configure_logging"):
            _override(container, name, part)
    if parts.get("configure_logging"):
        settings = container.opening_settings()
        configure_logging(settings.log_level, settings.log_format)
    container.registry()
    return container


@asynccontextmanager
async def open_container(
    env: Mapping[str, str] | None = None,
    *,
    providers: Mapping[str, LLMProvider] | None = None,
    **parts: Unpack[Parts],
) -> AsyncIterator[Container]:
    """Open a container for the body and close it after; arguments and errors as for `create_container`."""
    env = _hidden(env)
    container = create_container(env, providers=providers, **parts)
    try:
        yield container
    finally:
        await container.aclose()


def _override(container: Container, name: str, value: Any) -> None:
    container.providers[name].override(providers.Object(value))


def _hidden(env: Mapping[str, str] | None) -> HiddenMapping | None:
    """Return a view of `env` that no traceback of ours shows."""
    _check_mapping("env", env)
    return None if env is None else HiddenMapping(env)


def _check_mapping(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not a mapping")


def _check_parts(parts: Mapping[str, Any]) -> None:
    for name, value in parts.items():
        expected = _PART_TYPES.get(name)
        if expected is None:
            raise ConfigurationError(f"unknown part {name!r}{did_you_mean(name, _PART_TYPES)}")
        if isinstance(expected, tuple):
            absent = [member for member in expected if not hasattr(value, member)]
            if absent or isinstance(value, type):
                told = f"has no {', '.join(absent)}" if absent else "is a class; pass an object of it"
                raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}: it {told}")
        elif not isinstance(value, expected):
            raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {expected.__name__}")
