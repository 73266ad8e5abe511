"""One attempt: a permit, one exchange with the provider, and the report of its result."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from ...domain.attempts import Attempt
from ...domain.errors import LimitReachedError, LLMError, ProviderTimeoutError, RateLimitError
from ...domain.events import InputTruncated
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse
from ...domain.usage import Usage
from ...ports.llm import LLMStream
from ..answers.acceptance import Evaluation, check_response, evaluate
from ..configuration import Route
from ..planning.plan import Candidate
from ..planning.requirements import reported_input, unread_input
from ..policies.errors import reaction
from ..resilience.admission import Permit
from ..resilience.circuit_breaker import CallResult
from ..streaming.commit_point import CommitPoint
from ..streaming.provider_stream import ProviderStream
from ..streaming.single_answer import single_answer
from .call_log import AttemptRecord
from .context import CallContext
from .outcome import OpenStream, Outcome
from .third_party import is_task_cancelled, to_llm_error

# A provider keeps its own timeout and knows the phase of the exchange. The outer timeout is for providers that do not
# keep one. It is a share of the attempt's time, so that it never uses up the reserve of the next candidate.
GRACE_SECONDS = 0.25
GRACE_SHARE = 0.02

FAIR_SHARE = 0.75
"""A timeout counts against the provider if the attempt had this share of its usual time: waits before it take some."""


async def whole_attempt(
    record: AttemptRecord, deadline: float, max_wait: float, context: CallContext, *, is_first: bool, is_last: bool
) -> Outcome:
    """Send the request once, after at most `max_wait` seconds of waiting for a permit; return the outcome.

    The response and the error get the registry's name of the provider. A provider may be third-party code: no exception
    and no response of a provider raises anything here.

    Args:
        deadline: Clock time of the attempt's end.
        is_first: The attempt is the call's first at this provider: the retry budget counts calls.
        is_last: No other candidate is left.

    Raises:
        CircuitOpenError, LimitReachedError: no permit within `max_wait` seconds.
    """
    candidate, clock = record.candidate, context.clock
    permit = await _acquire_permit(candidate, max_wait, context, is_last=is_last)
    timeout = min(candidate.timeout, max(0.0, deadline - clock.monotonic()))
    try:
        if is_first:
            context.admission.count_call(candidate.route.name)
        context.log.start(record, timeout)
        try:
            request = _request_for(candidate, timeout, context.request)
            # Reading attachments takes time of its own, beside the timeout that the provider keeps.
            if candidate.route.keeps_time and not request.shape.attachments:
                response = await candidate.route.backend.answer(request)
            else:
                async with clock.timeout(with_grace(timeout)):
                    response = await candidate.route.backend.answer(request)
            outcome = response_outcome(record, response, context)
        except asyncio.CancelledError as error:
            if is_task_cancelled():
                raise
            outcome = error_outcome(record, error, timeout, context)
        except Exception as error:  # noqa: BLE001 - a provider may be third-party code; its exception is kept as the cause
            outcome = error_outcome(record, error, timeout, context)
        report_outcome(permit, outcome, timeout, context)
        return outcome
    finally:
        await context.admission.release(permit)


async def streamed_attempt(
    record: AttemptRecord, deadline: float, max_wait: float, context: CallContext, *, is_first: bool, is_last: bool
) -> Outcome:
    """Open a stream once and read it up to its commit point; return the outcome.

    Where the stream goes on, its permit is released at the stream's end, and `context.open_streams` gets the attempt.

    Args and Raises:
        As for `whole_attempt`.
    """
    candidate = record.candidate
    permit = await _acquire_permit(candidate, max_wait, context, is_last=is_last)
    is_open = False
    try:
        if is_first:
            context.admission.count_call(candidate.route.name)
        remaining = max(0.0, deadline - context.clock.monotonic())
        timeout = min(candidate.timeout, remaining)
        outcome = await _open_stream(record, timeout, remaining, context)
        if outcome.open_stream is not None:
            outcome.open_stream.permit = permit
            is_open = True
        else:
            report_outcome(permit, outcome, timeout, context)
        return outcome
    finally:
        if not is_open:
            await context.admission.release(permit)


async def _acquire_permit(candidate: Candidate, max_wait: float, context: CallContext, *, is_last: bool) -> Permit:
    return await context.admission.acquire(
        candidate.route,
        candidate.effective_model,
        context.expected_tokens,
        max_wait,
        is_last_resort=candidate.last_resort,
        is_last=is_last,
    )


def report_outcome(permit: Permit, outcome: Outcome, timeout: float, context: CallContext) -> None:
    """Write the result of an attempt into its permit: health of the provider, tokens used, the vendor's own delay.

    Args:
        timeout: Seconds that the attempt had.
    """
    candidate, error = outcome.candidate, outcome.error if outcome.evaluation is None else None
    attempt = outcome.record.result if outcome.record else None
    if error is None:
        permit.result = CallResult.SUCCESS
        permit.used_tokens = attempt.usage.total if attempt and attempt.usage else None
    elif isinstance(error, LimitReachedError):
        permit.was_sent = False
        return
    else:
        permit.result = _result_of(error, candidate, timeout, context)
        permit.retry_after = error.retry_after
    pause = attempt.limited_for if attempt else None
    if isinstance(error, RateLimitError):
        pause = error.retry_after or pause
    if pause:
        context.admission.limiter.announce(candidate.target, pause)


def _result_of(error: LLMError, candidate: Candidate, timeout: float, context: CallContext) -> CallResult:
    """Return the result of a failed attempt for the circuit breaker."""
    if not reaction(context.policies.errors, error).trip:
        return CallResult.IGNORED if error.status is None else CallResult.SUCCESS
    # A caller's short deadline is not the provider's fault.
    is_hurried = isinstance(error, ProviderTimeoutError) and timeout < candidate.fair_timeout * FAIR_SHARE
    return CallResult.IGNORED if is_hurried else CallResult.FAILURE


async def _open_stream(record: AttemptRecord, timeout: float, remaining: float, context: CallContext) -> Outcome:
    """Open the candidate's stream and read it up to the commit point; a stream that ends before is evaluated whole.

    Args:
        timeout: Seconds for the first chunk.
        remaining: Seconds until the commit point.
    """
    candidate, clock = record.candidate, context.clock
    context.log.start(record, timeout)
    stream: ProviderStream | None = None
    try:
        stream = ProviderStream(_stream_of(candidate.route, _request_for(candidate, timeout, context.request)), clock)
        async with clock.timeout(with_grace(remaining)):
            await stream.open_until(CommitPoint(context.request.commit))
        if not stream.is_over:
            open_stream = OpenStream(record, stream, timeout)
            if context.open_streams is not None:
                context.open_streams.append(open_stream)
            return Outcome(candidate, record, stream=stream, open_stream=open_stream)
        await stream.aclose()
        return replace(response_outcome(record, stream.response, context, stream), stream=stream)
    except asyncio.CancelledError as error:
        await _close(stream)
        if is_task_cancelled():
            raise
        return error_outcome(record, error, timeout, context, stream)
    except Exception as error:  # noqa: BLE001 - a provider may be third-party code; its exception is kept as the cause
        await _close(stream)
        return error_outcome(record, error, timeout, context, stream)


def _stream_of(route: Route, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
    return route.backend.open_stream(request) if route.streams else single_answer(lambda: route.backend.answer(request))


async def _close(stream: ProviderStream | None) -> None:
    if stream is not None:
        await stream.aclose()


def with_grace(seconds: float) -> float:
    """Return the seconds after which the outer timeout ends a provider that should have ended by itself."""
    return seconds + min(GRACE_SECONDS, seconds * GRACE_SHARE)


def response_outcome(
    record: AttemptRecord, response: object, context: CallContext, stream: ProviderStream | None = None
) -> Outcome:
    """Return the outcome of a whole response, evaluated, and log the attempt's end.

    Raises:
        MalformedResponseError: the provider returned something else than a response.
    """
    candidate = record.candidate
    checked = _with_provider_name(check_response(response), candidate)
    evaluation = _evaluate(_with_truncation_flag(checked, candidate, context), candidate, context)
    evaluated = evaluation.response
    reported = evaluated.attempts or (Attempt(candidate.route.name),)
    model = candidate.effective_model or evaluated.model
    result = _complete(record, reported, context, evaluation.error, stream, model, evaluated.usage)
    context.log.end(record, result)
    return Outcome(candidate, record, evaluation, None if evaluation.action == "accept" else evaluation.error)


def error_outcome(
    record: AttemptRecord,
    error: BaseException,
    timeout: float,
    context: CallContext,
    stream: ProviderStream | None = None,
) -> Outcome:
    """Return the outcome of an attempt that raised `error`, and log the attempt's end."""
    candidate = record.candidate
    llm_error = to_llm_error(error, record.duration(context.clock.monotonic()), timeout)
    llm_error.provider = candidate.route.name
    llm_error.model = llm_error.model or candidate.effective_model
    if llm_error.response is not None:
        llm_error.response = _with_provider_name(llm_error.response, candidate)
    reported = llm_error.attempts or (
        Attempt(*candidate.target, status=llm_error.status, request_id=llm_error.request_id),
    )
    result = _complete(record, tuple(reported), context, llm_error, stream, candidate.effective_model)
    context.log.end(record, result)
    return Outcome(candidate, record, error=llm_error)


