"""One sound provider, and for each rule of the contract providers that break it and no other one."""

import asyncio
import logging
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from faultmaven import (
    ChatRequest,
    EmptyAnswerError,
    InvalidRequestError,
    LLMError,
    LLMResponse,
    LLMStream,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    StopReason,
    StreamChunk,
    StreamInterruptedError,
)
from faultmaven.infrastructure.llm.providers import OpenAIProvider
from faultmaven.infrastructure.llm.providers.wire_stream import WireStream

FOREVER = 100_000.0
NAP_SECONDS = 0.3


class SoundProvider(OpenAIProvider):
    """Keeps every rule."""


class UnsureOfItself(SoundProvider):
    def is_available(self) -> bool:
        return "yes"  # type: ignore[return-value]


class LendsItsList(SoundProvider):
    def get_supported_models(self) -> list[str]:
        return self.config.models


class SignsNoAnswer(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), provider="")


class CountsNothing(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), tokens_used=0)


class PrefersItsOwnModel(SoundProvider):
    def get_effective_model(self, requested: str | None = None) -> str:
        return self.config.models[0]


class TakesOneTurn(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, messages=request.messages[-1:]))


class TidiesThePrompt(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        tidy = " ".join(request.messages[-1].text.split())
        turns = (*request.messages[:-1], replace(request.messages[-1], parts=(tidy,)))
        return await super().answer(replace(request, messages=turns))


class ForgetsTheLimit(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, max_tokens=None))


