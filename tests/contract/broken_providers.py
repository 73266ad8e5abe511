"""A valid provider, and for each contract rule the providers that break this rule and no other."""

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
from faultmaven.infrastructure.llm.providers.dialect_stream import DialectStream

FOREVER = 100_000.0
NAP_SECONDS = 0.3


class ValidProvider(OpenAIProvider):
    """Provider that passes every rule."""


class ReturnsTextAsAvailability(ValidProvider):
    def is_available(self) -> bool:
        return "yes"  # type: ignore[return-value]


class ReturnsInternalModelList(ValidProvider):
    def get_supported_models(self) -> list[str]:
        return self.config.models


class OmitsProviderInResponse(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), provider="")


class ReportsZeroTokens(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), tokens_used=0)


class IgnoresRequestedModel(ValidProvider):
    def get_effective_model(self, requested: str | None = None) -> str:
        return self.config.models[0]


class SendsLastMessageOnly(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, messages=request.messages[-1:]))


class NormalizesWhitespace(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        normalized = " ".join(request.messages[-1].text.split())
        turns = (*request.messages[:-1], replace(request.messages[-1], parts=(normalized,)))
        return await super().answer(replace(request, messages=turns))


class DropsMaxTokens(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, max_tokens=None))


class UsesHardCodedKey(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self.config = replace(self.config, api_key="a-key-of-the-authors")
        return await super().answer(request)


class SendsNoRequest(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return LLMResponse("It ran out of memory.", 1.0, self.provider_name, "m", None, 0)


class ReturnsPlainText(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return (await super().answer(request)).content  # type: ignore[return-value]


class RaisesKeyError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        raise KeyError("choices")


class AcceptsBlankPrompt(ValidProvider):
    def _request(self, prompt: Any, *arguments: Any) -> ChatRequest:
        blank = not prompt or (isinstance(prompt, str) and not prompt.strip())
        return super()._request("ping" if blank else prompt, *arguments)


class AcceptsBlankPromptInStream(ValidProvider):
    def stream(self, prompt: Any, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[LLMStream]:
        return super().stream(prompt or "ping", *arguments, **options)


class AcceptsZeroMaxTokens(ValidProvider):
    def _request(self, prompt: Any, model: Any, max_tokens: Any, *rest: Any) -> ChatRequest:
        return super()._request(prompt, model, max_tokens or None, *rest)


class ReplacesZeroTemperature(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, temperature=request.temperature or 0.7))


class OmitsAttempts(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return replace(await super().answer(request), attempts=())


class RaisesGenericError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except (ProviderTimeoutError, RateLimitError):
            raise
        except LLMError as error:
            names = {"provider": error.provider, "model": error.model}
            generic_error = ProviderError("something went wrong", **names)  # type: ignore[arg-type]
            generic_error.attempts = tuple(replace(line, outcome="ProviderError") for line in error.attempts)
            raise generic_error from error


class MarksErrorsNotRetryable(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except EmptyAnswerError:
            raise
        except LLMError as error:
            error.retryable = False
            raise


class FailsAfterConnectionError(ValidProvider):
    """Provider that refuses every call after a connection error."""

    _has_failed = False

    async def answer(self, request: ChatRequest) -> LLMResponse:
        if self._has_failed:
            raise ProviderError("not again", provider=self.provider_name)
        try:
            return await super().answer(request)
        except LLMError as error:
            self._has_failed = error.phase == "connect"
            raise


class OmitsProviderInError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.provider = ""
            raise


class OmitsAttemptsInError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.attempts = ()
            raise


class HidesErrorCause(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.__cause__ = None
            raise error from None


class DropsRetryAfter(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except RateLimitError as error:
            error.retry_after = None
            raise


class SharesRequestBetweenCalls(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._last_request = request
        await asyncio.sleep(0)
        return await super().answer(self._last_request)


class BindsToOneEventLoop(ValidProvider):
    _loop: asyncio.AbstractEventLoop | None = None

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().answer(request)


class ConvertsCancellationToError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except asyncio.CancelledError:
            raise ProviderError("the call was cancelled", provider=self.provider_name) from None


class DelaysCancellation(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        answer_task = asyncio.ensure_future(super().answer(request))
        try:
            return await asyncio.shield(answer_task)
        except asyncio.CancelledError:
            await asyncio.wait({answer_task})
            raise


class LeavesTaskRunning(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except asyncio.CancelledError:
            self._task = asyncio.ensure_future(asyncio.sleep(FOREVER))
            raise


class StaysBusyAfterCancellation(ValidProvider):
    _is_busy = False

    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            if self._is_busy:
                raise ProviderError("busy", provider=self.provider_name)
            return await super().answer(request)
        except asyncio.CancelledError:
            self._is_busy = True
            raise


class IgnoresTimeout(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, timeout=FOREVER))


class IgnoresDeadline(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(replace(request, timeout=self.config.timeout))


class ReportsSeconds(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        response = await super().answer(request)
        return replace(response, response_time_ms=response.response_time_ms / 1000)


class SharesStartTime(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._started_at = self._clock.monotonic()
        response = await super().answer(request)
        return replace(response, response_time_ms=(self._clock.monotonic() - self._started_at) * 1000)


def _post_blocking(address: str) -> None:
    request = urllib.request.Request(address, b"{}", method="POST")  # noqa: S310 - the lab's own address
    with urllib.request.urlopen(request) as reply:  # noqa: S310
        reply.read()


class BlocksEventLoop(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        if "//127.0.0.1" in self.config.base_url:
            _post_blocking(f"{self.config.base_url}/chat/completions")
        return await super().answer(request)


class SleepsInEventLoop(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        if "//127.0.0.1" in self.config.base_url:
            time.sleep(NAP_SECONDS)  # noqa: ASYNC251 - the fault of this provider
        return await super().answer(request)


class SerializesCalls(ValidProvider):
    _lock: asyncio.Lock | None = None

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            return await super().answer(request)


class ResponseWithTextInRepr(LLMResponse):
    def __repr__(self) -> str:
        return f"<{self.content}>"


class ShowsTextInResponseRepr(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        response = await super().answer(request)
        return ResponseWithTextInRepr(**{name: getattr(response, name) for name in LLMResponse.__dataclass_fields__})


class ShowsPromptInRepr(ValidProvider):
    _last_prompt = ""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        self._last_prompt = request.messages[-1].text
        return await super().answer(request)

    def __repr__(self) -> str:
        return f"<{self._last_prompt}>"


class ShowsKeyInRepr(ValidProvider):
    def __repr__(self) -> str:
        return f"<{self.config.api_key!s}>"


class PutsKeyIntoError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.problem += f" (key {self.config.api_key!s})"
            raise


class PutsKeyIntoCause(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            raise error from ValueError(f"headers: {self.config.api_key!s}")


class PutsPromptIntoError(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        try:
            return await super().answer(request)
        except LLMError as error:
            error.problem += f" (asked {request.messages[-1].text})"
            raise


class LogsPrompt(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        logging.getLogger("sample").debug("asked %s", request.messages[-1].text)
        return await super().answer(request)


class LogsKey(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        logging.getLogger("sample").debug("asking", extra={"headers": {"authorization": str(self.config.api_key)}})
        return await super().answer(request)


class PrintsKey(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        print("asking with", str(self.config.api_key))  # noqa: T201 - the fault of this provider
        return await super().answer(request)


class PrintsPrompt(ValidProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        sys.stderr.buffer.write(request.messages[-1].text.encode())
        return await super().answer(request)


class StreamWrapper:
    """Wrapper around a stream; subclasses override the broken part."""

    def __init__(self, inner: DialectStream) -> None:
        self.inner = inner

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        return self

    async def __anext__(self) -> StreamChunk:
        return await self.inner.__anext__()

    @property
    def response(self) -> LLMResponse:
        return self.inner.response


class WrapsStream(ValidProvider):
    """Provider that wraps each of its streams in `wrapper`."""

    wrapper: type[StreamWrapper] = StreamWrapper

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        stream = await self.begin_stream(request)
        try:
            yield self.wrapper(stream)
        finally:
            await stream.aclose()


class _TruncatedStream(StreamWrapper):
    @property
    def response(self) -> LLMResponse:
        whole = super().response
        return replace(whole, content=whole.content[:-1])


class TruncatesStreamResponse(WrapsStream):
    wrapper = _TruncatedStream


class _EarlyResponseStream(StreamWrapper):
    @property
    def response(self) -> LLMResponse:
        try:
            return super().response
        except InvalidRequestError:
            return LLMResponse("", 1.0, "sample", "m", None, 0)


class ReturnsResponseBeforeEnd(WrapsStream):
    wrapper = _EarlyResponseStream


class _StreamWithoutUsage(StreamWrapper):
    @property
    def response(self) -> LLMResponse:
        return replace(super().response, usage=None, tokens_used=None)


class OmitsUsageInStream(WrapsStream):
    wrapper = _StreamWithoutUsage


class LeavesStreamOpen(ValidProvider):
    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        yield await self.begin_stream(request)


class StreamsOnlyOnce(ValidProvider):
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


class _SilentlyEndingStream(StreamWrapper):
    error_type: type[LLMError] = StreamInterruptedError
    _partial: LLMResponse | None = None

    async def __anext__(self) -> StreamChunk:
        try:
            return await super().__anext__()
        except self.error_type as error:
            if isinstance(error, ProviderTimeoutError) or type(error) is not StreamInterruptedError is self.error_type:
                raise
            empty = LLMResponse("", 1.0, "sample", "m", None, 0, stop_reason=StopReason.STOP)
            self._partial = error.response or empty
            raise StopAsyncIteration from None

    @property
    def response(self) -> LLMResponse:
        return self._partial or super().response


class EndsCutStreamNormally(WrapsStream):
    wrapper = _SilentlyEndingStream


class _StreamWithoutPartialResponse(StreamWrapper):
    async def __anext__(self) -> StreamChunk:
        try:
            return await super().__anext__()
        except StreamInterruptedError as error:
            error.response = None
            raise


class DropsPartialResponse(WrapsStream):
    wrapper = _StreamWithoutPartialResponse


class _ErrorIgnoringStream(_SilentlyEndingStream):
    error_type = ProviderError

    async def __anext__(self) -> StreamChunk:
        try:
            return await self.inner.__anext__()
        except (StreamInterruptedError, ProviderTimeoutError):
            raise
        except ProviderError as error:
            self._partial = error.response or LLMResponse("", 1.0, "sample", "m", None, 0)
            raise StopAsyncIteration from None


class IgnoresStreamErrors(WrapsStream):
    wrapper = _ErrorIgnoringStream


class IgnoresChunkTimeout(ValidProvider):
    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        return await super().begin_stream(replace(request, timeout=request.timeout, chunk_timeout=FOREVER))


BROKEN_PROVIDERS: Mapping[str, tuple[type[ValidProvider], ...]] = {
    "test_provider_has_name_and_is_available": (ReturnsTextAsAvailability,),
    "test_list_of_models_is_a_copy": (ReturnsInternalModelList,),
    "test_a_plain_prompt_is_answered": (SendsNoRequest, ReturnsPlainText, RaisesKeyError),
    "test_a_prompt_gets_a_whole_response": (OmitsProviderInResponse, ReportsZeroTokens),
    "test_requested_model_is_sent_unchanged": (IgnoresRequestedModel,),
    "test_a_conversation_is_sent_completely": (SendsLastMessageOnly,),
    "test_prompt_and_max_tokens_are_sent_unchanged": (NormalizesWhitespace, DropsMaxTokens),
    "test_request_uses_configured_address_and_key": (UsesHardCodedKey,),
    "test_blank_prompt_is_refused_before_sending": (AcceptsBlankPrompt, AcceptsBlankPromptInStream),
    "test_invalid_limits_are_refused_before_sending": (AcceptsZeroMaxTokens,),
    "test_zero_temperature_is_sent_as_zero": (ReplacesZeroTemperature,),
    "test_response_has_exactly_one_attempt": (OmitsAttempts,),
    "test_each_fault_raises_its_documented_error": (
        RaisesGenericError,
        MarksErrorsNotRetryable,
        FailsAfterConnectionError,
    ),
    "test_error_names_its_provider": (OmitsProviderInError,),
    "test_error_has_exactly_one_attempt": (OmitsAttemptsInError,),
    "test_connection_error_keeps_its_cause": (HidesErrorCause,),
    "test_rate_limit_error_has_retry_after": (DropsRetryAfter,),
    "test_concurrent_calls_do_not_mix": (SharesRequestBetweenCalls,),
    "test_concurrent_calls_overlap_in_time": (SerializesCalls,),
    "test_provider_works_in_successive_event_loops": (BindsToOneEventLoop,),
    "test_cancelled_call_raises_cancelled_error": (ConvertsCancellationToError, DelaysCancellation),
    "test_cancelled_call_closes_tasks_and_replies": (LeavesTaskRunning,),
    "test_call_after_cancelled_call_is_answered": (StaysBusyAfterCancellation,),
    "test_call_to_silent_vendor_times_out": (IgnoresTimeout, IgnoresDeadline),
    "test_response_time_measures_one_call": (ReportsSeconds, SharesStartTime),
    "test_call_does_not_block_event_loop": (BlocksEventLoop, SleepsInEventLoop),
    "test_no_text_shows_in_a_repr": (ShowsTextInResponseRepr, ShowsPromptInRepr),
    "test_the_key_shows_in_no_repr": (ShowsKeyInRepr,),
    "test_the_key_shows_in_no_error": (PutsKeyIntoError, PutsKeyIntoCause),
    "test_the_prompt_shows_in_no_error": (PutsPromptIntoError,),
    "test_logs_show_neither_key_nor_text": (LogsPrompt, LogsKey, PrintsKey, PrintsPrompt),
    "test_stream_chunks_add_up_to_content": (TruncatesStreamResponse,),
    "test_stream_has_no_response_before_end": (ReturnsResponseBeforeEnd,),
    "test_stream_response_has_usage": (OmitsUsageInStream,),
    "test_stream_left_early_is_closed": (LeavesStreamOpen,),
    "test_call_after_stream_left_early_is_answered": (StreamsOnlyOnce,),
    "test_interrupted_stream_raises_stream_interrupted_error": (EndsCutStreamNormally, DropsPartialResponse),
    "test_an_error_inside_a_stream_is_raised": (IgnoresStreamErrors,),
    "test_stalled_stream_raises_timeout_error": (IgnoresChunkTimeout,),
}
"""Broken providers by rule. Each provider fails exactly this rule and passes all others."""