def _request_for(candidate: Candidate, timeout: float, request: ChatRequest) -> ChatRequest:
    return request.for_attempt(candidate.model, timeout, candidate.timeout)


def _with_provider_name(response: LLMResponse, candidate: Candidate) -> LLMResponse:
    name = candidate.route.name
    return response if response.provider == name else replace(response, provider=name)


def _with_truncation_flag(response: LLMResponse, candidate: Candidate, context: CallContext) -> LLMResponse:
    """Return the response, flagged where the vendor counted far fewer tokens than the prompt has."""
    request, reported = context.request, reported_input(response.usage)
    expected = None if reported is None else unread_input(request, reported)
    if reported is None or expected is None:
        return response
    context.log.emit(InputTruncated(context.log.call, *candidate.target, expected, reported))
    return replace(response, input_truncated=True)


def _evaluate(response: LLMResponse, candidate: Candidate, context: CallContext) -> Evaluation:
    policies, weight = context.policies, candidate.route.confidence
    return evaluate(
        response,
        context.request,
        policies.acceptance,
        weight=weight,
        threshold=policies.confidence_threshold,
        schemas=policies.schemas,
    )


def _complete(
    record: AttemptRecord,
    reported: tuple[Attempt, ...],
    context: CallContext,
    error: LLMError | None,
    stream: ProviderStream | None,
    model: str,
    usage: Usage | None = None,
) -> Attempt:
    """Return the last of the provider's own attempts, completed with the facts of this call.

    Args:
        model, usage: Values for facts that the provider did not report.
    """
    own, notes = reported[-1], record.candidate.notes
    stream_usage, first_token = (None, None) if stream is None else (stream.usage, stream.first_token)
    return Attempt(
        provider=record.candidate.route.name,
        model=own.model or model,
        outcome=type(error).__name__ if error else "answered",
        status=own.status,
        request_id=own.request_id,
        waited=record.waited,
        time_to_headers=own.time_to_headers,
        time_to_first_token=own.time_to_first_token if own.time_to_first_token is not None else first_token,
        duration=record.duration(context.clock.monotonic()),
        usage=own.usage or usage or stream_usage,
        notes=notes + own.notes + _inner_attempts(reported) if len(reported) > 1 else notes + own.notes,
        error=error.problem if error else "",
        limited_for=own.limited_for,
    )


def _inner_attempts(reported: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Return a note for each attempt before the last one: a candidate that is itself a router reports several."""
    return tuple(
        f"earlier attempt: {attempt.provider} {attempt.outcome} after {attempt.duration:.2f} s"
        for attempt in reported[:-1]
    )