class HasAKeyInItsCode(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self.config = replace(self.config, api_key="a-key-of-the-authors")
        return await super().answer(request)


class AsksNobody(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return LLMResponse("It ran out of memory.", 1.0, self.provider_name, "m", None, 0)


class AnswersWithAText(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return (await super().answer(request)).content  # type: ignore[return-value]


class AlwaysRaises(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        raise KeyError("choices")


class AsksNothing(SoundProvider):
    def _request(self, prompt: Any, *arguments: Any) -> ChatRequest:
        blank = not prompt or (isinstance(prompt, str) and not prompt.strip())
        return super()._request("ping" if blank else prompt, *arguments)


class ShutsTheFrontDoorOnly(SoundProvider):
    def stream(self, prompt: Any, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[LLMStream]:
        return super().stream(prompt or "ping", *arguments, **options)


class TakesAnyLimit(SoundProvider):
    def _request(self, prompt: Any, model: Any, max_tokens: Any, *rest: Any) -> ChatRequest:
        return super()._request(prompt, model, max_tokens or None, *rest)


class NeverCold(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, temperature=request.temperature or 0.7))


class KeepsNoLedger(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), attempts=())


class OneErrorForAll(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except (ProviderTimeoutError, RateLimitError):
            raise
        except LLMError as error:
            whole = {"provider": error.provider, "model": error.model}
            one = ProviderError("something went wrong", **whole)  # type: ignore[arg-type]
            one.attempts = tuple(replace(line, outcome="ProviderError") for line in error.attempts)
            raise one from error


class NeverAgain(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except EmptyAnswerError:
            raise
        except LLMError as error:
            error.retryable = False
            raise


class HoldsAGrudge(SoundProvider):
    """After a refused connection it never asks again."""

    _is_offended = False

    async def answer(self, request: ChatRequest) -> LLMResponse:
        if self._is_offended:
            raise ProviderError("not again", provider=self.provider_name)
        try:
            return await super().answer(request)
        except LLMError as error:
            self._is_offended = error.phase == "connect"
            raise


class SignsNoError(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.provider = ""
            raise


class FailsUnrecorded(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.attempts = ()
            raise


class HidesTheCause(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.__cause__ = None
            raise error from None


class DropsTheHint(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except RateLimitError as error:
            error.retry_after = None
            raise


class KeepsOneRequest(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._asked = request
        await asyncio.sleep(0)
        return await super().answer(self._asked)


class LivesInOneLoop(SoundProvider):
    _loop: asyncio.AbstractEventLoop | None = None

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().answer(request)


class TakesCancellationForAFailure(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except asyncio.CancelledError:
            raise ProviderError("the call was cancelled", provider=self.provider_name) from None


class FinishesFirst(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        asked = asyncio.ensure_future(super().answer(request))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait({asked})
            raise


class LeavesATaskBehind(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except asyncio.CancelledError:
            self._left = asyncio.ensure_future(asyncio.sleep(FOREVER))
            raise


class StaysBusy(SoundProvider):
    _is_busy = False

    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            if self._is_busy:
                raise ProviderError("busy", provider=self.provider_name)
            return await super().answer(request)
        except asyncio.CancelledError:
            self._is_busy = True
            raise


class WaitsForEver(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, timeout=FOREVER))


class KnowsNoDeadline(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, timeout=self.config.timeout))


class TellsSeconds(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        response = await super().answer(request)
        return replace(response, response_time_ms=response.response_time_ms / 1000)


class SharesItsStart(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._began = self._clock.monotonic()
        response = await super().answer(request)
        return replace(response, response_time_ms=(self._clock.monotonic() - self._began) * 1000)


def _ask_at_once(address: str) -> None:
    asked = urllib.request.Request(address, b"{}", method="POST")  # noqa: S310 - the lab's own address
    with urllib.request.urlopen(asked) as reply:  # noqa: S310
        reply.read()


class BlocksTheLoop(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        if "//127.0.0.1" in self.config.base_url:
            _ask_at_once(f"{self.config.base_url}/chat/completions")
        return await super().answer(request)


class SleepsInTheLoop(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        if "//127.0.0.1" in self.config.base_url:
            time.sleep(NAP_SECONDS)  # noqa: ASYNC251 - that is what is wrong with it
        return await super().answer(request)


class AsksOneAfterAnother(SoundProvider):
    _lock: asyncio.Lock | None = None

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            return await super().answer(request)


class ShowsItsAnswer(LLMResponse):
    def __repr__(self) -> str:
        return f"<{self.content}>"


class AnswersInTheOpen(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        response = await super().answer(request)
        return ShowsItsAnswer(**{name: getattr(response, name) for name in LLMResponse.__dataclass_fields__})


class RemembersThePrompt(SoundProvider):
    _last = ""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._last = request.messages[-1].text
        return await super().answer(request)

    def __repr__(self) -> str:
        return f"<{self._last}>"


class ShowsItsKey(SoundProvider):
    def __repr__(self) -> str:
        return f"<{self.config.api_key!s}>"


class BlamesTheKey(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.problem += f" (key {self.config.api_key!s})"
            raise


class BlamesTheKeyBelow(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            raise error from ValueError(f"headers: {self.config.api_key!s}")


class BlamesThePrompt(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.problem += f" (asked {request.messages[-1].text})"
            raise


class LogsThePrompt(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        logging.getLogger("sample").debug("asked %s", request.messages[-1].text)
        return await super().answer(request)


class LogsTheKey(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        logging.getLogger("sample").debug("asking", extra={"headers": {"authorization": str(self.config.api_key)}})
        return await super().answer(request)


class PrintsTheKey(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        print("asking with", str(self.config.api_key))  # noqa: T201 - that is what is wrong with it
        return await super().answer(request)


class PrintsThePrompt(SoundProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        sys.stderr.buffer.write(request.messages[-1].text.encode())
        return await super().answer(request)


class Passing:
    """A stream around a stream; what a sample changes, it overrides."""

    def __init__(self, inner: WireStream) -> None:
        self.inner = inner

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        return self

    async def __anext__(self) -> StreamChunk:
        return await self.inner.__anext__()

    @property
    def response(self) -> LLMResponse:
        return self.inner.response


class StreamsThrough(SoundProvider):
    """Gives out its streams in another one."""

    around: type[Passing] = Passing

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        stream = await self.begin_stream(request)
        try:
            yield self.around(stream)
        finally:
            await stream.aclose()


class _Shortened(Passing):
    @property
    def response(self) -> LLMResponse:
        whole = super().response
        return replace(whole, content=whole.content[:-1])


class ShortensTheWhole(StreamsThrough):
    around = _Shortened


class _AlwaysDone(Passing):
    @property
    def response(self) -> LLMResponse:
        try:
            return super().response
        except InvalidRequestError:
            return LLMResponse("", 1.0, "sample", "m", None, 0)


class AlwaysHasAResponse(StreamsThrough):
    around = _AlwaysDone


class _Costless(Passing):
    @property
    def response(self) -> LLMResponse:
        return replace(super().response, usage=None, tokens_used=None)


class StreamsForFree(StreamsThrough):
    around = _Costless


class LeavesStreamsOpen(SoundProvider):
    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        yield await self.begin_stream(request)


class StreamsOnce(SoundProvider):
    _is_streaming = False

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        if self._is_streaming:
            raise ProviderError("a stream is open", provider=self.provider_name)
        async with super().open_stream(request) as stream:
            yield stream
            try:
                _ = stream.response
            except InvalidRequestError:
                self._is_streaming = True


class _EndsQuietly(Passing):
    kind: type[LLMError] = StreamInterruptedError
    _partial: LLMResponse | None = None

    async def __anext__(self) -> StreamChunk:
        try:
            return await super().__anext__()
        except self.kind as error:
            if isinstance(error, ProviderTimeoutError) or type(error) is not StreamInterruptedError is self.kind:
                raise
            empty = LLMResponse("", 1.0, "sample", "m", None, 0, stop_reason=StopReason.STOP)
            self._partial = error.response or empty
            raise StopAsyncIteration from None

    @property
    def response(self) -> LLMResponse:
        return self._partial or super().response


class TakesACutForTheEnd(StreamsThrough):
    around = _EndsQuietly


class _ForgetsWhatCame(Passing):
    async def __anext__(self) -> StreamChunk:
        try:
            return await super().__anext__()
        except StreamInterruptedError as error:
            error.response = None
            raise


class ForgetsWhatCame(StreamsThrough):
    around = _ForgetsWhatCame


class _PassesOverErrors(_EndsQuietly):
    kind = ProviderError

    async def __anext__(self) -> StreamChunk:
        try:
            return await self.inner.__anext__()
        except (StreamInterruptedError, ProviderTimeoutError):
            raise
        except ProviderError as error:
            self._partial = error.response or LLMResponse("", 1.0, "sample", "m", None, 0)
            raise StopAsyncIteration from None


class PassesOverErrors(StreamsThrough):
    around = _PassesOverErrors


class WaitsForEachChunk(SoundProvider):
    async def begin_stream(self, request: ChatRequest) -> WireStream:
        return await super().begin_stream(replace(request, timeout=request.timeout, chunk_timeout=FOREVER))


BROKEN: Mapping[str, tuple[type[SoundProvider], ...]] = {
    "test_it_has_a_name_and_is_available": (UnsureOfItself,),
    "test_its_list_of_models_is_its_callers_to_change": (LendsItsList,),
    "test_a_plain_prompt_is_answered": (AsksNobody, AnswersWithAText, AlwaysRaises),
    "test_a_prompt_gets_a_whole_response": (SignsNoAnswer, CountsNothing),
    "test_the_requested_model_is_the_one_that_answers": (PrefersItsOwnModel,),
    "test_a_conversation_is_taken": (TakesOneTurn,),
    "test_what_is_asked_is_what_is_sent": (TidiesThePrompt, ForgetsTheLimit),
    "test_it_asks_its_own_address_with_its_own_key": (HasAKeyInItsCode,),
    "test_a_blank_prompt_is_refused_at_the_door": (AsksNothing, ShutsTheFrontDoorOnly),
    "test_bad_limits_are_refused_at_the_door": (TakesAnyLimit,),
    "test_a_zero_temperature_is_a_temperature": (NeverCold,),
    "test_the_ledger_has_one_line": (KeepsNoLedger,),
    "test_each_fault_is_its_documented_error_and_the_next_call_is_answered": (OneErrorForAll, NeverAgain, HoldsAGrudge),
    "test_an_error_says_whose_it_is": (SignsNoError,),
    "test_an_error_has_one_line_in_the_ledger": (FailsUnrecorded,),
    "test_an_error_of_the_connection_keeps_its_cause": (HidesTheCause,),
    "test_a_rate_limit_says_when_to_come_back": (DropsTheHint,),
    "test_many_calls_at_once_do_not_mix": (KeepsOneRequest,),
    "test_calls_overlap": (AsksOneAfterAnother,),
    "test_it_works_in_one_event_loop_after_another": (LivesInOneLoop,),
    "test_a_cancelled_call_ends_as_cancelled": (TakesCancellationForAFailure, FinishesFirst),
    "test_a_cancelled_call_leaves_nothing_open": (LeavesATaskBehind,),
    "test_a_cancelled_call_can_be_followed_by_another": (StaysBusy,),
    "test_a_silent_vendor_ends_in_time": (WaitsForEver, KnowsNoDeadline),
    "test_the_time_it_tells_is_the_calls_own": (TellsSeconds, SharesItsStart),
    "test_it_does_not_hold_up_the_event_loop": (BlocksTheLoop, SleepsInTheLoop),
    "test_no_text_shows_in_a_repr": (AnswersInTheOpen, RemembersThePrompt),
    "test_the_key_shows_in_no_repr": (ShowsItsKey,),
    "test_the_key_shows_in_no_error": (BlamesTheKey, BlamesTheKeyBelow),
    "test_the_prompt_shows_in_no_error": (BlamesThePrompt,),
    "test_logs_show_neither_key_nor_text": (LogsThePrompt, LogsTheKey, PrintsTheKey, PrintsThePrompt),
    "test_a_stream_gives_the_same_text": (ShortensTheWhole,),
    "test_a_stream_has_no_response_before_its_end": (AlwaysHasAResponse,),
    "test_a_stream_tells_what_it_cost": (StreamsForFree,),
    "test_leaving_a_stream_early_closes_it": (LeavesStreamsOpen,),
    "test_a_stream_that_is_left_can_be_followed_by_another": (StreamsOnce,),
    "test_a_cut_stream_never_ends_as_if_it_were_whole": (TakesACutForTheEnd, ForgetsWhatCame),
    "test_an_error_inside_a_stream_is_raised": (PassesOverErrors,),
    "test_a_stream_that_stalls_ends_in_time": (WaitsForEachChunk,),
}
"""By rule. Each of its providers fails this rule, and passes all others."""
