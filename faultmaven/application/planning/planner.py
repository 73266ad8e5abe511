"""The planner: which providers a request would try, in which order, with which model and for how long.

Every function here is pure: the plan follows from the request, the configuration and the availability of providers.
`faultmaven explain` prints a plan without sending anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...domain.attachments import Image
from ...domain.errors import ConfigurationError, InvalidRequestError, LLMError
from ...domain.names import did_you_mean
from ...domain.requests import ChatRequest
from ..configuration import ConfigurationSnapshot, check_role
from ..resilience.availability import AVAILABLE, AllAvailable, Availability, AvailabilitySource
from .plan import Candidate, Plan, SkipKind, Skipped
from .requirements import answer_tokens, certainly_fits, prompt_tokens
from .shortlist import Shortlist, shortlist_for, timed_candidates

Candidates = tuple[Candidate, ...]


def plan_request(
    request: ChatRequest,
    configuration: ConfigurationSnapshot,
    role: str | None = None,
    pinned: str | None = None,
    source: AvailabilitySource | None = None,
) -> Plan:
    """Return the plan for `request`. A plan may be without candidates, see `no_candidate_error`.

    Args:
        role: One of `ROLES`; None is "chat", or "multimodal" for a request with images.
        pinned: The only provider to try.
        source: The availability of providers; None takes every provider for available.

    Raises:
        ConfigurationError: the pinned provider is unknown.
        InvalidRequestError: an unknown role, or vendor fields for an unknown provider.
    """
    role = _role(request, role)
    # A router that is itself a candidate has a timeout, and gets vendor fields for other providers, too.
    if request.extra and request.timeout is None:
        _check_extra(request, configuration)
    shortlist = shortlist_for(request, configuration, role, pinned)
    source = source or AllAvailable()
    deadline = min(request.deadline or configuration.deadline, request.timeout or float("inf"))
    hedge_after = request.hedge_after or configuration.policies.hedge_after.get(role)
    if _is_unrestricted(request, shortlist, source):
        return shortlist.plan(deadline, hedge_after, configuration.deadline)
    skipped = list(shortlist.skipped)
    candidates = _with_enough_context(shortlist, request, skipped)
    candidates = _with_enough_output(candidates, request, skipped)
    possible_answerers = tuple(candidate.identity for candidate in candidates)
    available, unavailable = _by_availability(candidates, shortlist, request, source, skipped)
    timed = timed_candidates(available + unavailable, deadline, configuration.deadline)
    first, rest = timed[: len(available)], timed[len(available) :]
    return Plan(first, tuple(skipped), deadline, hedge_after, rest, possible_answerers)


def no_candidate_error(plan: Plan, configuration: ConfigurationSnapshot, pinned: str | None = None) -> LLMError:
    """Return the error for a plan without candidates."""
    reasons = "; ".join(f"{skipped.name}: {skipped.reason}" for skipped in plan.skipped)
    if any(skipped.kind in ("capability", "context") for skipped in plan.skipped):
        return InvalidRequestError(
            f"no configured provider supports this request ({reasons})",
            advice="Leave the named option out, or configure a provider that supports it.",
        )
    if pinned:
        return ConfigurationError(f"the provider {pinned!r} is not configured: {reasons}")
    return ConfigurationError("no provider is configured", advice=configuration.not_configured)


def _role(request: ChatRequest, role: str | None) -> str:
    if role is None:
        attachments = request.shape.attachments
        return "multimodal" if attachments and any(isinstance(part, Image) for part in attachments) else "chat"
    check_role(role)
    return role


def _check_extra(request: ChatRequest, configuration: ConfigurationSnapshot) -> None:
    """Refuse vendor fields for an unknown provider, which would be lost silently."""
    for name in request.extra:
        if name not in configuration.names:
            hint = did_you_mean(name, configuration.names)
            raise InvalidRequestError(f"extra names an unknown provider {name!r}{hint}")


def _is_unrestricted(request: ChatRequest, shortlist: Shortlist, source: AvailabilitySource) -> bool:
    """Return whether every candidate of the shortlist fits and is available, so that a kept plan serves."""
    context, output = shortlist.smallest_context, shortlist.smallest_output
    required_output = request.max_tokens or request.min_output_tokens
    if shortlist.has_limits or source.possibly_unavailable:
        return False
    if required_output and output is not None and required_output > output:
        return False
    return context is None or certainly_fits(request, context)


def _with_enough_context(shortlist: Shortlist, request: ChatRequest, skipped: list[Skipped]) -> Candidates:
    """Return the candidates whose context window holds the prompt, or all where none does: the size is an estimate."""
    candidates = shortlist.candidates
    if shortlist.smallest_context is None or certainly_fits(request, shortlist.smallest_context):
        return candidates
    limits = [candidate.route.context(candidate.effective_model) for candidate in candidates]
    size = prompt_tokens(request)
    return _within(candidates, limits, size, f"context window too small: about {size} tokens, limit", skipped)


def _with_enough_output(candidates: Candidates, request: ChatRequest, skipped: list[Skipped]) -> Candidates:
    """Return the candidates that can answer as many tokens as the caller asks for, or all where none can."""
    required = request.max_tokens or request.min_output_tokens
    if not required:
        return candidates
    limits = [candidate.route.output(candidate.effective_model) for candidate in candidates]
    return _within(candidates, limits, required, f"longest answer too short: {required} tokens, limit", skipped)


def _within(
    candidates: Candidates, limits: list[int | None], size: int, reason: str, skipped: list[Skipped]
) -> Candidates:
    """Return the candidates whose limit is at least `size`, or all where none is; the others become skipped."""
    is_too_small = [limit is not None and limit < size for limit in limits]
    if all(is_too_small) or not any(is_too_small):
        return candidates
    fitting = []
    for candidate, limit, too_small in zip(candidates, limits, is_too_small, strict=True):
        if too_small:
            skipped.append(Skipped(candidate.route.name, f"{reason} {limit}", "context", candidate.effective_model))
        else:
            fitting.append(candidate)
    return tuple(fitting)


def _by_availability(
    candidates: Candidates,
    shortlist: Shortlist,
    request: ChatRequest,
    source: AvailabilitySource,
    skipped: list[Skipped],
) -> tuple[Candidates, Candidates]:
    """Return the available candidates and the unavailable ones.

    Where none is available, the first tuple holds all candidates, and the second one is empty.
    """
    if not source.possibly_unavailable and not shortlist.has_limits:
        return candidates, ()
    available: list[Candidate] = []
    unavailable: list[Candidate] = []
    reasons: list[Skipped] = []
    for candidate, availability in zip(candidates, _availabilities(candidates, request, source), strict=True):
        if availability.obstacle:
            unavailable.append(replace(candidate, obstacle=availability.obstacle))
            reasons.append(_skipped_for(candidate, availability))
        else:
            available.append(candidate)
    if not available:
        return tuple(unavailable), ()
    skipped += reasons
    return tuple(available), tuple(unavailable)


def _availabilities(candidates: Candidates, request: ChatRequest, source: AvailabilitySource) -> Sequence[Availability]:
    """Return the availability of each candidate now."""
    suspects = source.possibly_unavailable
    counts_tokens = any(candidate.route.tokens_per_minute for candidate in candidates)
    tokens = prompt_tokens(request) + answer_tokens(request) if counts_tokens else 0
    return [
        source.availability(candidate.route, candidate.effective_model, tokens)
        if candidate.target in suspects or candidate.route.has_limits
        else AVAILABLE
        for candidate in candidates
    ]


def _skipped_for(candidate: Candidate, availability: Availability) -> Skipped:
    kind: SkipKind = "limit" if availability.phase == "closed" else "breaker"
    model, clears_in = candidate.effective_model, availability.clears_in
    return Skipped(candidate.route.name, availability.obstacle, kind, model, clears_in)
