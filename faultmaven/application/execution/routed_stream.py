"""The stream that a router's caller reads: what was held back, then the provider's own, then the judged answer."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from ...domain.attempts import Attempt
from ...domain.errors import InvalidRequestError, LLMError
from ...domain.responses import LLMResponse, StreamChunk
from ..resilience.admission import NO_LESSON
from .attempt import answered, failed, lesson_of, with_grace
from .call import Call
from .outcome import CallContext, OpenStream, Outcome
from .third_party import is_cancelled


class RoutedStream:
    """One call's stream, past its commit point; an `LLMStream`.

    Attributes:
        under_way: The attempt that it reads from; None where the answer was whole before its commit point.
    """

    def __init__(self, call: Call, outcome: Outcome) -> None:
        self.under_way = outcome.under_way
        self._fence = None if outcome.candidate.route.keeps_time else with_grace(outcome.candidate.timeout)
        self._call = call
        self._outcome = outcome
        self._response: LLMResponse | None = None
        self._error: LLMError | None = None
        self._is_closed = False

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once the stream was read to its end."""
        if self._response is None:
            raise InvalidRequestError("the stream has not been read to its end", advice="Iterate over it first.")
        return self._response

    def __aiter__(self) -> Self:
        """Return itself: it can be read once."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Return the next chunk.

        Raises:
            LLMError: what went wrong after the commit point, or with the whole answer; `response` holds what came.
        """
        if self._error is not None:
            raise self._error
        if self._response is not None:
            raise StopAsyncIteration
        if self._is_closed:
            raise InvalidRequestError("the stream is closed")
        if self.under_way is not None:
            chunk = await self._next_of(self.under_way)
        else:
            live = self._outcome.live
            chunk = await live.next() if live is not None and live.has_held_back else None
        if chunk is None:
            await self._finish()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Close the connection to the vendor, where the stream was left before its end."""
        self._is_closed = True
        if self._response is not None or self._error is not None:
            return
        if self.under_way is None:  # nothing is open: it was whole, and was not read
            if self._outcome.verdict is not None:
                self._call.kept(self._outcome.verdict, self._outcome.entry)
            return
        await close_all([self.under_way], self._call.conduct, kept=True)
        self._call.ledger.failed("cancelled")

    async def _next_of(self, under_way: OpenStream) -> StreamChunk | None:
        try:
            if self._fence is None:
                return await under_way.live.next()
            async with self._call.conduct.clock.timeout(self._fence):
                return await under_way.live.next()
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            await self._fail(under_way, error, under_way.entry.candidate.timeout)
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
            await self._fail(under_way, error, under_way.entry.candidate.timeout)
        return None

    async def _finish(self) -> None:
        """Judge the whole answer: nothing better can come any more."""
        outcome, under_way = self._outcome, self.under_way
        if under_way is not None:
            await under_way.live.aclose()
            try:
                outcome = answered(under_way.entry, under_way.live.response, self._call.conduct, under_way.live)
            except Exception as error:  # noqa: BLE001 - as above: the answer may be none
                await self._fail(under_way, error, under_way.timeout)
            await self._settle(under_way, outcome)
        verdict = outcome.verdict
        if verdict is None or (verdict.error is not None and verdict.action != "accept" and not verdict.is_presentable):
            raise self._raised(outcome.error or InvalidRequestError("the stream is closed"))
        self._response = self._call.kept(verdict, outcome.entry)

    async def _fail(self, under_way: OpenStream, error: BaseException, timeout: float) -> None:
        """Raise what went wrong after the commit point, with the ledger."""
        await under_way.live.aclose()
        outcome = failed(under_way.entry, error, timeout, self._call.conduct, under_way.live)
        await self._settle(under_way, outcome)
        ours = outcome.error or InvalidRequestError("the stream is closed")
        raise self._raised(ours) from ours.__cause__

    def _raised(self, error: LLMError) -> LLMError:
        ledger = self._call.ledger
        error.attempts = ledger.attempts
        if error.response is not None:
            error.response = replace(error.response, attempts=ledger.attempts)
        ledger.failed(type(error).__name__)
        self._error = error
        return error

    async def _settle(self, under_way: OpenStream, outcome: Outcome) -> None:
        conduct, usual = self._call.conduct, under_way.entry.candidate.timeout
        if under_way.admission is not None:
            admission, under_way.admission = under_way.admission, None
            lesson = NO_LESSON
            try:
                lesson = lesson_of(outcome, usual, conduct)
            finally:
                await conduct.traffic.settle(admission, lesson)


async def close_all(opened: Iterable[OpenStream], conduct: CallContext, *, kept: bool = False) -> None:
    """Close attempts that nobody reads any more: their lines are written, and their permits go back."""
    for attempt in opened:
        try:
            await attempt.live.aclose()
        finally:
            if attempt.entry.line is None:
                candidate, now = attempt.entry.candidate, conduct.clock.monotonic()
                duration = now - (attempt.entry.started or now)
                line = Attempt(*candidate.target, "cancelled", waited=attempt.entry.waited, duration=duration)
                live = attempt.live
                line = replace(line, usage=live.usage, time_to_first_token=live.first_token, kept=kept)
                conduct.ledger.end(attempt.entry, line)
            if attempt.admission is not None:
                admission, attempt.admission = attempt.admission, None
                used = attempt.live.usage.total if attempt.live.usage is not None else 0
                await conduct.traffic.settle(admission, NO_LESSON._replace(used=used))
