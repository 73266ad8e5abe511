"""What of a plan no health changes: who can carry such a request, worked out once for a configuration.

Requests of one kind, which is nearly all of them, share a shortlist: the same role, model and features.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ...domain.errors import ConfigurationError
from ...domain.names import did_you_mean
from ...domain.requests import ChatRequest
from ..configuration import ConfigurationSnapshot, Route, Target
from .plan import Candidate, Plan, Skipped
from .requirements import HINTS, lacking, may_be_refused, needs
from .time_shares import TimeShares, planned_time_shares

Refusal: TypeAlias = Callable[[Route, str], str]
"""Tells why a model of a route cannot carry a request, as one clause; "" when it can."""

MOST_KINDS = 512
MOST_PLANS = 64
"""Models and deadlines are the callers', so that their number is bounded; all are forgotten when it is reached."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Who can carry requests of one kind.

    Attributes:
        candidates: In the order of asking.
        skipped: Those who cannot, and why.
        smallest_context, smallest_output: Of those limits of models that are known the smallest, in tokens.
        has_limits: One of them has limits of our own.
        plans: Plans in which everybody is asked, by deadline and delay of a hedge.
    """

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    smallest_context: int | None
    smallest_output: int | None
    has_limits: bool
    plans: dict[tuple[float, float | None], Plan] = field(default_factory=dict)

    def plan(self, deadline: float, hedge_after: float | None, usual_deadline: float) -> Plan:
        """Return the plan in which everybody is asked."""
        found = self.plans.get((deadline, hedge_after))
        if found is None:
            if len(self.plans) >= MOST_PLANS:
                self.plans.clear()
            timed = timed_candidates(self.candidates, deadline, usual_deadline)
            who = tuple(candidate.identity for candidate in self.candidates)
            found = self.plans[deadline, hedge_after] = Plan(timed, self.skipped, deadline, hedge_after, who=who)
        return found


def shortlist_of(request: ChatRequest, generation: ConfigurationSnapshot, role: str, pinned: str | None) -> Shortlist:
    """Return the shortlist for requests such as `request`.

    Raises:
        ConfigurationError: the pinned provider is unknown.
    """
    wanted = needs(request)
    names = (pinned,) if pinned else generation.chains.get(role, ())
    hints = (request.seed is not None, request.reasoning is not None, request.cache_prompt is not None)
    kind = (names, request.model, wanted, hints)
    found: Shortlist | None = generation.compiled.get(kind)
    if found is None:
        found = _shortlist(names, request, generation, wanted, _nothing_refused)
        if len(generation.compiled) >= MOST_KINDS:
            generation.compiled.clear()
        generation.compiled[kind] = found
    if may_be_refused(request):  # whether it is depends on more than its kind
        refusal = _refusal_of(request)
        if any(refusal(candidate.route, candidate.effective_model) for candidate in found.candidates):
            return _shortlist(names, request, generation, wanted, refusal)
    return found


def timed_candidates(
    candidates: tuple[Candidate, ...], deadline: float, usual_deadline: float
) -> tuple[Candidate, ...]:
    """Return the candidates, each with its share of the deadline; `usual_deadline` is the configured one."""
    if not candidates:
        return ()
    shares = planned_time_shares(deadline, tuple(candidate.timeout for candidate in candidates))
    usual = TimeShares(len(candidates)).of(0, usual_deadline)
    return tuple(candidate.timed(share, usual) for candidate, share in zip(candidates, shares, strict=True))


def _shortlist(
    names: tuple[str, ...],
    request: ChatRequest,
    generation: ConfigurationSnapshot,
    wanted: Iterable[str],
    refusal: Refusal,
) -> Shortlist:
    fit, skipped = _fit(names, request, generation, _unfitness(wanted, refusal))
    candidates = tuple(_model_first(fit, request.model))
    contexts = (candidate.route.context(candidate.effective_model) for candidate in candidates)
    outputs = (candidate.route.output(candidate.effective_model) for candidate in candidates)
    return Shortlist(
        candidates=candidates,
        skipped=tuple(skipped),
        smallest_context=min((limit for limit in contexts if limit is not None), default=None),
        smallest_output=min((limit for limit in outputs if limit is not None), default=None),
        has_limits=any(candidate.route.has_limits for candidate in candidates),
    )


def _fit(
    names: tuple[str, ...], request: ChatRequest, generation: ConfigurationSnapshot, unfit: Refusal
) -> tuple[list[Candidate], list[Skipped]]:
    """Return the configured providers that can carry the request, and the others with what they lack."""
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    listed = [route for name in names if (route := generation.routes.get(name)) and request.model in route.models]
    has_lister = any(not unfit(route, request.model or "") for route in listed)
    for position, name in enumerate(names):
        route = generation.routes.get(name)
        if route is None:
            told = f"named in the chain, but {_missing(name, generation)}"
            skipped.append(Skipped(name, told, "not configured"))
            continue
        # Whoever lists the requested model gets it; the primary gets it even unlisted, unless another lists it.
        gets_it = request.model and (request.model in route.models or (position == 0 and not has_lister))
        candidate = _candidate(route, request, request.model if gets_it else None)
        if reason := unfit(route, candidate.effective_model):
            skipped.append(Skipped(name, reason, "capability", candidate.effective_model))
        else:
            candidates.append(candidate)
    return candidates, skipped


def _unfitness(wanted: Iterable[str], refusal: Refusal) -> Refusal:
    """Return what tells why a model of a route cannot carry a request that needs `wanted`, "" when it can."""

    def reason(route: Route, model: str) -> str:
        if lacks := lacking(wanted, route.features_of(model)):
            return f"does not take {' or '.join(lacks)}"
        return refusal(route, model)

    return reason


def _nothing_refused(route: Route, model: str) -> str:
    return ""


def _refusal_of(request: ChatRequest) -> Refusal:
    """Return what tells why a vendor or a model refuses `request` although it takes its kind; each is asked once."""
    told: dict[Target, str] = {}

    def refusal(route: Route, model: str) -> str:
        if route.refusal_for is None:
            return ""
        found = told.get((route.name, model))
        if found is None:
            is_its_own = request.model is None and model == route.own_model
            asked = request if is_its_own or request.model == model else replace(request, model=model or None)
            found = told[route.name, model] = route.refusal_for(asked, model)
        return found

    return refusal


def _missing(name: str, generation: ConfigurationSnapshot) -> str:
    try:
        return generation.missing[name]
    except KeyError:
        raise ConfigurationError(f"unknown provider {name!r}{did_you_mean(name, generation.names)}") from None


def _candidate(route: Route, request: ChatRequest, model: str | None) -> Candidate:
    asked = model or route.own_model
    features = route.features_of(asked)
    notes = tuple(
        f"{hint} left out: {route.name} does not take it"
        for hint in HINTS
        if getattr(request, hint) is not None and hint not in features
    )
    return Candidate(route, model, route.attempt_timeout(asked), notes)


def _model_first(candidates: list[Candidate], model: str | None) -> list[Candidate]:
    """Move the first candidate that lists `model` to the front."""
    lister = next((c for c in candidates if model and model in c.route.models), None)
    return [lister, *(c for c in candidates if c is not lister)] if lister else candidates
