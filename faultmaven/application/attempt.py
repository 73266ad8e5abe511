"""One attempt: limits and breaker around one exchange with a provider, and what they learn from it."""

import asyncio
from dataclasses import replace
from typing import TypeAlias

from faultmaven.application.acceptance import Verdict, checked, judge
from faultmaven.application.breaker import Result
from faultmaven.application.error_policy import reaction
from faultmaven.application.foreign import as_ours, is_cancelled
from faultmaven.application.ledger import Entry
from faultmaven.application.outcome import Conduct, Outcome
from faultmaven.application.planned import Candidate
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import (
    LLMError,
    ProviderTimeoutError,
    RateLimitError,
)

# A provider keeps its time itself and can say in which phase it ran out; this is for those that do not keep it. A share
# of the attempt's time, so that it never eats up what is reserved for the next.
GRACE_SECONDS = 0.25
GRACE_SHARE = 0.02

FAIR_SHARE = 0.75
"""A timeout counts against the provider when it had so much of its usual time: waits before it take a little."""


async def attempt(entry: Entry, ends: float, patience: float, conduct: Conduct, *, last: bool, first: bool) -> Outcome:
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
        conduct.traffic.limiter.announce(candidate.target, seconds)


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
        verdict = _judged(_named(response, candidate), candidate, conduct)
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        return _failed(entry, error, clock.monotonic() - started, timeout, conduct)
    except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
        return _failed(entry, error, clock.monotonic() - started, timeout, conduct)
    conduct.ledger.end(entry, _answered(entry, verdict, clock.monotonic() - started))
    return Outcome(candidate, entry, verdict, None if verdict.action == "accept" else verdict.error)


def _failed(entry: Entry, error: BaseException, duration: float, timeout: float, conduct: Conduct) -> Outcome:
    candidate, ours = entry.candidate, as_ours(error, duration, timeout)
    ours.provider = candidate.route.name
    ours.model = ours.model or candidate.effective_model
    unreported = Attempt(*candidate.target, status=ours.status, request_id=ours.request_id)
    conduct.ledger.end(entry, _line(entry, (unreported, *ours.attempts), duration, ours))
    return Outcome(candidate, entry, error=ours)


def _for(candidate: Candidate, timeout: float, request: ChatRequest) -> ChatRequest:
    """Return the request as this candidate gets it: what was decided for the whole call stays here."""
    return replace(
        request,
        model=candidate.model,
        timeout=timeout,
        deadline=None,
        hedge_after=None,
        cache=None,
        deduplicate=None,
    )


def _named(response: LLMResponse, candidate: Candidate) -> LLMResponse:
    name = candidate.route.name
    return response if response.provider == name else replace(response, provider=name)


def _judged(response: LLMResponse, candidate: Candidate, conduct: Conduct) -> Verdict:
    policies, weight = conduct.policies, candidate.route.confidence
    return judge(response, conduct.request, policies.acceptance, weight=weight, threshold=policies.confidence_threshold)


def _answered(entry: Entry, verdict: Verdict, duration: float) -> Attempt:
    """Return the line of an attempt that brought an answer, whether it will do or not."""
    response, name = verdict.response, entry.candidate.route.name
    unreported = Attempt(name, entry.candidate.effective_model or response.model, usage=response.usage)
    return _line(entry, (unreported, *response.attempts), duration, verdict.error)


def _line(entry: Entry, reported: tuple[Attempt, ...], duration: float, error: LLMError | None) -> Attempt:
    """Complete what the provider reported of itself.

    Args:
        reported: The line of a provider that reports nothing, then those that it reported; the last one counts.
    """
    unreported, own = reported[0], reported[-1]
    return replace(
        own,
        provider=entry.candidate.route.name,
        model=own.model or unreported.model,
        usage=own.usage or unreported.usage,
        outcome=type(error).__name__ if error else "answered",
        duration=duration,
        waited=entry.waited,
        notes=entry.candidate.notes + own.notes + _lines_before(reported[1:]),
        error=error.problem if error else "",
        kept=False,
    )


def _lines_before(reported: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Tell of the attempts before the last one: a router inside of this one has several."""
    return tuple(f"before: {line.provider} {line.outcome} after {line.duration:.2f} s" for line in reported[:-1])
