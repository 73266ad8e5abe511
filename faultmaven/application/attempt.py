"""One candidate: limits, breaker and retries around one provider."""

import itertools
from dataclasses import dataclass, replace
from typing import TypeAlias

from faultmaven.application.acceptance import Verdict, checked, judge
from faultmaven.application.breaker import Result
from faultmaven.application.error_policy import reaction
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
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
)
from faultmaven.domain.events import RetryScheduled
from faultmaven.ports.clock import Clock
from faultmaven.ports.randomness import Randomness

# A provider keeps its time itself and can say in which phase it ran out; this is for those that do not keep it. A share
# of the attempt's time, so that it never eats up what is reserved for the next.
GRACE_SECONDS = 0.25
GRACE_SHARE = 0.02

LEAST_SECONDS = 1.0
"""A retry for which less than this would be left is not worth its wait."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A candidate whose turn it is.

    Attributes:
        made: How often it was asked in this call before.
        was_refused: It was too busy or ill when its turn came before, so nothing was sent.
    """

    candidate: Candidate
    made: int = 0
    was_refused: bool = False


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
    ends = clock.monotonic() + share
    outcome = Outcome(candidate)
    delay: float | None = 0.0
    for number in itertools.count(turn.made + 1):
        entry = conduct.ledger.open(candidate)
        if delay:
            await clock.sleep(delay)
        try:
            outcome = await _admitted(entry, ends, conduct, last=last, first=number == 1)
        except (CircuitOpenError, LimitReachedError) as refusal:
            conduct.ledger.leave_alone(entry, refusal)
            return _refused(turn, outcome, refusal, number, last=last)
        left = ends - clock.monotonic()
        delay = _delay(outcome, number, left, conduct, last=last)
        if delay is None:
            break
        conduct.ledger.tell(_retry_event(outcome, delay, conduct))
    if not last and _may_come_again(outcome, number, conduct):
        return replace(outcome, next_turn=Turn(candidate, number))
    return outcome


def _refused(turn: Turn, outcome: Outcome, refusal: LLMError, number: int, *, last: bool) -> Outcome:
    """Return the outcome of a turn that ends because limits or breaker let nothing through; it comes again once."""
    again = None
    if not last and not turn.was_refused:
        again = Turn(replace(turn.candidate, obstacle=refusal.problem), number - 1, was_refused=True)
    if outcome.error is not None:  # what the provider itself said before is more telling
        return replace(outcome, next_turn=again)
    return Outcome(turn.candidate, error=refusal, next_turn=again)


async def _admitted(entry: Entry, ends: float, conduct: Conduct, *, last: bool, first: bool) -> Outcome:
    """Ask once, as soon as limits and breaker let it through, and let them learn from it.

    Raises:
        CircuitOpenError, LimitReachedError: they do not.
    """
    candidate, clock, traffic = entry.candidate, conduct.clock, conduct.traffic
    patience = ends - clock.monotonic() - LEAST_SECONDS
    patience = max(0.0, patience if last else min(PATIENCE_SECONDS, patience))
    admission = await traffic.admit(candidate, conduct.request, patience, last=last)
    if first:
        traffic.count_call(candidate.route.name)
    lesson = _NO_LESSON
    try:
        timeout = max(0.0, min(candidate.timeout, ends - clock.monotonic()))
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
    if delay is None or delay + LEAST_SECONDS > left:
        return None
    return delay if conduct.traffic.may_retry(outcome.candidate.route.name) else None


def _may_come_again(outcome: Outcome, number: int, conduct: Conduct) -> bool:
    """Return whether the provider may be asked again once nobody else is left, and take that from its budget."""
    wanted = _wanted_delay(outcome, number, conduct, last=True) is not None
    return wanted and conduct.traffic.may_retry(outcome.candidate.route.name)


