"""One attempt: limits and breaker around one exchange with a provider, and what they learn from it."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from ...domain.attempts import Attempt
from ...domain.errors import LimitReachedError, LLMError, ProviderTimeoutError, RateLimitError
from ...domain.events import InputTruncated
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse
from ...domain.usage import Usage
from ...ports.llm import LLMStream
from ..answers.acceptance import Evaluation, checked, judge
from ..configuration import Route
from ..planning.plan import Candidate
from ..planning.requirements import reported_input, unread_input
from ..policies.errors import reaction
from ..resilience.admission import NO_LESSON, Lesson
from ..resilience.circuit_breaker import CallResult
from ..streaming.commit_point import CommitPoint
from ..streaming.provider_stream import ProviderStream
from ..streaming.single_answer import whole_stream
from .call_log import AttemptRecord
from .outcome import CallContext, OpenStream, Outcome
from .third_party import as_ours, is_cancelled

# A provider keeps its time itself and can say in which phase it ran out; this is for those that do not keep it. A share
# of the attempt's time, so that it never eats up what is reserved for the next.
GRACE_SECONDS = 0.25
GRACE_SHARE = 0.02

FAIR_SHARE = 0.75
"""A timeout counts against the provider when it had so much of its usual time: waits before it take a little."""


def attempt(
    entry: AttemptRecord, ends: float, patience: float, conduct: CallContext, *, last: bool, first: bool
) -> Coroutine[Any, Any, Outcome]:
    """Return what asks once, as soon as limits and breaker let it through, and lets them learn from it. No coroutine
    itself: one more for each call under way would cost all of them.

    Raises:
        CircuitOpenError, LimitReachedError: when awaited: they do not within `patience` seconds.
    """
    if conduct.opened is None:
        return _whole(entry, ends, patience, conduct, last=last, first=first)
    return _streamed(entry, ends, patience, conduct, conduct.opened, last=last, first=first)


async def _whole(
    entry: AttemptRecord, ends: float, patience: float, conduct: CallContext, *, last: bool, first: bool
) -> Outcome:
    """Ask for a whole answer; what the candidate raises becomes part of the outcome as an `LLMError`.

    The registry's name stands on the answer and on the error, whatever the provider calls itself. A provider may be
    anybody's code: nothing that it does, and no answer that it gives, raises anything here.
    """
    candidate, traffic, clock = entry.candidate, conduct.traffic, conduct.clock
    admission = await traffic.admit(candidate, conduct.expected_tokens, patience, last=last)
    timeout, lesson = min(candidate.timeout, max(0.0, ends - clock.monotonic())), NO_LESSON
    try:
        if first:
            traffic.count_call(candidate.route.name)
        conduct.ledger.begin(entry, timeout)
        try:
            asked = _for(candidate, timeout, conduct.request)
            if candidate.route.keeps_time and not asked.shape.attachments:  # reading files takes a time of its own
                response = await candidate.route.backend.answer(asked)
            else:
                async with clock.timeout(with_grace(timeout)):
                    response = await candidate.route.backend.answer(asked)
            outcome = answered(entry, response, conduct)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            outcome = failed(entry, error, timeout, conduct)
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
            outcome = failed(entry, error, timeout, conduct)
        lesson = lesson_of(outcome, timeout, conduct)
        return outcome
    finally:
        await traffic.settle(admission, lesson)


async def _streamed(
    entry: AttemptRecord,
    ends: float,
    patience: float,
    conduct: CallContext,
    opened: list[OpenStream],
    *,
    last: bool,
    first: bool,
) -> Outcome:
    """Ask for a stream, up to its commit point; what it holds is given back when the stream is over.

    Args:
        opened: Gets the attempt whose stream goes on.
    """
    candidate, traffic = entry.candidate, conduct.traffic
    admission = await traffic.admit(candidate, conduct.expected_tokens, patience, last=last)
    lesson, is_under_way = NO_LESSON, False
    try:
        if first:
            traffic.count_call(candidate.route.name)
        left = max(0.0, ends - conduct.clock.monotonic())
        timeout = min(candidate.timeout, left)
        outcome = await _opened(entry, timeout, left, conduct, opened)
        if outcome.under_way is not None:
            outcome.under_way.admission = admission
            is_under_way = True
        else:
            lesson = lesson_of(outcome, timeout, conduct)
        return outcome
    finally:
        if not is_under_way:
            await traffic.settle(admission, lesson)


def lesson_of(outcome: Outcome, timeout: float, conduct: CallContext) -> Lesson:
    """Return what an attempt tells of its provider: its health, the tokens used, and the seconds it asks us to wait."""
    candidate, error = outcome.candidate, outcome.error if outcome.verdict is None else None
    line = outcome.entry.line if outcome.entry else None
    limited_for = line.limited_for if line else None
    if error is None:
        usage = line.usage if line else None
        _announce(limited_for, candidate, conduct)
        return Lesson(CallResult.GOOD, usage.total if usage else None)
    if isinstance(error, LimitReachedError):
        return Lesson(CallResult.NOTHING, sent=False)
    asked = error.retry_after
    _announce((asked or limited_for) if isinstance(error, RateLimitError) else limited_for, candidate, conduct)
    if reaction(conduct.policies.errors, error).trip:
        # Less time than usual is the caller's doing, and no fault of the provider.
        hurried = isinstance(error, ProviderTimeoutError) and timeout < candidate.fair_timeout * FAIR_SHARE
        return Lesson(CallResult.NOTHING if hurried else CallResult.BAD, retry_after=asked)
    return Lesson(CallResult.NOTHING if error.status is None else CallResult.GOOD, retry_after=asked)


def _announce(seconds: float | None, candidate: Candidate, conduct: CallContext) -> None:
    if seconds:
        conduct.traffic.limiter.announce(candidate.target, seconds)


async def _opened(
    entry: AttemptRecord, timeout: float, left: float, conduct: CallContext, opened: list[OpenStream]
) -> Outcome:
    """Open the candidate's stream and read it up to the commit point; one that ends before is judged as any answer.

    Args:
        timeout: Seconds for the first chunk.
        left: Seconds until the commit point.
    """
    candidate, clock = entry.candidate, conduct.clock
    conduct.ledger.begin(entry, timeout)
    live: ProviderStream | None = None
    try:
        live = ProviderStream(_stream_of(candidate.route, _for(candidate, timeout, conduct.request)), clock)
        async with clock.timeout(with_grace(left)):
            await live.open_until(CommitPoint(conduct.request.commit))
        if not live.is_over:
            under_way = OpenStream(entry, live, timeout)
            opened.append(under_way)
            return Outcome(candidate, entry, live=live, under_way=under_way)
        await live.aclose()
        return replace(answered(entry, live.response, conduct, live), live=live)
    except asyncio.CancelledError as error:
        await _abandoned(live)
        if is_cancelled():
            raise
        return failed(entry, error, timeout, conduct, live)
    except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
        await _abandoned(live)
        return failed(entry, error, timeout, conduct, live)


def _stream_of(route: Route, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
    return route.backend.open_stream(request) if route.streams else whole_stream(lambda: route.backend.answer(request))


async def _abandoned(live: ProviderStream | None) -> None:
    if live is not None:
        await live.aclose()


def with_grace(seconds: float) -> float:
    """Return the seconds after which a provider is stopped that should have stopped by itself."""
    return seconds + min(GRACE_SECONDS, seconds * GRACE_SHARE)


def answered(
    entry: AttemptRecord, response: object, conduct: CallContext, live: ProviderStream | None = None
) -> Outcome:
    """Return the outcome of an answer that came whole, and write its line.

    Raises:
        MalformedResponseError: it is no answer.
    """
    candidate = entry.candidate
    whole = _seen_whole(_named(checked(response), candidate), candidate, conduct)
    verdict = _judged(whole, candidate, conduct)
    judged = verdict.response
    reported = judged.attempts or (Attempt(candidate.route.name),)
    model = candidate.effective_model or judged.model
    conduct.ledger.end(entry, _line(entry, reported, conduct, verdict.error, live, model, judged.usage))
    return Outcome(candidate, entry, verdict, None if verdict.action == "accept" else verdict.error)


def _seen_whole(response: LLMResponse, candidate: Candidate, conduct: CallContext) -> LLMResponse:
    """Return the answer, flagged where the vendor counted far fewer tokens than were sent."""
    request, reported = conduct.request, reported_input(response.usage)
    expected = None if reported is None else unread_input(request, reported)
    if reported is None or expected is None:
        return response
    event = InputTruncated(conduct.ledger.call, *candidate.target, expected, reported)
    conduct.ledger.tell(event)
    return replace(response, input_truncated=True)


def failed(
    entry: AttemptRecord, error: BaseException, timeout: float, conduct: CallContext, live: ProviderStream | None = None
) -> Outcome:
    """Return the outcome of an attempt that raised `error`, and write its line."""
    candidate = entry.candidate
    ours = as_ours(error, _duration(entry, conduct), timeout)
    ours.provider = candidate.route.name
    ours.model = ours.model or candidate.effective_model
    if ours.response is not None:
        ours.response = _named(ours.response, candidate)
    reported = ours.attempts or (Attempt(*candidate.target, status=ours.status, request_id=ours.request_id),)
    conduct.ledger.end(entry, _line(entry, tuple(reported), conduct, ours, live, candidate.effective_model))
    return Outcome(candidate, entry, error=ours)


def _duration(entry: AttemptRecord, conduct: CallContext) -> float:
    now = conduct.clock.monotonic()
    return now - (now if entry.started is None else entry.started)


def _for(candidate: Candidate, timeout: float, request: ChatRequest) -> ChatRequest:
    return request.for_attempt(candidate.model, timeout, candidate.timeout)


def _named(response: LLMResponse, candidate: Candidate) -> LLMResponse:
    name = candidate.route.name
    return response if response.provider == name else replace(response, provider=name)


def _judged(response: LLMResponse, candidate: Candidate, conduct: CallContext) -> Evaluation:
    policies, weight = conduct.policies, candidate.route.confidence
    return judge(
        response,
        conduct.request,
        policies.acceptance,
        weight=weight,
        threshold=policies.confidence_threshold,
        schemas=policies.schemas,
    )


def _line(
    entry: AttemptRecord,
    reported: tuple[Attempt, ...],
    conduct: CallContext,
    error: LLMError | None,
    live: ProviderStream | None,
    model: str,
    usage: Usage | None = None,
) -> Attempt:
    """Complete what the provider reported of itself, the last line of `reported`.

    Args:
        model, usage: What stands for what it did not report.
    """
    own, notes = reported[-1], entry.candidate.notes
    seen_usage, first_token = (None, None) if live is None else (live.usage, live.first_token)
    return Attempt(
        provider=entry.candidate.route.name,
        model=own.model or model,
        outcome=type(error).__name__ if error else "answered",
        status=own.status,
        request_id=own.request_id,
        waited=entry.waited,
        time_to_headers=own.time_to_headers,
        time_to_first_token=own.time_to_first_token if own.time_to_first_token is not None else first_token,
        duration=_duration(entry, conduct),
        usage=own.usage or usage or seen_usage,
        notes=notes + own.notes + _lines_before(reported) if len(reported) > 1 else notes + own.notes,
        error=error.problem if error else "",
        limited_for=own.limited_for,
    )


def _lines_before(reported: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Tell of the attempts before the last one: a router inside of this one has several."""
    return tuple(f"before: {line.provider} {line.outcome} after {line.duration:.2f} s" for line in reported[:-1])
