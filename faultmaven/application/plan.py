"""The plan of a request: who is asked, in which order, with which model, and why not the others.

Everything here is a pure function over values, so a plan can be looked at without sending anything.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from faultmaven.domain.chat import NOTHING, ChatRequest
from faultmaven.domain.errors import ConfigurationError, InvalidRequestError, LLMError
from faultmaven.domain.names import did_you_mean
from faultmaven.ports.llm import ChatBackend

ROLES = ("chat", "multimodal", "synthesis", "classifier", "code")

RESERVE_SECONDS = 10.0
RESERVED_SUCCESSORS = 2

HINTS = ("seed", "reasoning", "cache_prompt")


@dataclass(frozen=True, slots=True)
class Route:
    """One provider as the planner sees it.

    Attributes:
        timeout: Seconds for one attempt.
        confidence: The row's weight.
        features: What of a request it carries beyond one prompt: "turns", "seed", "tools", "schema", "images".
        timeout_for: Seconds for one attempt of a model, where models differ.
    """

    name: str
    backend: ChatBackend = field(repr=False)
    models: tuple[str, ...] = ()
    timeout: float = 30.0
    max_retries: int = 0
    confidence: float = 1.0
    features: frozenset[str] = frozenset()
    timeout_for: Callable[[str], float] | None = None

    @property
    def own_model(self) -> str:
        """The model it uses when none is asked for, "" when the server decides."""
        return self.models[0] if self.models else ""

    def attempt_timeout(self, model: str) -> float:
        """Return the seconds that one attempt of `model` gets."""
        return self.timeout_for(model) if self.timeout_for else self.timeout


@dataclass(frozen=True, slots=True)
class Generation:
    """One whole configuration in force. A reload replaces it as a whole; a call keeps the one it began with.

    Attributes:
        routes: The configured providers by name.
        missing: The others by name, with what they lack.
        chains: For each role the names in the order of asking.
        deadline: Seconds for a whole call that sets none.
        not_configured: What to set when nothing is configured.
    """

    routes: Mapping[str, Route]
    missing: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    deadline: float = 120.0
    confidence_threshold: float = 0.0
    not_configured: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every provider there is, configured or not."""
        return frozenset((*self.routes, *self.missing))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider that will be asked. `model` is None where it uses its own; `timeout` is in seconds."""

    route: Route
    model: str | None
    timeout: float
    notes: tuple[str, ...] = ()

    @property
    def effective_model(self) -> str:
        """The model that will be asked, "" when the server decides."""
        return self.model or self.route.own_model


@dataclass(frozen=True, slots=True)
class Skipped:
    """One provider that will not be asked, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates in order, those skipped, and the seconds for all of it."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    deadline: float


def plan(request: ChatRequest, generation: Generation, role: str | None = None, pinned: str | None = None) -> Plan:
    """Return who is asked for `request`, in which order.

    Args:
        role: One of `ROLES`; None is "chat", or "multimodal" for a request with images.
        pinned: Ask this provider only.

    Raises:
        ConfigurationError: nothing is configured, or the pinned provider is unknown or not configured.
        InvalidRequestError: no configured provider can take what the request needs.
    """
    names = (pinned,) if pinned else _chain(request, generation, role)
    _check_extra(request, generation)
    wanted = needs(request)
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    for name in names:
        route = generation.routes.get(name)
        reason = _unfit(route, wanted) if route else _missing(name, generation)
        if route is None or reason:
            skipped.append(Skipped(name, reason))
        else:
            candidates.append(_candidate(route, request, primary=name == names[0]))
    candidates = _model_first(candidates, request.model)
    if not candidates:
        raise _nobody(generation, skipped, pinned)
    return Plan(tuple(candidates), tuple(skipped), request.deadline or generation.deadline)


def share(remaining: float, successors: int) -> float:
    """Return how many of the `remaining` seconds a candidate may use with `successors` candidates behind it.

    Each of the next two keeps a reserve of 10 s, or an equal split where there is less.
    """
    reserved = min(successors, RESERVED_SUCCESSORS)
    return remaining - reserved * min(RESERVE_SECONDS, remaining / (reserved + 1))


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


