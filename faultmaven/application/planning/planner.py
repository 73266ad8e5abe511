"""The plan of a request: who is asked, in which order, with which model, for how long, and why not the others.

Everything here is a pure function of request, configuration and health, so a plan can be looked at without sending
anything; `faultmaven explain` prints it.
"""

from dataclasses import replace

from ...domain.attachments import Image
from ...domain.errors import ConfigurationError, InvalidRequestError, LLMError
from ...domain.names import did_you_mean
from ...domain.requests import ChatRequest
from ..configuration import ConfigurationSnapshot, check_role
from ..resilience.availability import AVAILABLE, AllAvailable, Availability, AvailabilitySource
from .plan import Candidate, Plan, SkipKind, Skipped
from .requirements import answer_tokens, prompt_tokens, surely_fits
from .shortlist import Shortlist, shortlist_of, timed_candidates


def plan(
    request: ChatRequest,
    generation: ConfigurationSnapshot,
    role: str | None = None,
    pinned: str | None = None,
    health: AvailabilitySource | None = None,
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
    if request.timeout is None:  # a router inside of another one gets vendor fields that are meant for others
        _check_extra(request, generation)
    shortlist = shortlist_of(request, generation, role, pinned)
    health = health or AllAvailable()
    deadline = min(request.deadline or generation.deadline, request.timeout or float("inf"))
    hedge_after = request.hedge_after or generation.policies.hedge_after.get(role)
    if _all_can(request, shortlist, health):
        return shortlist.plan(deadline, hedge_after, generation.deadline)
    skipped = list(shortlist.skipped)
    candidates = _large_enough(shortlist, request, skipped)
    candidates = _long_enough(candidates, request, skipped)
    who = tuple(candidate.identity for candidate in candidates)
    well, spared = _well(candidates, shortlist, request, health, skipped)
    timed = timed_candidates((*well, *spared), deadline, generation.deadline)
    return Plan(timed[: len(well)], tuple(skipped), deadline, hedge_after, timed[len(well) :], who)


def _all_can(request: ChatRequest, shortlist: Shortlist, health: AvailabilitySource) -> bool:
    """Return whether everybody of the shortlist will be asked: nothing is too large or too long, and nobody ill."""
    context, output = shortlist.smallest_context, shortlist.smallest_output
    wanted = request.max_tokens or request.min_output_tokens
    if shortlist.has_limits or health.suspects or (wanted and output is not None and wanted > output):
        return False
    return context is None or surely_fits(request, context)


def nobody(planned: Plan, generation: ConfigurationSnapshot, pinned: str | None = None) -> LLMError:
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
        attached = request.shape.attachments
        return "multimodal" if attached and any(isinstance(part, Image) for part in attached) else "chat"
    check_role(role)
    return role


def _large_enough(shortlist: Shortlist, request: ChatRequest, skipped: list[Skipped]) -> tuple[Candidate, ...]:
    """Leave out models whose context is too small, as long as one is large enough: the size is an estimate."""
    candidates = shortlist.candidates
    if shortlist.smallest_context is None or surely_fits(request, shortlist.smallest_context):
        return candidates
    limits = [candidate.route.context(candidate.effective_model) for candidate in candidates]
    size = prompt_tokens(request)
    return _within(candidates, limits, size, f"context too small: about {size} tokens, and it takes", skipped)


def _long_enough(
    candidates: tuple[Candidate, ...], request: ChatRequest, skipped: list[Skipped]
) -> tuple[Candidate, ...]:
    """Leave out models that answer fewer tokens than are asked for, as long as one answers as many."""
    wanted = request.max_tokens or request.min_output_tokens
    if not wanted:
        return candidates
    limits = [candidate.route.output(candidate.effective_model) for candidate in candidates]
    return _within(candidates, limits, wanted, f"its answers are too short: {wanted} tokens, and it gives", skipped)


def _within(
    candidates: tuple[Candidate, ...], limits: list[int | None], size: int, reason: str, skipped: list[Skipped]
) -> tuple[Candidate, ...]:
    small = [limit is not None and limit < size for limit in limits]
    if all(small) or not any(small):
        return candidates
    for candidate, limit, is_small in zip(candidates, limits, small, strict=True):
        if is_small:
            skipped.append(Skipped(candidate.route.name, f"{reason} {limit}", "context", candidate.effective_model))
    return tuple(candidate for candidate, is_small in zip(candidates, small, strict=True) if not is_small)


def _well(
    candidates: tuple[Candidate, ...],
    shortlist: Shortlist,
    request: ChatRequest,
    health: AvailabilitySource,
    skipped: list[Skipped],
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """Return those that are well, and those to spare; where nobody is well, nobody is spared."""
    suspects = health.suspects
    if not suspects and not shortlist.has_limits:
        return candidates, ()
    counts_tokens = any(candidate.route.tokens_per_minute for candidate in candidates)
    tokens = prompt_tokens(request) + answer_tokens(request) if counts_tokens else 0
    standings = [
        health.standing(candidate.route, candidate.effective_model, tokens)
        if candidate.target in suspects or candidate.route.has_limits
        else AVAILABLE
        for candidate in candidates
    ]
    if not any(standing.obstacle for standing in standings):
        return candidates, ()
    pairs = list(zip(candidates, standings, strict=True))
    unwell = tuple(replace(candidate, obstacle=standing.obstacle) for candidate, standing in pairs if standing.obstacle)
    if len(unwell) == len(candidates):
        return unwell, ()
    skipped += [_unwell(candidate, standing) for candidate, standing in pairs if standing.obstacle]
    return tuple(candidate for candidate, standing in pairs if not standing.obstacle), unwell


def _unwell(candidate: Candidate, standing: Availability) -> Skipped:
    kind: SkipKind = "limit" if standing.phase == "closed" else "breaker"
    return Skipped(candidate.route.name, standing.obstacle, kind, candidate.effective_model, standing.clears_in)


def _check_extra(request: ChatRequest, generation: ConfigurationSnapshot) -> None:
    """Refuse vendor fields for a provider that is none: they would be lost without a word."""
    for name in request.extra:
        if name not in generation.names:
            hint = did_you_mean(name, generation.names)
            raise InvalidRequestError(f"extra names an unknown provider {name!r}{hint}")
