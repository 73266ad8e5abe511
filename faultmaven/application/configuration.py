"""The configuration as the core sees it: providers, and the order in which each role tries them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..domain.capabilities import Capabilities
from ..domain.errors import InvalidRequestError
from ..domain.names import did_you_mean
from ..domain.requests import EMPTY_MAPPING, ChatRequest
from ..ports.llm import ChatBackend
from .policies.policies import DEFAULT_POLICIES, Policies

Target: TypeAlias = tuple[str, str]
"""The name of a provider and a model; the model is "" when the server decides."""

ROLES = ("chat", "multimodal", "synthesis", "classifier", "code")


@dataclass(frozen=True, slots=True)
class Route:
    """One configured provider as the planner sees it.

    Attributes:
        timeout: Seconds for one attempt.
        backend: Sends the requests.
        models: Configured models, the default model first.
        max_retries: Attempts after the first one.
        confidence: Weight of the row.
        features: Request features that the provider supports, see `domain.capabilities`, and "turns" (assistant
            messages and stop sequences) and "seed".
        timeout_for: Returns the seconds for one attempt of a model, where models differ.
        capabilities_for: Returns the capabilities of a model, where models differ or their limits are known.
        refusal_for: Returns why a model cannot carry a request although it has the features, "" when it can.
        streams: Whether a streamed call opens a stream at the provider. False: it requests a whole response, and its
            stream has this response at once.
        keeps_time: The provider and its transport are built in and end an attempt at its timeout, so that the router
            adds no timeout. Never true of a third-party provider.
        origin: Address and dialect; two routes with the same name and origin give the same responses.
        max_concurrency, requests_per_minute, tokens_per_minute: Limits of the row, None for no limit.
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
    origin: str = field(default="", repr=False)  # hidden in repr: an address may hold credentials
    max_concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def has_limits(self) -> bool:
        """Whether the row limits concurrency, requests or tokens."""
        limits = (self.max_concurrency, self.requests_per_minute, self.tokens_per_minute)
        return limits != (None, None, None)

    @property
    def own_model(self) -> str:
        """The default model, "" when the server decides."""
        return self.models[0] if self.models else ""

    def attempt_timeout(self, model: str) -> float:
        """Return the timeout in seconds for one attempt of `model`."""
        return self.timeout_for(model) if self.timeout_for else self.timeout

    def features_of(self, model: str) -> frozenset[str]:
        """Return the request features that `model` supports at this provider."""
        return self.capabilities_for(model).features if self.capabilities_for else self.features

    def context(self, model: str) -> int | None:
        """Return the context window of `model` in tokens, None where it is unknown."""
        return self.capabilities_for(model).context_window if self.capabilities_for else None

    def output(self, model: str) -> int | None:
        """Return the output limit of `model` in tokens, None where it is unknown."""
        return self.capabilities_for(model).max_output if self.capabilities_for else None


@dataclass(frozen=True, slots=True)
class ConfigurationSnapshot:
    """One whole configuration. A reload replaces the whole snapshot; a call keeps the snapshot of its beginning.

    Attributes:
        routes: Configured providers by name.
        missing: Other providers by name, each with its missing settings.
        chains: Provider names by role, in the order of trying.
        deadline: Seconds for a whole call without a deadline of its own.
        policies: Policies of all calls.
        strict: Whether `STRICT_PROVIDER_MODE` is on: each chain has its role's primary provider only. The chains are
            built so already; the explanation of a plan reads this value.
        not_configured: Advice on the settings to make when no provider is configured.
        compiled: Cache of the planner's shortlists; a new configuration starts with an empty one.
    """

    routes: Mapping[str, Route]
    missing: Mapping[str, str] = field(default_factory=lambda: EMPTY_MAPPING)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY_MAPPING)
    deadline: float = 120.0
    policies: Policies = DEFAULT_POLICIES
    strict: bool = False
    not_configured: str = ""
    compiled: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def names(self) -> frozenset[str]:
        """Names of all providers, configured or not."""
        return frozenset((*self.routes, *self.missing))


def build_chain(
    available: Iterable[Route],
    primary: str | None,
    explicit: Iterable[str] = (),
    *,
    strict: bool = False,
    threshold: float = 0.0,
) -> tuple[str, ...]:
    """Return provider names in the order of trying: the primary, then the explicit chain or the others by weight.

    Args:
        available: Configured providers, in schema order.
        primary: Name of the first provider; None picks the available one with the highest weight.
        explicit: Names after the primary; empty for all available providers by weight.
        strict: Whether the chain is cut to its first provider, for `STRICT_PROVIDER_MODE`.
        threshold: Providers with a lower weight come last.
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
    """Refuse an unknown role.

    Raises:
        InvalidRequestError: `role` is not one of `ROLES`; the message has the nearest name.
    """
    if role not in ROLES:
        raise InvalidRequestError(f"unknown role {role!r}{did_you_mean(role, ROLES)}")
