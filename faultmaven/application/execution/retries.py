"""Trying one candidate: an attempt, then retries at the same provider, until a response or the end of its share."""

from dataclasses import replace

from ...domain.errors import CircuitOpenError, LimitReachedError, LLMError, ProviderTimeoutError
from ...domain.events import RetryRefused, RetryScheduled
from ..answers.repair import repaired_request
from ..planning.plan import Candidate
from ..policies.retry import RetryPolicy
from ..resilience.availability import MAX_WAIT_SECONDS
from ..resilience.retry import MAX_LAST_DELAY_SECONDS, next_delay
from .attempt import streamed_attempt, whole_attempt
from .context import CallContext
from .outcome import Outcome, PostponedCandidate

MIN_ATTEMPT_SECONDS, MIN_ATTEMPT_SHARE = 1.0, 0.25
"""The shortest useful attempt, in seconds or as a part of a short share: a wait that leaves less is not begun."""

BUDGET_USED_UP = "the provider's retry budget is used up"


async def try_candidate(
    candidate: Candidate,
    share: float,
    context: CallContext,
    *,
    is_last: bool,
    earlier: PostponedCandidate | None = None,
) -> Outcome:
    """Try a candidate, with retries at the same provider, within `share` seconds for all attempts and waits.

    Args:
        earlier: The earlier attempts at a candidate that was postponed, None on the first time.
        is_last: No other candidate is left: waits may take as long as they fit, and an attempt that timed out may be
            repeated.
    """
    clock, outcome, number, delay = context.clock, None, 0, 0.0
    deadline, reserve = clock.monotonic() + share, min(MIN_ATTEMPT_SECONDS, share * MIN_ATTEMPT_SHARE)
    if earlier is not None:
        outcome, number = earlier.outcome, earlier.attempts
        delay = max(0.0, earlier.not_before - clock.monotonic())
        if number and not _may_retry(candidate, delay, share - reserve, context):
            return outcome
    attempt = whole_attempt if context.open_streams is None else streamed_attempt
    while True:
        number += 1
        record = context.log.open(candidate)
        if delay:
            await clock.sleep(delay)
        max_wait = _max_wait(deadline - clock.monotonic() - reserve, is_last=is_last)
        try:
            result = await attempt(record, deadline, max_wait, context, is_first=number == 1, is_last=is_last)
        except (CircuitOpenError, LimitReachedError) as refusal:
            context.log.refuse(record, refusal)
            return _refused(candidate, outcome, refusal, number, may_postpone=not is_last and earlier is None)
        if isinstance(result.error, LimitReachedError) and not is_last:  # the transport's own limit: nothing was sent
            return _refused(candidate, outcome, result.error, number, may_postpone=earlier is None)
        outcome = result
        next_attempt = _next_attempt(outcome, number, deadline - clock.monotonic() - reserve, context, is_last=is_last)
        if next_attempt is None:
            return outcome if is_last else _postponed(outcome, number, context)
        delay, context = next_attempt


def _max_wait(remaining: float, *, is_last: bool) -> float:
    """Return the seconds that an attempt may wait for its permit."""
    return max(0.0, remaining if is_last else min(MAX_WAIT_SECONDS, remaining))


def _next_attempt(
    outcome: Outcome, number: int, remaining: float, context: CallContext, *, is_last: bool
) -> tuple[float, CallContext] | None:
    """Return the delay and the context of the next attempt at the same provider, None to move on.

    A response with validation problems is sent back at once for repair, if the caller wants that. Neither `max_retries`
    nor the retry budget limits a repair, and a repaired response is not repaired again. Any other failure is retried as
    the retry policy says.
    """
    evaluation = outcome.evaluation
    if context.request.repair and evaluation is not None and evaluation.problems:
        request = repaired_request(context.request, evaluation.response, evaluation.problems)
        return (0.0, replace(context, request=request)) if remaining > 0 else None
    if outcome.error is None:
        return None
    if isinstance(outcome.error, ProviderTimeoutError) and not is_last:
        return None
    delay = _policy_delay(outcome, number, context, is_last=is_last)
    if delay is None or not _may_retry(outcome.candidate, delay, remaining, context):
        return None
    reason = type(outcome.error).__name__
    context.log.emit(RetryScheduled(context.log.call, *outcome.candidate.target, delay, reason))
    return delay, context


def _policy_delay(outcome: Outcome, number: int, context: CallContext, *, is_last: bool) -> float | None:
    """Return the seconds before the next attempt at the same provider by the retry policy, None for no retry."""
    error = outcome.error
    if error is None or (outcome.evaluation is not None and outcome.evaluation.action == "raise"):
        return None
    if len(error.attempts) > 1:
        return None  # the candidate is itself a router, which has retried already
    policy = RetryPolicy(outcome.candidate.route.max_retries)
    policy = replace(policy, max_delay=MAX_LAST_DELAY_SECONDS) if is_last else policy
    return next_delay(policy, number, error, context.random(), context.policies.errors)


def _may_retry(candidate: Candidate, delay: float, remaining: float, context: CallContext) -> bool:
    """Return whether `delay` fits into `remaining` seconds, and take one retry from the provider's budget."""
    if delay > remaining:
        reason = f"a wait of {delay:.3g} s does not fit into the remaining time"
    elif not context.admission.may_retry(candidate.route.name):
        reason = BUDGET_USED_UP
    else:
        return True
    context.log.emit(RetryRefused(context.log.call, *candidate.target, reason))
    return False


def _postponed(outcome: Outcome, number: int, context: CallContext) -> Outcome:
    """Return the outcome of a candidate that is given up because another one is left, with its later retry if any."""
    delay = _policy_delay(outcome, number, context, is_last=True)
    if delay is None:
        return outcome
    not_before = context.clock.monotonic() + delay
    return replace(outcome, postponed=PostponedCandidate(outcome.candidate, number, outcome, not_before))


def _refused(
    candidate: Candidate, outcome: Outcome | None, refusal: LLMError, number: int, *, may_postpone: bool
) -> Outcome:
    """Return the outcome of a candidate that got no permit; such a candidate is postponed once."""
    if outcome is None or outcome.error is None:  # an earlier error of the provider itself tells more than the refusal
        outcome = Outcome(candidate, error=refusal)
    if not may_postpone:
        return outcome
    unavailable = replace(candidate, obstacle=refusal.problem)
    return replace(outcome, postponed=PostponedCandidate(unavailable, number - 1, outcome))
