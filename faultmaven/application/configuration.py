"""One whole configuration in force, as the core sees it: the providers, and the order in which they are asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..domain.capabilities import Capabilities
from ..domain.errors import InvalidRequestError
from ..domain.names import did_you_mean
from ..domain.requests import NOTHING, ChatRequest
from ..ports.llm import ChatBackend
from .policies.policies import DEFAULT_POLICIES, Policies

Target: TypeAlias = tuple[str, str]
"""A provider's name and a model, "" when the server decides."""

ROLES = ("chat", "multimodal", "synthesis", "classifier", "code")


@dataclass(frozen=True, slots=True)
class Route:
    """One provider as the planner sees it.

    Attributes:
        timeout: Seconds for one attempt.
        max_retries: Calls after the first one.
        confidence: The row's weight.
        features: What of a request it carries beyond one prompt, see `domain.capabilities`; and "turns" and "seed".
        timeout_for: Seconds for one attempt of a model, where models differ.
        capabilities_for: What a model can, where models differ or their limits are known.
        refusal_for: Why a model cannot carry a request although it has the features, "" when it can.
        streams: Whether it is asked for streams; else for whole answers.
        keeps_time: It is one of ours over a transport of ours, which ends by itself when its time is over: nobody need
            stand beside it with a clock. Never true of anybody else's.
        origin: Where it is asked and in which dialect; two routes of one name and origin give the same answers.
        max_concurrency, requests_per_minute, tokens_per_minute: Limits of our own, None for none.
    """

    name: str
    backend: ChatBackend = field(repr=False)
    models: tuple[str, ...] = ()
    timeout: float = 30.0
    max_retries: int = 0
    confidence: float = 1.0
    features: frozenset[str] = frozenset()
    timeout_for: Callable[[str], float] | None = field(default=None, repr=False)
    capabilities_for: Callable[[str], Capabilities] | None = field(default=None, repr=False)
    refusal_for: Callable[[ChatRequest, str], str] | None = field(default=None, repr=False)
    streams: bool = True
    keeps_time: bool = False
    origin: str = field(default="", repr=False)  # an address may hold credentials
    max_concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def has_limits(self) -> bool:
        """Whether we limit what is asked of it."""
        limits = (self.max_concurrency, self.requests_per_minute, self.tokens_per_minute)
        return limits != (None, None, None)

    @property
    def own_model(self) -> str:
        """The model it uses when none is asked for, "" when the server decides."""
        return self.models[0] if self.models else ""

    def attempt_timeout(self, model: str) -> float:
        """Return the seconds that one attempt of `model` gets."""
        return self.timeout_for(model) if self.timeout_for else self.timeout

    def features_of(self, model: str) -> frozenset[str]:
        """Return what of a request `model` takes here."""
        return self.capabilities_for(model).features if self.capabilities_for else self.features

    def context(self, model: str) -> int | None:
        """Return how many tokens of prompt `model` takes, None where that is not known."""
        return self.capabilities_for(model).context_window if self.capabilities_for else None

    def output(self, model: str) -> int | None:
        """Return how many tokens `model` answers at most, None where that is not known."""
        return self.capabilities_for(model).max_output if self.capabilities_for else None


@dataclass(frozen=True, slots=True)
class ConfigurationSnapshot:
    """One whole configuration in force. A reload replaces it as a whole; a call keeps the one it began with.

    Attributes:
        routes: The configured providers by name.
        missing: The others by name, with what they lack.
        chains: For each role the names in the order of asking.
        deadline: Seconds for a whole call that sets none.
        policies: How calls are carried out.
        strict: Only a role's primary is asked.
        not_configured: What to set when nothing is configured.
        compiled: What the planner has worked out once; it goes with the configuration.
    """

    routes: Mapping[str, Route]
    missing: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    deadline: float = 120.0
    policies: Policies = DEFAULT_POLICIES
    strict: bool = False
    not_configured: str = ""
    compiled: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def names(self) -> frozenset[str]:
        """Every provider there is, configured or not."""
        return frozenset((*self.routes, *self.missing))


def chain(
    available: Iterable[Route],
    primary: str | None,
    explicit: Iterable[str] = (),
    *,
    strict: bool = False,
    threshold: float = 0.0,
) -> tuple[str, ...]:
    """Return the order in which providers are asked: the primary, then the explicit chain or the rest by weight.

    Args:
        available: Configured providers, in schema order.
        primary: None picks the available one with the highest weight.
        strict: Only the primary.
        threshold: Providers whose weight is below come last.
    """
    by_weight = sorted(available, key=lambda route: (route.confidence < threshold, -route.confidence))
    order = [route.name for route in by_weight]
    first = primary or next(iter(order), None)
    if first is None:
        return ()
    if strict:
        return (first,)
    low = {route.name for route in by_weight if route.confidence < threshold}
    rest = sorted(explicit, key=low.__contains__) or order
    return tuple(dict.fromkeys((first, *rest)))


def check_role(role: str) -> None:
    """Raise InvalidRequestError, with the nearest name, when `role` is no role."""
    if role not in ROLES:
        raise InvalidRequestError(f"unknown role {role!r}{did_you_mean(role, ROLES)}")
