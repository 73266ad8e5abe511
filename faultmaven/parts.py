"""The parts of a container that a host may swap by name, and what each of them must be."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from faultmaven.application.acceptance import AcceptancePolicy
from faultmaven.application.error_policy import ErrorPolicy
from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.names import did_you_mean
from faultmaven.infrastructure.http.types import Transport
from faultmaven.infrastructure.llm.providers.catalogue import ProviderRegistry
from faultmaven.infrastructure.settings import Settings
from faultmaven.ports.cache import ResponseCache
from faultmaven.ports.clock import Clock
from faultmaven.ports.limits import RateCounter
from faultmaven.ports.observer import Observer
from faultmaven.ports.randomness import Randomness

if TYPE_CHECKING:
    import httpx


class Parts(TypedDict, total=False):
    """What may be swapped by name when a container is opened."""

    settings: Settings
    http_client: "httpx.AsyncClient"
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


# What each part must be: the type, or its name where importing it takes time, or for a port the members it must have.
PART_TYPES: dict[str, type[Any] | str | tuple[str, ...]] = {
    "settings": Settings,
    "http_client": "httpx.AsyncClient",
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
        if isinstance(expected, str):
            module, _, kind = expected.rpartition(".")
            expected = getattr(importlib.import_module(module), kind)
        if not isinstance(value, expected):
            raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {expected.__name__}")
