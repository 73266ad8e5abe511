"""The parts of a container that a host may swap by name, and what each of them must be."""

from collections.abc import Mapping
from typing import Any, TypedDict

import httpx

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


class Parts(TypedDict, total=False):
    """What may be swapped by name when a container is opened.

    Attributes:
        settings: In place of those of the environment.
        http_client: Used for every request; you close it.
        clock: What tells the time, waits and limits every wait.
        observer: Told of every event, in place of the log.
        transport: What carries requests, in place of httpx; it serves every reload, and you close it.
        registry: The providers; you close it.
        error_policy: What errors lead to; classes that it does not name keep their usual reaction.
        acceptance: Which answers will do.
        cache: Where answers are kept for the next identical request.
        rate_counter: What counts requests and tokens per minute, such as one that several processes share.
        chance: Numbers from 0 to 1, for jitter.
        configure_logging: Whether to apply `LOG_LEVEL` and `LOG_FORMAT`; without it, logging is left to the host.
    """

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


# What each part must be: the type, or for a port the members it must have.
PART_TYPES: dict[str, type[Any] | tuple[str, ...]] = {
    "settings": Settings,
    "http_client": httpx.AsyncClient,
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
        elif not isinstance(value, expected):
            raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {expected.__name__}")
