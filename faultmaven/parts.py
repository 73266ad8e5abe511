"""The parts of a container that a host may swap by name, and what each of them must be."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from dependency_injector import providers

from .application.policies.acceptance import AcceptancePolicy
from .application.policies.errors import ErrorPolicy
from .domain.errors import ConfigurationError
from .domain.names import did_you_mean
from .infrastructure.configuration.settings import Settings
from .infrastructure.http.types import Transport
from .infrastructure.llm.providers.assembly.provider_registry import ProviderRegistry
from .infrastructure.llm.providers.rows.fields import PORT_MEMBERS
from .ports.cache import ResponseCache
from .ports.clock import Clock
from .ports.limits import RateCounter
from .ports.observer import Observer
from .ports.randomness import Randomness

if TYPE_CHECKING:
    import httpx
    import httpx2


class Parts(TypedDict, total=False):
    """What may be swapped by name when a container is opened.

    Attributes:
        settings: In place of those of the environment.
        http_client: Used for every request; you close it. Of httpx or of httpx2.
        clock: What tells the time, waits and limits every wait.
        observer: Told of every event, in place of the log.
        transport: What carries requests, in place of ours; it serves every reload, and you close it.
        registry: The providers; you close it.
        error_policy: What errors lead to; classes that it does not name keep their usual reaction.
        acceptance: Which answers will do.
        cache: Where answers are kept for the next identical request.
        rate_counter: What counts requests and tokens per minute, such as one that several processes share.
        chance: Numbers from 0 to 1, for jitter.
        configure_logging: Whether to apply `LOG_LEVEL` and `LOG_FORMAT`; without it, logging is left to the host.
    """

    settings: Settings
    http_client: "httpx.AsyncClient | httpx2.AsyncClient"
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


# What each part must be: the type, or its names where importing it takes time, or for a port the members it must have.
PART_TYPES: dict[str, type[Any] | str | tuple[str, ...]] = {
    "settings": Settings,
    "http_client": "httpx.AsyncClient httpx2.AsyncClient",
    "clock": ("monotonic", "sleep", "timeout"),
    "observer": ("__call__",),
    "transport": ("send", "aclose"),
    "registry": ProviderRegistry,
    "error_policy": Mapping,
    "acceptance": AcceptancePolicy,
    "cache": ("get", "put"),
    "rate_counter": ("take", "peek", "give_back", "charge"),
    "chance": ("__call__",),
    "configure_logging": bool,
}


class LLMEntry(providers.Factory[Any]):
    """The container's entry for what answers prompts; whatever is put in its place has to be able to."""

    def override(self, provider: Any) -> Any:
        """Put `provider` in its place; one that makes its object later is taken at its word.

        Raises:
            ConfigurationError: it is no provider.
        """
        is_later = isinstance(provider, providers.Provider) and not isinstance(provider, providers.Object)
        given = provider() if isinstance(provider, providers.Object) else provider
        absent = [] if is_later else [member for member in PORT_MEMBERS if not hasattr(given, member)]
        if absent:
            told = f"it has no {', '.join(absent)}"
            raise ConfigurationError(f"what overrides 'llm' is a {type(given).__name__}, not an LLMProvider: {told}")
        return super().override(provider)


def check_mapping(name: str, value: Any) -> None:
    """Raise ConfigurationError when `value` is neither a mapping nor None."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not a mapping")


def check_parts(parts: Mapping[str, Any]) -> None:
    """Refuse what is no part, or not of its part's type.

    Raises:
        ConfigurationError: names the part, with the nearest name, or what it lacks.
    """
    for name, value in parts.items():
        expected = PART_TYPES.get(name)
        if expected is None:
            raise ConfigurationError(f"unknown part {name!r}{did_you_mean(name, PART_TYPES)}")
        if isinstance(expected, tuple):
            absent = [member for member in expected if not hasattr(value, member)]
            if absent or isinstance(value, type):
                told = f"has no {', '.join(absent)}" if absent else "is a class; pass an object of it"
                raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}: it {told}")
            continue
        is_one = _is_named(value, expected) if isinstance(expected, str) else isinstance(value, expected)
        if not is_one:
            kind = expected.rpartition(".")[2] if isinstance(expected, str) else expected.__name__
            raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {kind}")


def _is_named(value: Any, names: str) -> bool:
    """Return whether `value` is of one of these types; of what nobody has imported there is nothing."""
    named = (name.rpartition(".") for name in names.split())
    return any(isinstance(value, getattr(sys.modules.get(module), kind, ())) for module, _, kind in named)