def _chain(request: ChatRequest, generation: Generation, role: str | None) -> tuple[str, ...]:
    if role is None:
        role = "multimodal" if any(message.images for message in request.messages) else "chat"
    check_role(role)
    return generation.chains.get(role, ())


def check_role(role: str) -> None:
    """Raise InvalidRequestError, with the nearest name, when `role` is no role."""
    if role not in ROLES:
        raise InvalidRequestError(f"unknown role {role!r}{did_you_mean(role, ROLES)}")


def _missing(name: str, generation: Generation) -> str:
    try:
        return generation.missing[name]
    except KeyError:
        raise ConfigurationError(f"unknown provider {name!r}{did_you_mean(name, generation.names)}") from None


def _candidate(route: Route, request: ChatRequest, *, primary: bool) -> Candidate:
    # Whoever lists the requested model gets it; the primary gets it even unlisted, unless another lists it.
    model = request.model if request.model and (primary or request.model in route.models) else None
    notes = tuple(
        f"{hint} left out: {route.name} does not take it"
        for hint in HINTS
        if getattr(request, hint) is not None and hint not in route.features
    )
    return Candidate(route, model, route.attempt_timeout(model or route.own_model), notes)


def _model_first(candidates: list[Candidate], model: str | None) -> list[Candidate]:
    """Move the first candidate that lists `model` to the front; an unlisted model then leaves the old primary."""
    lister = next((c for c in candidates if model and model in c.route.models), None)
    if lister is None or lister is candidates[0]:
        return candidates
    others = [
        c if c.model is None or model in c.route.models else _with_own_model(c) for c in candidates if c is not lister
    ]
    return [lister, *others]


def _with_own_model(candidate: Candidate) -> Candidate:
    route = candidate.route
    return Candidate(route, None, route.attempt_timeout(route.own_model), candidate.notes)


def needs(request: ChatRequest) -> tuple[str, ...]:
    """Return the features without which `request` cannot be answered.

    They are "tools", "schema" and "images", and what a class that takes one prompt string would lose on the way:
    "assistant turns" and "stop".
    """
    messages = request.messages
    tools = bool(request.tools) or any(message.role == "tool" or message.tool_calls for message in messages)
    needed = {
        "tools": tools or request.tool_choice is not None,
        "schema": request.response_format is not None,
        "images": any(message.images for message in messages),
        "assistant turns": any(message.role == "assistant" for message in messages),
        "stop": bool(request.stop),
    }
    return tuple(feature for feature, is_needed in needed.items() if is_needed)


def lacking(wanted: Iterable[str], features: frozenset[str]) -> list[str]:
    """Return what of `wanted` a provider with these features does not take."""
    carried = features | {"assistant turns", "stop"} if "turns" in features else features
    return [feature for feature in wanted if feature not in carried]


def _unfit(route: Route, wanted: Iterable[str]) -> str:
    lacks = lacking(wanted, route.features)
    return f"does not take {' or '.join(lacks)}" if lacks else ""


def _check_extra(request: ChatRequest, generation: Generation) -> None:
    """Refuse vendor fields for a provider that is none: they would be lost without a word."""
    for name in request.extra:
        if name not in generation.names:
            hint = did_you_mean(name, generation.names)
            raise InvalidRequestError(f"extra names an unknown provider {name!r}{hint}")


def _nobody(generation: Generation, skipped: list[Skipped], pinned: str | None) -> LLMError:
    told = "; ".join(f"{entry.name}: {entry.reason}" for entry in skipped)
    if any(entry.name in generation.routes for entry in skipped):
        return InvalidRequestError(
            f"no configured provider can take this request ({told})",
            advice="Leave the named option out, or configure a provider that takes it.",
        )
    if pinned:
        return ConfigurationError(f"the provider {pinned!r} is not configured: {told}")
    return ConfigurationError("no provider is configured", advice=generation.not_configured)
