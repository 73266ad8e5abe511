"""The stream that a router's caller reads: the held-back chunks, the provider's further chunks, then the evaluation."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from ...domain.attempts import Attempt
from ...domain.errors import InvalidRequestError, LLMError
from ...domain.responses import LLMResponse, StreamChunk
from .attempt import error_outcome, report_outcome, response_outcome, with_grace
from .call import Call
from .context import CallContext
from .outcome import OpenStream, Outcome
from .third_party import is_task_cancelled


class RoutedStream:
    """The stream of one call after its commit point; an `LLMStream`.

    Attributes:
        open_stream: The attempt that the stream reads from; None where the response was whole before the commit point.
    """

    def __init__(self, call: Call, outcome: Outcome) -> None:
        self.open_stream = outcome.open_stream
        route, timeout = outcome.candidate.route, outcome.candidate.timeout
        self._outer_timeout = None if route.keeps_time else with_grace(timeout)
        self._call = call
        self._outcome = outcome
        self._response: LLMResponse | None = None
        self._error: LLMError | None = None
        self._is_closed = False

    @property
    def response(self) -> LLMResponse:
        """The whole response, once the stream was read to its end."""
        if self._response is None:
            raise InvalidRequestError(
                "the stream has not been read to its end", advice="Iterate over the stream first."
            )
        return self._response

    def __aiter__(self) -> Self:
        """Return the stream, which can be read once."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Return the next chunk.

        Raises:
            LLMError: a failure after the commit point, or of the whole response; `response` holds the partial answer.
        """
        if self._error is not None:
            raise self._error
        if self._response is not None:
            raise StopAsyncIteration
        if self._is_closed:
            raise InvalidRequestError("the stream is closed")
        if self.open_stream is not None:
            chunk = await self._next_of(self.open_stream)
        else:
            stream = self._outcome.stream
            chunk = await stream.next() if stream is not None and stream.has_held_back else None
        if chunk is None:
            await self._finish()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Close the connection to the vendor when the caller leaves the stream before its end."""
        self._is_closed = True
        if self._response is not None or self._error is not None:
            return
        if self.open_stream is None:  # no connection is open: the response was whole and was not read to its end
            if self._outcome.evaluation is not None:
                self._call.accept_evaluation(self._outcome.evaluation, self._outcome.record)
            return
        await close_streams([self.open_stream], self._call.context, is_accepted=True)
        self._call.log.failed("cancelled")

    async def _next_of(self, open_stream: OpenStream) -> StreamChunk | None:
        try:
            if self._outer_timeout is None:
                return await open_stream.stream.next()
            async with self._call.context.clock.timeout(self._outer_timeout):
                return await open_stream.stream.next()
        except asyncio.CancelledError as error:
            if is_task_cancelled():
                raise
            await self._fail(open_stream, error, open_stream.record.candidate.timeout)
        except Exception as error:  # noqa: BLE001 - a provider may be third-party code; its exception is kept as the cause
            await self._fail(open_stream, error, open_stream.record.candidate.timeout)
        return None

    async def _finish(self) -> None:
        """Evaluate the whole response; no other candidate can answer any more."""
        outcome, open_stream = self._outcome, self.open_stream
        if open_stream is not None:
            stream = open_stream.stream
            await stream.aclose()
            try:
                outcome = response_outcome(open_stream.record, stream.response, self._call.context, stream)
            except Exception as error:  # noqa: BLE001 - as above: a third-party stream may return something else
                await self._fail(open_stream, error, open_stream.timeout)
            await self._release(open_stream, outcome)
        evaluation = outcome.evaluation
        if evaluation is None or not evaluation.is_returnable:
            raise self._failed(outcome.error or InvalidRequestError("the stream is closed"))
        self._response = self._call.accept_evaluation(evaluation, outcome.record)

    async def _fail(self, open_stream: OpenStream, error: BaseException, timeout: float) -> None:
        """Raise a failure after the commit point, with the attempts of the call."""
        await open_stream.stream.aclose()
        outcome = error_outcome(open_stream.record, error, timeout, self._call.context, open_stream.stream)
        await self._release(open_stream, outcome)
        llm_error = outcome.error or InvalidRequestError("the stream is closed")
        raise self._failed(llm_error) from llm_error.__cause__

    def _failed(self, error: LLMError) -> LLMError:
        """Return `error` with the attempts of the call, and keep it for every further read."""
        self._error = self._call.log.fail(error)
        if error.response is not None:
            error.response = replace(error.response, attempts=error.attempts)
        return error

    async def _release(self, open_stream: OpenStream, outcome: Outcome) -> None:
        """Report the outcome of the stream in its permit, and release the permit."""
        context, usual_timeout = self._call.context, open_stream.record.candidate.timeout
        permit, open_stream.permit = open_stream.permit, None
        if permit is not None:
            try:
                report_outcome(permit, outcome, usual_timeout, context)
            finally:
                await context.admission.release(permit)


async def close_streams(streams: Iterable[OpenStream], context: CallContext, *, is_accepted: bool = False) -> None:
    """Close streams that the caller reads no further: log the end of their attempts and release their permits."""
    for open_stream in streams:
        record, stream = open_stream.record, open_stream.stream
        try:
            await stream.aclose()
        finally:
            if record.result is None:
                duration = record.duration(context.clock.monotonic())
                target = record.candidate.target
                result = Attempt(*target, "cancelled", waited=record.waited, duration=duration)
                first_token = stream.first_token
                result = replace(result, usage=stream.usage, time_to_first_token=first_token, kept=is_accepted)
                context.log.end(record, result)
            permit, open_stream.permit = open_stream.permit, None
            if permit is not None:
                permit.used_tokens = stream.usage.total if stream.usage is not None else 0
                await context.admission.release(permit)
