"""One candidate's turn: asked, asked again where that may help, or passed over until nobody else is left."""

from dataclasses import replace

from ...domain.errors import CircuitOpenError, LimitReachedError, LLMError, ProviderTimeoutError
from ...domain.events import RetryRefused, RetryScheduled
from ..answers.acceptance import Evaluation
from ..answers.repair import repaired_request
from ..planning.plan import PendingCandidate
from ..policies.retry import RetryPolicy
from ..resilience.availability import PATIENCE_SECONDS
from ..resilience.retry import LONGEST_PATIENCE_SECONDS, next_delay
from .attempt import attempt
from .outcome import CallContext, Outcome

LEAST_SECONDS, LEAST_SHARE = 1.0, 0.25
"""A wait that leaves an attempt less than this, or than this part of a short share, is not worth it."""

BUDGET_USED_UP = "the provider's retry budget is used up"


async def ask(turn: PendingCandidate, share: float, conduct: CallContext, *, last: bool) -> Outcome:
    """Ask a candidate, again where that may help, within `share` seconds for all attempts and waits.

    Args:
        last: Nobody else is left: waits may take as long as they fit, and a timed-out attempt may be repeated.
    """
    candidate, clock = turn.candidate, conduct.clock
    ends, least = clock.monotonic() + share, min(LEAST_SECONDS, share * LEAST_SHARE)
    delay = max(0.0, turn.not_before - clock.monotonic())
    if turn.before is not None and turn.made and not _begins_again(turn, delay, share - least, conduct):
        return turn.before
    outcome, number = turn.before, turn.made
    while True:
        number += 1
        entry = conduct.ledger.open(candidate)
        if delay:
            await clock.sleep(delay)
        patience = ends - clock.monotonic() - least
        patience = max(0.0, patience if last else min(PATIENCE_SECONDS, patience))
        earlier = outcome
        try:
            outcome = await attempt(entry, ends, patience, conduct, last=last, first=number == 1)
        except (CircuitOpenError, LimitReachedError) as refusal:
            conduct.ledger.leave_alone(entry, refusal)
            return _refused(turn, earlier, refusal, number, last=last)
        if isinstance(outcome.error, LimitReachedError) and not last:  # the carrier's: nothing was sent
            return _refused(turn, earlier, outcome.error, number, last=last)
        left = ends - clock.monotonic() - least
        if conduct.request.repair and outcome.verdict is not None and outcome.verdict.problems:
            conduct = _repairing(outcome.verdict, conduct)
            again = 0.0 if left > 0 else None
        else:
            again = _delay(outcome, number, left, conduct, last=last)
            if again is not None:
                conduct.ledger.tell(_retry_event(outcome, again, conduct))
        if again is None:
            return outcome if last else _given_up(outcome, number, conduct)
        delay = again


def _given_up(outcome: Outcome, number: int, conduct: CallContext) -> Outcome:
    """Return the outcome of a turn that ends because somebody else is left; where it may be asked again, with when."""
    wanted = _wanted_delay(outcome, number, conduct, last=True)
    if wanted is None:
        return outcome
    return replace(
        outcome, next_turn=PendingCandidate(outcome.candidate, number, conduct.clock.monotonic() + wanted, outcome)
    )


def _repairing(verdict: Evaluation, conduct: CallContext) -> CallContext:
    """Return the conduct of one more round, which sends the answer back with what is wrong with it."""
    request = repaired_request(conduct.request, verdict.response, verdict.problems)
    return replace(conduct, request=request)


def _refused(turn: PendingCandidate, outcome: Outcome | None, refusal: LLMError, number: int, *, last: bool) -> Outcome:
    """Return the outcome of a turn that ends because limits or breaker let nothing through; it comes again once."""
    if outcome is None or outcome.error is None:  # else: what the provider itself said before is more telling
        outcome = Outcome(turn.candidate, error=refusal)
    if last or turn.before is not None:
        return outcome
    ill = replace(turn.candidate, obstacle=refusal.problem)
    return replace(outcome, next_turn=PendingCandidate(ill, number - 1, before=outcome))


def _retry_event(outcome: Outcome, delay: float, conduct: CallContext) -> RetryScheduled:
    reason = type(outcome.error).__name__
    return RetryScheduled(conduct.ledger.call, *outcome.candidate.target, delay, reason)


def _delay(outcome: Outcome, number: int, left: float, conduct: CallContext, *, last: bool) -> float | None:
    """Return the seconds until the same provider is asked again, None to go on."""
    if isinstance(outcome.error, ProviderTimeoutError) and not last:
        return None
    delay = _wanted_delay(outcome, number, conduct, last=last)
    if delay is None:
        return None
    return delay if _begins_again(PendingCandidate(outcome.candidate, number), delay, left, conduct) else None


def _wanted_delay(outcome: Outcome, number: int, conduct: CallContext, *, last: bool) -> float | None:
    """Return the seconds after which the policy would ask the same provider again, None if it would not."""
    error = outcome.error
    if error is None or (outcome.verdict is not None and outcome.verdict.action == "raise"):
        return None
    if len(error.attempts) > 1:
        return None  # a router inside of this one has retried already
    usual = RetryPolicy(outcome.candidate.route.max_retries)
    policy = replace(usual, max_delay=LONGEST_PATIENCE_SECONDS) if last else usual
    return next_delay(policy, number, error, conduct.chance(), conduct.policies.errors)


def _begins_again(turn: PendingCandidate, delay: float, left: float, conduct: CallContext) -> bool:
    """Return whether a candidate that was asked before is asked once more: its delay fits, and its budget has one."""
    if delay > left:
        reason = f"a wait of {delay:.3g} s does not fit"
    elif not conduct.traffic.may_retry(turn.candidate.route.name):
        reason = BUDGET_USED_UP
    else:
        return True
    conduct.ledger.tell(RetryRefused(conduct.ledger.call, *turn.candidate.target, reason))
    return False
