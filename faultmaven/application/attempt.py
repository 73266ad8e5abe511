"""One candidate: limits, breaker and retries around one provider."""

import asyncio
from dataclasses import dataclass, replace
from typing import TypeAlias

from faultmaven.application.acceptance import Verdict, checked, judge
from faultmaven.application.breaker import Result
from faultmaven.application.error_policy import ErrorPolicy, reaction
from faultmaven.application.foreign import as_ours, is_cancelled
from faultmaven.application.health import PATIENCE_SECONDS
from faultmaven.application.ledger import Entry, Ledger
from faultmaven.application.planned import Candidate
from faultmaven.application.policies import Policies
from faultmaven.application.retry import LONGEST_PATIENCE_SECONDS, RetryPolicy, next_delay
from faultmaven.application.traffic import Traffic
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import (
    CircuitOpenError,
    LimitReachedError,
    LLMError,
    ProviderTimeoutError,
    RateLimitError,
)
from faultmaven.domain.events import RetryRefused, RetryScheduled
from faultmaven.ports.clock import Clock
from faultmaven.ports.randomness import Randomness

# A provider keeps its time itself and can say in which phase it ran out; this is for those that do not keep it. A share
# of the attempt's time, so that it never eats up what is reserved for the next.
GRACE_SECONDS = 0.25
GRACE_SHARE = 0.02

LEAST_SECONDS, LEAST_SHARE = 1.0, 0.25
"""A wait that leaves an attempt less than this, or than this part of a short share, is not worth it."""

FAIR_SHARE = 0.75
"""A timeout counts against the provider when it had so much of its usual time: waits before it take a little."""

BUDGET_USED_UP = "the provider's retry budget is used up"