def _wanted_delay(outcome: Outcome, number: int, conduct: Conduct, *, last: bool) -> float | None:
    error = outcome.error
    if error is None or (outcome.verdict is not None and outcome.verdict.action == "raise"):
        return None
    usual = RetryPolicy(outcome.candidate.route.max_retries)
    policy = replace(usual, max_delay=LONGEST_PATIENCE_SECONDS) if last else usual
    return next_delay(policy, number, error, conduct.chance(), conduct.policies.errors)


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
        hurried = isinstance(error, ProviderTimeoutError) and timeout < candidate.fair_timeout
        return (Result.NOTHING if hurried else Result.BAD), 0, asked
    return (Result.NOTHING if error.status is None else Result.GOOD), 0, asked


def _announce(seconds: float | None, candidate: Candidate, conduct: Conduct) -> None:
    if seconds:
        conduct.traffic.limiter.announce((candidate.route.name, candidate.effective_model), seconds)


async def _once(entry: Entry, timeout: float, conduct: Conduct) -> Outcome:
    """Ask the candidate once, within `timeout` seconds; what it raises becomes part of the outcome as an `LLMError`.

    The registry's name stands on the answer and on the error, whatever the provider calls itself.
    """
    candidate = entry.candidate
    request = replace(conduct.request, model=candidate.model, timeout=timeout)
    started = conduct.ledger.begin(entry, timeout)
    try:
        async with conduct.clock.timeout(timeout + min(GRACE_SECONDS, timeout * GRACE_SHARE)):
            response = checked(await candidate.route.backend.answer(request))
    except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
        duration = conduct.clock.monotonic() - started
        ours = _as_ours(error, duration, timeout)
        ours.provider = candidate.route.name
        ours.model = ours.model or candidate.effective_model
        conduct.ledger.end(entry, _line(candidate, ours.attempts, duration, ours))
        return Outcome(candidate, entry, error=ours)
    duration = conduct.clock.monotonic() - started
    if response.provider != candidate.route.name:
        response = replace(response, provider=candidate.route.name)
    verdict = _judged(response, candidate, conduct)
    line = _line(candidate, response.attempts, duration, verdict.error)
    line = replace(line, model=line.model or response.model, usage=line.usage or response.usage)
    conduct.ledger.end(entry, line)
    return Outcome(candidate, entry, verdict, None if verdict.action == "accept" else verdict.error)


def _judged(response: LLMResponse, candidate: Candidate, conduct: Conduct) -> Verdict:
    policies, weight = conduct.policies, candidate.route.confidence
    return judge(response, conduct.request, policies.acceptance, weight=weight, threshold=policies.confidence_threshold)


def _as_ours(error: Exception, duration: float, timeout: float) -> LLMError:
    """Return `error` as one of our types, with itself as the cause where it is somebody else's."""
    if isinstance(error, LLMError):
        return error
    ours: LLMError
    if isinstance(error, TimeoutError):
        overdue = duration >= timeout
        problem = f"no answer within {timeout:.3g} s" if overdue else "the provider's own code raised TimeoutError"
        ours = ProviderTimeoutError(problem, phase="first byte")
    else:
        problem = f"the provider's own code raised {type(error).__name__}"
        ours = ProviderError(problem, advice="Its own error is the cause of this one.")
    ours.__cause__ = error
    return ours


def _line(candidate: Candidate, reported: tuple[Attempt, ...], duration: float, error: LLMError | None) -> Attempt:
    """Complete what the provider reported of itself; one that reports nothing still gets its line."""
    own = reported[-1] if reported else _unreported(candidate, error)
    return replace(
        own,
        provider=candidate.route.name,
        outcome=type(error).__name__ if error else "answered",
        duration=duration,
        notes=candidate.notes + own.notes,
        error=error.problem if error else "",
        kept=False,
    )


def _unreported(candidate: Candidate, error: LLMError | None) -> Attempt:
    """The line of a provider that reports nothing, or that failed before it asked for the answer itself."""
    name, model = candidate.route.name, candidate.effective_model
    if error is None:
        return Attempt(name, model)
    return Attempt(name, model, status=error.status, request_id=error.request_id)
