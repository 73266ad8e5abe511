"""Fakes with behaviour: they keep what they were asked and pass the same contract as real providers."""

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
from .fake_script import Played, Step, check_step, is_delay, unfold
from .fake_stream import FakeStream, PlayedStream, words


class FakeProvider(ChatProvider):
    """An `LLMProvider` that plays a script, one step for each request, in order, and the last one for ever.

    ```python
    FakeProvider("a text", LLMResponse(...))                # answers
    FakeProvider(ToolCall("1", "look", {"pod": "web"}))     # a call that the model asks for; a list of them: several
    FakeProvider(RateLimitError("slow down"), "then this")  # an error to raise
    FakeProvider(FakeStream("piece ", "by piece"))          # a stream, piece by piece
    FakeProvider(Delayed(5.0, "late"))                      # five seconds on the clock, then the step
    FakeProvider(lambda request: request.turns[-1].text)    # a function of the request that returns a step; also async
    ```

    `requests` keeps every `ChatRequest`; `open_streams` counts the streams that nobody has closed yet.
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
        """Keep the script; nothing is played yet.

        Args:
            delay: Seconds on `clock` before each answer.
            clock: None is the machine's; give a `FakeClock` together with delays.

        Raises:
            TypeError: a step is nothing that can be played, or a name, a model or a delay is none.
        """
        for number, step in enumerate(script, start=1):
            check_step(step, f"step {number} of the script")
        _check(name, models, delay)
        self.requests: list[ChatRequest] = []
        self.open_streams = 0
        self._script: tuple[Step, ...] = script or ("ok",)
        self._name = name
        self._models = list(models)
        self._delay = delay
        self._clock = clock or SystemClock()

    @property
    def provider_name(self) -> str:
        """The name given."""
        return self._name

    def is_available(self) -> bool:
        """Return True."""
        return True

    def get_supported_models(self) -> list[str]:
        """Return the models given."""
        return self._models.copy()

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Play the next step for `request`, within its timeout."""
        step = self._next_step(request)
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(request.timeout):
                played = await self._unfolded(step, request)
                if isinstance(played, FakeStream):
                    stream = self._playing(played, request, started)
                    async for _ in stream:
                        pass
                    return stream.response
        except TimeoutError:
            error = ProviderTimeoutError("no answer in time", provider=self._name, phase="first byte")
            raise self._noted(error, request, started) from None
        return self._whole(played, request, started)

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Play the next step as a stream: a `FakeStream` piece by piece, a text word by word, anything else whole."""
        step = self._next_step(request)
        started = self._clock.monotonic()
        try:
            async with self._clock.timeout(request.timeout):
                played = await self._unfolded(step, request)
        except TimeoutError:
            error = ProviderTimeoutError("no first chunk in time", provider=self._name, phase="first chunk")
            raise self._noted(error, request, started) from None
        if isinstance(played, str):
            played = FakeStream(*words(played))
        if not isinstance(played, FakeStream):
            yield SingleAnswerStream(self._whole(played, request, started))
            return
        stream = self._playing(played, request, started)
        self.open_streams += 1
        try:
            yield stream
        finally:
            self.open_streams -= 1

    def _playing(self, step: FakeStream, request: ChatRequest, started: float) -> PlayedStream:
        return PlayedStream(
            step,
            request,
            self._clock,
            lambda text: self._response(text, request, started),
            lambda error: self._noted(error, request, started),
        )

    def _next_step(self, request: ChatRequest) -> Step:
        step = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        return step

    async def _unfolded(self, step: Step, request: ChatRequest) -> Played:
        if self._delay:
            await self._clock.sleep(self._delay)
        return await unfold(step, request, self._clock)

    def _whole(self, played: str | LLMResponse | LLMError, request: ChatRequest, started: float) -> LLMResponse:
        if isinstance(played, LLMError):
            raise self._noted(played.copy(), request, started)
        return played if isinstance(played, LLMResponse) else self._response(played, request, started)

    def _model(self, request: ChatRequest) -> str:
        return request.model or next(iter(self._models), "")

    def _noted(self, error: LLMError, request: ChatRequest, started: float) -> LLMError:
        duration = self._clock.monotonic() - started
        error.attempts = (Attempt(self._name, self._model(request), type(error).__name__, duration=duration),)
        return error

    def _response(self, text: str, request: ChatRequest, started: float) -> LLMResponse:
        """A whole answer; tokens are counted as words, so that tests can tell them."""
        words = sum(len(message.text.split()) for message in request.messages)
        usage = Usage(input=words, output=len(text.split()))
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


def _check(name: object, models: object, delay: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"name is {name!r}: give a text")
    if isinstance(models, str) or not isinstance(models, Sequence) or not all(isinstance(m, str) and m for m in models):
        raise TypeError(f"models is {models!r}: give a list of names")
    if not is_delay(delay):
        raise TypeError(f"delay is {delay!r}: give seconds, 0 or more")
