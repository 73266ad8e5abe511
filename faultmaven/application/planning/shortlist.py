"""The shortlist: the part of a plan that depends on the configuration alone, computed once for each kind of request.

Requests of the same role, model and features share a shortlist. Nearly all requests of a service are of a few kinds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ...domain.errors import ConfigurationError
from ...domain.names import did_you_mean
from ...domain.requests import ChatRequest
from ..configuration import ConfigurationSnapshot, Route, Target
from .plan import Candidate, Plan, Skipped
from .requirements import HINTS, missing_features, needs_vendor_check, required_features
from .time_shares import TimeShares, planned_time_shares

Refusal: TypeAlias = Callable[[Route, str], str]
"""Returns the reason for which a model of a route cannot carry a request, as one clause; "" when the model can."""

MAX_SHORTLISTS = 512
MAX_PLANS = 64
"""Callers choose models and deadlines, so both numbers need a bound; all entries are dropped when it is reached."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The candidates for requests of one kind.

    Attributes:
        candidates: The candidates in order.
        skipped: The other providers of the chain, with reasons.
        smallest_context, smallest_output: The smallest known limit of the candidates' models, in tokens.
        has_limits: Whether the row of a candidate has limits.
        plans: Plans with every candidate, by deadline and delay of a hedge.
    """

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    smallest_context: int | None
    smallest_output: int | None
    has_limits: bool
    plans: dict[tuple[float, float | None], Plan] = field(default_factory=dict)

    def plan(self, deadline: float, hedge_after: float | None, usual_deadline: float) -> Plan:
        """Return the plan with every candidate."""
        plan = self.plans.get((deadline, hedge_after))
        if plan is None:
            if len(self.plans) >= MAX_PLANS:
                self.plans.clear()
            timed = timed_candidates(self.candidates, deadline, usual_deadline)
            answerers = tuple(candidate.identity for candidate in self.candidates)
            plan = Plan(timed, self.skipped, deadline, hedge_after, possible_answerers=answerers)
            self.plans[deadline, hedge_after] = plan
        return plan


def shortlist_for(
    request: ChatRequest, configuration: ConfigurationSnapshot, role: str, pinned: str | None
) -> Shortlist:
    """Return the shortlist for requests of this kind.

    Raises:
        ConfigurationError: the pinned provider is unknown.
    """
    features = required_features(request)
    names = (pinned,) if pinned else configuration.chains.get(role, ())
    hints = (request.seed is not None, request.reasoning is not None, request.cache_prompt is not None)
    kind = (names, request.model, features, hints)
    shortlist: Shortlist | None = configuration.compiled.get(kind)
    if shortlist is None:
        shortlist = _build_shortlist(names, request, configuration, features, _refuse_nothing)
        if len(configuration.compiled) >= MAX_SHORTLISTS:
            configuration.compiled.clear()
        configuration.compiled[kind] = shortlist
    if needs_vendor_check(request):  # a vendor's refusal depends on more than the kind of the request
        refusal = _refusal_for(request)
        if any(refusal(candidate.route, candidate.effective_model) for candidate in shortlist.candidates):
            return _build_shortlist(names, request, configuration, features, refusal)
    return shortlist


def timed_candidates(
    candidates: tuple[Candidate, ...], deadline: float, usual_deadline: float
) -> tuple[Candidate, ...]:
    """Return the candidates with their shares of the deadline; `usual_deadline` is the configured one."""
    if not candidates:
        return ()
    shares = planned_time_shares(deadline, tuple(candidate.timeout for candidate in candidates))
    usual_share = TimeShares(len(candidates)).share_of(0, usual_deadline)
    return tuple(candidate.timed(share, usual_share) for candidate, share in zip(candidates, shares, strict=True))


def _build_shortlist(
    names: tuple[str, ...],
    request: ChatRequest,
    configuration: ConfigurationSnapshot,
    features: Iterable[str],
    refusal: Refusal,
) -> Shortlist:
    fitting, skipped = _select(names, request, configuration, _unfitness(features, refusal))
    candidates = tuple(_with_requested_model_first(fitting, request.model))
    contexts = (candidate.route.context(candidate.effective_model) for candidate in candidates)
    outputs = (candidate.route.output(candidate.effective_model) for candidate in candidates)
    return Shortlist(
        candidates=candidates,
        skipped=tuple(skipped),
        smallest_context=min((limit for limit in contexts if limit is not None), default=None),
        smallest_output=min((limit for limit in outputs if limit is not None), default=None),
        has_limits=any(candidate.route.has_limits for candidate in candidates),
    )


def _select(
    names: tuple[str, ...], request: ChatRequest, configuration: ConfigurationSnapshot, unfitness: Refusal
) -> tuple[list[Candidate], list[Skipped]]:
    """Return the configured providers that can carry the request, and the other providers with reasons."""
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    listing = [route for name in names if (route := configuration.routes.get(name)) and request.model in route.models]
    is_listed = any(not unfitness(route, request.model or "") for route in listing)
    for position, name in enumerate(names):
        route = configuration.routes.get(name)
        if route is None:
            reason = f"named in the chain, but {_missing_settings(name, configuration)}"
            skipped.append(Skipped(name, reason, "not configured"))
            continue
        # Every provider that lists the requested model gets it. The primary gets an unlisted model unchanged.
        uses_model = request.model and (request.model in route.models or (position == 0 and not is_listed))
        candidate = _build_candidate(route, request, request.model if uses_model else None)
        if reason := unfitness(route, candidate.effective_model):
            skipped.append(Skipped(name, reason, "capability", candidate.effective_model))
        else:
            candidates.append(candidate)
    return candidates, skipped


def _unfitness(features: Iterable[str], refusal: Refusal) -> Refusal:
    """Return a function that checks a route's model for the required features, and then for the vendor's refusal."""

    def reason(route: Route, model: str) -> str:
        if missing := missing_features(features, route.features_of(model)):
            return f"does not support {' or '.join(missing)}"
        return refusal(route, model)

    return reason


def _refuse_nothing(route: Route, model: str) -> str:
    return ""


def _refusal_for(request: ChatRequest) -> Refusal:
    """Return the vendor's own check of `request`, which runs at most once for each target."""
    reasons: dict[Target, str] = {}

    def refusal(route: Route, model: str) -> str:
        if route.refusal_for is None:
            return ""
        reason = reasons.get((route.name, model))
        if reason is None:
            is_own_model = request.model is None and model == route.own_model
            is_unchanged = is_own_model or request.model == model
            attempted = request if is_unchanged else replace(request, model=model or None)
            reason = reasons[route.name, model] = route.refusal_for(attempted, model)
        return reason

    return refusal


def _missing_settings(name: str, configuration: ConfigurationSnapshot) -> str:
    try:
        return configuration.missing[name]
    except KeyError:
        raise ConfigurationError(f"unknown provider {name!r}{did_you_mean(name, configuration.names)}") from None


def _build_candidate(route: Route, request: ChatRequest, model: str | None) -> Candidate:
    effective_model = model or route.own_model
    features = route.features_of(effective_model)
    notes = tuple(
        f"{hint} left out: {route.name} does not support it"
        for hint in HINTS
        if getattr(request, hint) is not None and hint not in features
    )
    return Candidate(route, model, route.attempt_timeout(effective_model), notes)


def _with_requested_model_first(candidates: list[Candidate], model: str | None) -> list[Candidate]:
    """Return the candidates with the first one that lists `model` at the front."""
    lister = next((candidate for candidate in candidates if model and model in candidate.route.models), None)
    return [lister, *(candidate for candidate in candidates if candidate is not lister)] if lister else candidates
