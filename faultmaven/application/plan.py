"""The plan of a request: who is asked, in which order, with which model, for how long, and why not the others.

Everything here is a pure function of request, configuration and health, so a plan can be looked at without sending
anything; `faultmaven explain` prints it.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace

from faultmaven.application.generation import Generation, Route, check_role
from faultmaven.application.health import AllWell, Health, Standing
from faultmaven.application.needs import HINTS, answer_tokens, lacking, may_be_refused, needs, prompt_tokens
from faultmaven.application.planned import Candidate, Plan, SkipKind, Skipped
from faultmaven.application.shares import Shares, planned_shares
from faultmaven.domain.chat import ChatRequest
from faultmaven.domain.errors import ConfigurationError, InvalidRequestError, LLMError
from faultmaven.domain.names import did_you_mean


def plan(
    request: ChatRequest,
    generation: Generation,
    role: str | None = None,
    pinned: str | None = None,
    health: Health | None = None,
) -> Plan:
    """Return who is asked for `request`, in which order; there may be nobody, see `nobody`.

    Args:
        role: One of `ROLES`; None is "chat", or "multimodal" for a request with images.
        pinned: Ask this provider only.
        health: How the providers stand; None takes all for well.

    Raises:
        ConfigurationError: the pinned provider is unknown.
        InvalidRequestError: an unknown role, or vendor fields for an unknown provider.
    """
    role = _role(request, role)
    names = (pinned,) if pinned else generation.chains.get(role, ())
    if request.timeout is None:  # a router inside of another one gets vendor fields that are meant for others
        _check_extra(request, generation)
    candidates, skipped = _fit(names, request, generation)
    candidates = _model_first(candidates, request.model)
    size = functools.cache(lambda: prompt_tokens(request))  # counted once, and only if anybody has a limit
    candidates = _large_enough(candidates, size, skipped)
    candidates = _long_enough(candidates, request, skipped)
    who = tuple(candidate.identity for candidate in candidates)
    well, spared = _well(candidates, lambda: size() + answer_tokens(request), health or AllWell(), skipped)
    deadline = min(request.deadline or generation.deadline, request.timeout or float("inf"))
    hedge_after = request.hedge_after or generation.policies.hedge_after.get(role)
    timed = _timed([*well, *spared], deadline, generation.deadline)
    return Plan(timed[: len(well)], tuple(skipped), deadline, hedge_after, timed[len(well) :], who)


def nobody(planned: Plan, generation: Generation, pinned: str | None = None) -> LLMError:
    """Return the error of a plan without candidates."""
    told = "; ".join(f"{entry.name}: {entry.reason}" for entry in planned.skipped)
    if any(entry.kind in ("capability", "context") for entry in planned.skipped):
        return InvalidRequestError(
            f"no configured provider can take this request ({told})",
            advice="Leave the named option out, or configure a provider that takes it.",
        )
    if pinned:
        return ConfigurationError(f"the provider {pinned!r} is not configured: {told}")
    return ConfigurationError("no provider is configured", advice=generation.not_configured)


def _role(request: ChatRequest, role: str | None) -> str:
    if role is None:
        return "multimodal" if any(message.images for message in request.messages) else "chat"
    check_role(role)
    return role


def _fit(names: Iterable[str], request: ChatRequest, generation: Generation) -> tuple[list[Candidate], list[Skipped]]:
    """Return the configured providers that can carry the request, and the others with what they lack."""
    names, unfit = tuple(names), _unfitness(request)
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


def _unfitness(request: ChatRequest) -> Callable[[Route, str], str]:
    """Return what tells why a model of a route cannot carry `request`, "" when it can."""
    wanted, may_refuse = needs(request), may_be_refused(request)

    def reason(route: Route, model: str) -> str:
        if lacks := lacking(wanted, route.features_of(model)):
            return f"does not take {' or '.join(lacks)}"
        if may_refuse and route.refusal_for:
            return route.refusal_for(replace(request, model=model or None), model)
        return ""

    return reason


def _missing(name: str, generation: Generation) -> str:
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


def _large_enough(
    candidates: list[Candidate], size_of_prompt: Callable[[], int], skipped: list[Skipped]
) -> list[Candidate]:
    """Leave out models whose context is too small, as long as one is large enough: the size is an estimate."""
    limits = [candidate.route.context(candidate.effective_model) for candidate in candidates]
    if all(limit is None for limit in limits):
        return candidates
    size = size_of_prompt()
    return _within(candidates, limits, size, f"context too small: about {size} tokens, and it takes", skipped)


def _long_enough(candidates: list[Candidate], request: ChatRequest, skipped: list[Skipped]) -> list[Candidate]:
    """Leave out models that answer fewer tokens than are asked for, as long as one answers as many."""
    wanted = request.max_tokens or request.min_output_tokens
    if not wanted:
        return candidates
    limits = [candidate.route.output(candidate.effective_model) for candidate in candidates]
    return _within(candidates, limits, wanted, f"its answers are too short: {wanted} tokens, and it gives", skipped)


def _within(
    candidates: list[Candidate], limits: list[int | None], size: int, reason: str, skipped: list[Skipped]
) -> list[Candidate]:
    small = [limit is not None and limit < size for limit in limits]
    if all(small):
        return candidates
    for candidate, limit, is_small in zip(candidates, limits, small, strict=True):
        if is_small:
            skipped.append(Skipped(candidate.route.name, f"{reason} {limit}", "context", candidate.effective_model))
    return [candidate for candidate, is_small in zip(candidates, small, strict=True) if not is_small]


def _well(
    candidates: list[Candidate], size_of_exchange: Callable[[], int], health: Health, skipped: list[Skipped]
) -> tuple[list[Candidate], list[Candidate]]:
    """Return those that are well, and those to spare; where nobody is well, nobody is spared."""
    tokens = size_of_exchange() if any(c.route.tokens_per_minute for c in candidates) else 0
    standings = [health.standing(c.route, c.effective_model, tokens) for c in candidates]
    if not any(standing.obstacle for standing in standings):
        return candidates, []
    pairs = list(zip(candidates, standings, strict=True))
    unwell = [replace(candidate, obstacle=standing.obstacle) for candidate, standing in pairs if standing.obstacle]
    if len(unwell) == len(candidates):
        return unwell, []
    skipped += [_unwell(candidate, standing) for candidate, standing in pairs if standing.obstacle]
    return [candidate for candidate, standing in pairs if not standing.obstacle], unwell


def _unwell(candidate: Candidate, standing: Standing) -> Skipped:
    kind: SkipKind = "limit" if standing.phase == "closed" else "breaker"
    return Skipped(candidate.route.name, standing.obstacle, kind, candidate.effective_model, standing.clears_in)


def _timed(candidates: list[Candidate], deadline: float, usual_deadline: float) -> tuple[Candidate, ...]:
    """Give each candidate its share of the deadline."""
    if not candidates:
        return ()
    shares = planned_shares(deadline, [candidate.timeout for candidate in candidates])
    usual = Shares(len(candidates)).of(0, usual_deadline)
    return tuple(candidate.timed(share, usual) for candidate, share in zip(candidates, shares, strict=True))


def _check_extra(request: ChatRequest, generation: Generation) -> None:
    """Refuse vendor fields for a provider that is none: they would be lost without a word."""
    for name in request.extra:
        if name not in generation.names:
            hint = did_you_mean(name, generation.names)
            raise InvalidRequestError(f"extra names an unknown provider {name!r}{hint}")
