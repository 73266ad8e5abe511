"""A fake provider, which records its requests and passes the same contract as real providers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ..application.chat_provider import ChatProvider
from ..application.streaming.single_answer import SingleAnswerStream
from ..domain.attempts import Attempt
from ..domain.errors import LLMError, ProviderTimeoutError
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse, StopReason
from ..domain.usage import Usage
from ..infrastructure.clock import SystemClock
from ..ports.clock import Clock
from ..ports.llm import LLMStream
from .fake_script import ResolvedStep, Step, check_step, is_delay, resolve_step
from .fake_stream import FakeStream, PlayedStream, split_words


class FakeProvider(ChatProvider):
    """An `LLMProvider` that plays a script, one step for each request in order, and repeats the last step forever.

    ```python
    FakeProvider("a text", LLMResponse(...))                # responses
    FakeProvider(ToolCall("1", "look", {"pod": "web"}))     # a tool call; several as a list
    FakeProvider(RateLimitError("slow down"), "then this")  # an error to raise
    FakeProvider(FakeStream("piece ", "by piece"))          # a stream, piece by piece
    FakeProvider(Delayed(5.0, "late"))                      # five seconds on the clock, then the step
    FakeProvider(lambda request: request.turns[-1].text)    # a function, also async, that returns a step
    ```

    `requests` records every `ChatRequest`; `open_streams` counts the streams that are not closed yet.
    """

    features = frozenset(
        {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning"}
        | {"cache_prompt"}
    )

    def __init__(
        self,
        *script: Step,
        name: str = "fake",
        models: Sequence[str] = ("fake-model",),
        delay: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        """Check the script; requests play its steps.

        Args:
            script: The steps; without any, every response is "ok".
            name: The provider's name.
            models: The supported models; the first one is the default.
            delay: Seconds on `clock` before each response.
            clock: None is the machine's clock; with delays, pass a `FakeClock` to avoid real waits.

        Raises:
            TypeError: a step, the name, a model or the delay is invalid.
        """
        for number, step in enumerate(script, start=1):
            check_step(step, f"step {number} of the script")
        _check_arguments(name, models, delay)
        self.requests: list[ChatRequest] = []
        self.open_streams = 0
        self._script: tuple[Step, ...] = script or ("ok",)
        self._name = name
        self._models = list(models)
        self._delay = delay
        self._clock = clock or SystemClock()

    @property
    def provider_name(self) -> str:
        """The name passed to the constructor."""
        return self._name

    def is_available(self) -> bool:
        """Return True."""
        return True

    def get_supported_models(self) -> list[str]:
        """Return a copy of the models passed to the constructor."""
        return self._models.copy()

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Play the next step for `request`, within the timeout of the request."""
        step = self._next_step(request)
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(request.timeout):
                resolved = await self._resolve(step, request)
                if isinstance(resolved, FakeStream):
                    stream = self._play(resolved, request, started)
                    async for _ in stream:
                        pass
                    return stream.response
        except TimeoutError:
            error = ProviderTimeoutError("no answer in time", provider=self._name, phase="first byte")
            raise self._with_attempt(error, request, started) from None
        return self._respond_or_raise(resolved, request, started)

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Stream the next step: a `FakeStream` piece by piece, a text word by word, a response in one chunk."""
        step = self._next_step(request)
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(request.timeout):
                resolved = await self._resolve(step, request)
        except TimeoutError:
            error = ProviderTimeoutError("no first chunk in time", provider=self._name, phase="first chunk")
            raise self._with_attempt(error, request, started) from None
        if isinstance(resolved, str):
            resolved = FakeStream(*split_words(resolved))
        if not isinstance(resolved, FakeStream):
            yield SingleAnswerStream(self._respond_or_raise(resolved, request, started))
            return
        stream = self._play(resolved, request, started)
        self.open_streams += 1
        try:
            yield stream
        finally:
            self.open_streams -= 1

    def _play(self, step: FakeStream, request: ChatRequest, started: float) -> PlayedStream:
        return PlayedStream(
            step,
            request,
            self._clock,
            lambda text: self._build_response(text, request, started),
            lambda error: self._with_attempt(error, request, started),
        )

    def _next_step(self, request: ChatRequest) -> Step:
        step = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        return step

    async def _resolve(self, step: Step, request: ChatRequest) -> ResolvedStep:
        if self._delay:
            await self._clock.sleep(self._delay)
        return await resolve_step(step, request, self._clock)

    def _respond_or_raise(
        self, resolved: str | LLMResponse | LLMError, request: ChatRequest, started: float
    ) -> LLMResponse:
        if isinstance(resolved, LLMError):
            raise self._with_attempt(resolved.copy(), request, started)
        return resolved if isinstance(resolved, LLMResponse) else self._build_response(resolved, request, started)

    def _model(self, request: ChatRequest) -> str:
        return request.model or next(iter(self._models), "")

    def _with_attempt(self, error: LLMError, request: ChatRequest, started: float) -> LLMError:
        duration = self._clock.monotonic() - started
        error.attempts = (Attempt(self._name, self._model(request), type(error).__name__, duration=duration),)
        return error

    def _build_response(self, text: str, request: ChatRequest, started: float) -> LLMResponse:
        """Build a complete response whose tokens are counted as words, so that tests can predict the usage."""
        input_words = sum(len(message.text.split()) for message in request.messages)
        usage = Usage(input=input_words, output=len(text.split()))
        duration = self._clock.monotonic() - started
        model = self._model(request)
        return LLMResponse(
            content=text,
            confidence=1.0,
            provider=self._name,
            model=model,
            tokens_used=usage.total,
            response_time_ms=round(duration * 1000, 3),
            stop_reason=StopReason.STOP,
            usage=usage,
            attempts=(Attempt(self._name, model, duration=duration, usage=usage),),
        )


def _check_arguments(name: object, models: object, delay: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"name is {name!r}: give a text")
    if isinstance(models, str) or not isinstance(models, Sequence) or not all(isinstance(m, str) and m for m in models):
        raise TypeError(f"models is {models!r}: give a list of names")
    if not is_delay(delay):
        raise TypeError(f"delay is {delay!r}: give seconds, 0 or more")
