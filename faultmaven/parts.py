"""The parts of a container that a host may replace by name. Each part is declared once, in `Parts`."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ForwardRef, TypedDict, get_origin

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
    """The parts that may be passed by name to `open_container`. Each is checked against its annotation."""

    settings: Settings
    """Settings in place of those of the environment."""

    http_client: "httpx.AsyncClient | httpx2.AsyncClient"
    """A client of httpx or httpx2 for every request; the host closes it."""

    clock: Clock
    """The clock for every deadline, delay and timeout."""

    observer: Observer
    """An observer of every event, in place of the log."""

    transport: Transport
    """A transport of requests in place of the built-in one; it serves every reload, and the host closes it."""

    registry: ProviderRegistry
    """The registry of providers; the host closes it."""

    error_policy: ErrorPolicy
    """Reactions to error classes; a class that the mapping does not name keeps its own reaction."""

    acceptance: AcceptancePolicy
    """The actions for empty, cut, refused, invalid and unsure responses."""

    cache: ResponseCache
    """The response cache for identical requests."""

    rate_counter: RateCounter
    """The counter of requests and tokens per minute, for example one that several processes share."""

    chance: Randomness
    """A source of numbers from 0 to 1 for jitter."""

    configure_logging: bool
    """Whether to apply `LOG_LEVEL` and `LOG_FORMAT`; without it, the host configures logging."""


PART_NAMES = tuple(Parts.__annotations__)
_OPTIONAL_MEMBERS = frozenset({"open"})
"""Members of a protocol that a part may lack: a transport without `open` serves whole responses only."""


class LLMEntry(providers.Factory[Any]):
    """The container's entry `llm`, which checks the provider that overrides it."""

    def override(self, provider: Any) -> Any:
        """Override the entry with `provider`. An entry that makes its object later is not checked.

        Raises:
            ConfigurationError: the object is no `LLMProvider`; names the missing members.
        """
        is_later = isinstance(provider, providers.Provider) and not isinstance(provider, providers.Object)
        value = provider() if isinstance(provider, providers.Object) else provider
        missing = [] if is_later else [member for member in PORT_MEMBERS if not hasattr(value, member)]
        if missing:
            reason = f"missing {', '.join(missing)}"
            raise ConfigurationError(f"the override of 'llm' is a {type(value).__name__}, not an LLMProvider: {reason}")
        return super().override(provider)


def check_mapping(name: str, value: Any) -> None:
    """Raise ConfigurationError when `value` is neither a mapping nor None."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not a mapping")


def check_parts(parts: Mapping[str, Any]) -> None:
    """Refuse an unknown part, and a part of a wrong type.

    Raises:
        ConfigurationError: names the part, and the nearest name or the missing members.
    """
    for name, value in parts.items():
        if name not in PART_NAMES:
            raise ConfigurationError(f"unknown part {name!r}{did_you_mean(name, PART_NAMES)}")
        annotation: Any = Parts.__annotations__[name]
        if isinstance(annotation, ForwardRef):
            _check_named_type(name, value, annotation.__forward_arg__.split(" | "))
            continue
        expected: Any = get_origin(annotation) or annotation
        if getattr(expected, "_is_protocol", False):
            _check_members(name, value, expected)
        elif not isinstance(value, expected):
            raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {expected.__name__}")


def _check_members(name: str, value: Any, protocol: type) -> None:
    members = [member for member in vars(protocol) if member == "__call__" or not member.startswith("_")]
    missing = [member for member in members if member not in _OPTIONAL_MEMBERS and not hasattr(value, member)]
    if missing or isinstance(value, type):
        reason = f"missing {', '.join(missing)}" if missing else "pass an instance, not the class"
        raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}: {reason}")


def _check_named_type(name: str, value: Any, type_names: list[str]) -> None:
    """Refuse a value of none of the named types. The types of a package that is not imported cannot have values."""
    named = (type_name.rpartition(".") for type_name in type_names)
    if not any(isinstance(value, getattr(sys.modules.get(module), kind, ())) for module, _, kind in named):
        kind = type_names[-1].rpartition(".")[2]
        raise ConfigurationError(f"the part {name!r} is a {type(value).__name__}, not a {kind}")