@dataclass(frozen=True, slots=True)
class Turn:
    """A candidate whose turn it is.

    Attributes:
        made: How often it was asked in this call before.
        not_before: When it may be asked again at the earliest, as its vendor or the backoff has it.
        before: What came of its turn before, None on the first one.
    """

    candidate: Candidate
    made: int = 0
    not_before: float = 0.0
    before: "Outcome | None" = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a turn: an answer with its verdict, or the error that it amounts to, or both.

    Attributes:
        entry: The place of the last attempt in the ledger, None where nothing was asked.
        next_turn: Set where the candidate was given up only because somebody else is left: what it may have when nobody
            is any more.
    """

    candidate: Candidate
    entry: Entry | None = None
    verdict: Verdict | None = None
    error: LLMError | None = None
    next_turn: Turn | None = None

    @property
    def is_good(self) -> bool:
        """Whether its answer is taken."""
        return self.verdict is not None and self.verdict.action == "accept"

    def ends_the_call(self, errors: ErrorPolicy) -> bool:
        """Whether nobody else is asked after it: a good answer, one that is to be raised, an error that stops."""
        if self.verdict is not None and self.verdict.action != "move_on":
            return True
        return self.error is not None and not reaction(errors, self.error).move_on


@dataclass(frozen=True, slots=True)
class Conduct:
    """What all attempts of one call have in common."""

    request: ChatRequest
    policies: Policies
    traffic: Traffic
    ledger: Ledger
    clock: Clock
    chance: Randomness


async def ask(turn: Turn, share: float, conduct: Conduct, *, last: bool) -> Outcome:
    """Ask a candidate, again where that may help, within `share` seconds for all attempts and waits.

    Args:
        last: Nobody else is left: waits may take as long as they fit, and a timed-out attempt may be repeated.
    """
    candidate, clock = turn.candidate, conduct.clock
    ends, least = clock.monotonic() + share, min(LEAST_SECONDS, share * LEAST_SHARE)
    delay: float | None = max(0.0, turn.not_before - clock.monotonic())
    if turn.before is not None and turn.made and not _begins_again(turn, delay or 0.0, share - least, conduct):
        return turn.before
    outcome = turn.before or Outcome(candidate)
    number = turn.made
    while delay is not None:
        number += 1
        entry = conduct.ledger.open(candidate)
        if delay:
            await clock.sleep(delay)
        patience = ends - clock.monotonic() - least
        patience = max(0.0, patience if last else min(PATIENCE_SECONDS, patience))
        try:
            outcome = await _admitted(entry, ends, patience, conduct, last=last, first=number == 1)
        except (CircuitOpenError, LimitReachedError) as refusal:
            conduct.ledger.leave_alone(entry, refusal)
            return _refused(turn, outcome, refusal, number, last=last)
        delay = _delay(outcome, number, ends - clock.monotonic() - least, conduct, last=last)
        if delay is not None:
            conduct.ledger.tell(_retry_event(outcome, delay, conduct))
    wanted = None if last else _wanted_delay(outcome, number, conduct, last=True)
    if wanted is None:
        return outcome
    return replace(outcome, next_turn=Turn(candidate, number, clock.monotonic() + wanted, outcome))


def _refused(turn: Turn, outcome: Outcome, refusal: LLMError, number: int, *, last: bool) -> Outcome:
    """Return the outcome of a turn that ends because limits or breaker let nothing through; it comes again once."""
    if outcome.error is None:  # else: what the provider itself said before is more telling
        outcome = Outcome(turn.candidate, error=refusal)
    if last or turn.before is not None:
        return outcome
    ill = replace(turn.candidate, obstacle=refusal.problem)
    return replace(outcome, next_turn=Turn(ill, number - 1, before=outcome))


async def _admitted(
    entry: Entry, ends: float, patience: float, conduct: Conduct, *, last: bool, first: bool
) -> Outcome:
    """Ask once, as soon as limits and breaker let it through, and let them learn from it.

    Raises:
        CircuitOpenError, LimitReachedError: they do not within `patience` seconds.
    """
    candidate, traffic = entry.candidate, conduct.traffic
    admission = await traffic.admit(candidate, conduct.request, patience, last=last)
    if first:
        traffic.count_call(candidate.route.name)
    lesson = _NO_LESSON
    try:
        timeout = max(0.0, min(candidate.timeout, ends - conduct.clock.monotonic()))
        outcome = await _once(entry, timeout, conduct)
        lesson = _lesson(outcome, timeout, conduct)
    finally:
        await traffic.settle(admission, *lesson)
    return outcome


def _retry_event(outcome: Outcome, delay: float, conduct: Conduct) -> RetryScheduled:
    candidate = outcome.candidate
    name, model, reason = candidate.route.name, candidate.effective_model, type(outcome.error).__name__
    return RetryScheduled(conduct.ledger.call, name, model, delay, reason)


def _delay(outcome: Outcome, number: int, left: float, conduct: Conduct, *, last: bool) -> float | None:
    """Return the seconds until the same provider is asked again, None to go on."""
    if isinstance(outcome.error, ProviderTimeoutError) and not last:
        return None
    delay = _wanted_delay(outcome, number, conduct, last=last)
    if delay is None:
        return None
    return delay if _begins_again(Turn(outcome.candidate, number), delay, left, conduct) else None


def _wanted_delay(outcome: Outcome, number: int, conduct: Conduct, *, last: bool) -> float | None:
    """Return the seconds after which the policy would ask the same provider again, None if it would not."""
    error = outcome.error
    if error is None or (outcome.verdict is not None and outcome.verdict.action == "raise"):
        return None
    if len(error.attempts) > 1:
        return None  # a router inside of this one has retried already
    usual = RetryPolicy(outcome.candidate.route.max_retries)
    policy = replace(usual, max_delay=LONGEST_PATIENCE_SECONDS) if last else usual
    return next_delay(policy, number, error, conduct.chance(), conduct.policies.errors)


def _begins_again(turn: Turn, delay: float, left: float, conduct: Conduct) -> bool:
    """Return whether a candidate that was asked before is asked once more: its delay fits, and its budget has one."""
    name, model = turn.candidate.route.name, turn.candidate.effective_model
    if delay > left:
        reason = f"a wait of {delay:.3g} s does not fit"
    elif not conduct.traffic.may_retry(name):
        reason = BUDGET_USED_UP
    else:
        return True
    conduct.ledger.tell(RetryRefused(conduct.ledger.call, name, model, reason))
    return False


_Lesson: TypeAlias = tuple[Result, int | None, float | None]
_NO_LESSON: _Lesson = (Result.NOTHING, 0, None)


def _lesson(outcome: Outcome, timeout: float, conduct: Conduct) -> _Lesson:
    """Return what an attempt tells of its provider: its health, the tokens used, and the seconds it asks us to wait."""
    candidate, error = outcome.candidate, outcome.error if outcome.verdict is None else None
    line = outcome.entry.line if outcome.entry else None
    limited_for = line.limited_for if line else None
    if error is None:
        usage = line.usage if line else None
        _announce(limited_for, candidate, conduct)
        return Result.GOOD, usage.total if usage else None, None
    asked = error.retry_after
    _announce((asked or limited_for) if isinstance(error, RateLimitError) else limited_for, candidate, conduct)
    if reaction(conduct.policies.errors, error).trip:
        # Less time than usual is the caller's doing, and no fault of the provider.
        hurried = isinstance(error, ProviderTimeoutError) and timeout < candidate.fair_timeout * FAIR_SHARE
        return (Result.NOTHING if hurried else Result.BAD), 0, asked
    return (Result.NOTHING if error.status is None else Result.GOOD), 0, asked


def _announce(seconds: float | None, candidate: Candidate, conduct: Conduct) -> None:
    if seconds:
        conduct.traffic.limiter.announce((candidate.route.name, candidate.effective_model), seconds)


async def _once(entry: Entry, timeout: float, conduct: Conduct) -> Outcome:
    """Ask the candidate once, within `timeout` seconds; what it raises becomes part of the outcome as an `LLMError`.

    The registry's name stands on the answer and on the error, whatever the provider calls itself. A provider may be
    anybody's code: nothing that it does, and no answer that it gives, raises anything here.
    """
    candidate, clock = entry.candidate, conduct.clock
    started = conduct.ledger.begin(entry, timeout)
    try:
        async with clock.timeout(timeout + min(GRACE_SECONDS, timeout * GRACE_SHARE)):
            response = checked(await candidate.route.backend.answer(_for(candidate, timeout, conduct.request)))
        verdict = _judged(replace(response, provider=candidate.route.name), candidate, conduct)
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        return _failed(entry, error, clock.monotonic() - started, timeout, conduct)
    except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
        return _failed(entry, error, clock.monotonic() - started, timeout, conduct)
    response = verdict.response
    line = _line(candidate, response.attempts, clock.monotonic() - started, verdict.error)
    line = replace(line, model=line.model or response.model, usage=line.usage or response.usage)
    conduct.ledger.end(entry, line)
    return Outcome(candidate, entry, verdict, None if verdict.action == "accept" else verdict.error)


def _failed(entry: Entry, error: BaseException, duration: float, timeout: float, conduct: Conduct) -> Outcome:
    candidate, ours = entry.candidate, as_ours(error, duration, timeout)
    ours.provider = candidate.route.name
    ours.model = ours.model or candidate.effective_model
    conduct.ledger.end(entry, _line(candidate, ours.attempts, duration, ours))
    return Outcome(candidate, entry, error=ours)


def _for(candidate: Candidate, timeout: float, request: ChatRequest) -> ChatRequest:
    """Return the request as this candidate gets it: what was decided for the whole call stays here."""
    request = replace(request, model=candidate.model, timeout=timeout)
    return replace(request, deadline=None, hedge_after=None, cache=None, deduplicate=None)


def _judged(response: LLMResponse, candidate: Candidate, conduct: Conduct) -> Verdict:
    policies, weight = conduct.policies, candidate.route.confidence
    return judge(response, conduct.request, policies.acceptance, weight=weight, threshold=policies.confidence_threshold)


def _line(candidate: Candidate, reported: tuple[Attempt, ...], duration: float, error: LLMError | None) -> Attempt:
    """Complete what the provider reported of itself; one that reports nothing still gets its line."""
    own = reported[-1] if reported else _unreported(candidate, error)
    return replace(
        own,
        provider=candidate.route.name,
        outcome=type(error).__name__ if error else "answered",
        duration=duration,
        waited=0.0,
        notes=candidate.notes + own.notes + _lines_before(reported),
        error=error.problem if error else "",
        kept=False,
    )


def _unreported(candidate: Candidate, error: LLMError | None) -> Attempt:
    """The line of a provider that reports nothing, or that failed before it asked for the answer itself."""
    name, model = candidate.route.name, candidate.effective_model
    if error is None:
        return Attempt(name, model)
    return Attempt(name, model, status=error.status, request_id=error.request_id)


def _lines_before(reported: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Tell of the attempts before the last one: a router inside of this one has several."""
    return tuple(f"before: {line.provider} {line.outcome} after {line.duration:.2f} s" for line in reported[:-1])
