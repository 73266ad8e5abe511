"""Streams through the router: commit points, failover before them, typed errors after them, and closed streams."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from faultmaven import (
    AllProvidersFailedError,
    ContentBlockedError,
    EmptyAnswerError,
    InvalidRequestError,
    LLMError,
    LLMResponse,
    Options,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    StopReason,
    StreamChunk,
    StreamInterruptedError,
    ToolCallDelta,
    Usage,
    open_container,
)
from faultmaven.domain.events import BreakerChanged, CallAnswered, CallFailed, Event
from faultmaven.testing import FakeProvider, FakeStream, VirtualClock, run_in_virtual_time

INTERRUPTION = StreamInterruptedError("the connection broke")
ANSWER = "A whole answer. With a second sentence."


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_in_virtual_time(test(*args, **kwargs))

    return run


class ReadStream:
    """Text, events and response that a caller received from one stream."""

    def __init__(self) -> None:
        self.text = ""
        self.events: list[Event] = []
        self.response: LLMResponse | None = None
        self.seconds = 0.0

    def final_response(self) -> LLMResponse:
        assert self.response is not None
        return self.response


async def read_stream(
    *scripts: tuple[Any, ...], options: Options | None = None, env: dict[str, str] | None = None
) -> ReadStream:
    """Stream one prompt from providers "a", "b", ... that play `scripts`, and check that every stream is closed."""
    clock, result = VirtualClock(), ReadStream()
    fakes = {name: FakeProvider(*script, name=name, clock=clock) for name, script in zip("abc", scripts, strict=False)}
    result.events = []
    async with open_container(env or {}, providers=fakes, clock=clock, observer=result.events.append) as container:
        try:
            async with container.llm().stream("ping", **(options or {})) as stream:
                result.seconds = clock.monotonic()
                async for chunk in stream:
                    result.text += chunk.text or ""
                result.response = stream.response
        finally:
            assert [fake.open_streams for fake in fakes.values()] == [0] * len(fakes)
    return result


@in_virtual_time
async def test_stream_yields_text_and_then_response() -> None:
    result = await read_stream((FakeStream("Hel", "lo"),))
    assert result.text == result.final_response().content == "Hello"
    (attempt,) = result.final_response().attempts
    assert (attempt.outcome, attempt.kept, attempt.time_to_first_token) == ("answered", True, 0.0)
    assert [type(event).__name__ for event in result.events][-1] == CallAnswered.__name__


@in_virtual_time
async def test_response_is_unavailable_before_stream_end() -> None:
    async with (
        open_container({}, providers={"a": FakeProvider("one two three")}) as container,
        container.llm().stream("ping") as stream,
    ):
        await anext(aiter(stream))
        with pytest.raises(InvalidRequestError, match="not been read to its end"):
            _ = stream.response


@pytest.mark.parametrize("error", [RateLimitError("busy"), ProviderUnavailableError("down"), INTERRUPTION])
@in_virtual_time
async def test_failure_before_first_token_falls_back(error: LLMError) -> None:
    result = await read_stream((FakeStream(error),), ("well",))
    assert (result.text, result.final_response().provider) == ("well", "b")
    assert [(attempt.provider, attempt.outcome, attempt.kept) for attempt in result.final_response().attempts] == [
        ("a", type(error).__name__, False),
        ("b", "answered", True),
    ]


@in_virtual_time
async def test_failure_after_first_token_raises_partial_answer() -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        await read_stream((FakeStream("Hel", INTERRUPTION),), ("well",))
    assert caught.value.response is not None
    assert caught.value.response.content == "Hel"
    assert [(attempt.provider, attempt.outcome) for attempt in caught.value.attempts] == [
        ("a", "StreamInterruptedError")
    ]


COMMITS: list[tuple[Any, str, bool]] = [
    ("first_token", "A", False),
    ("none", "", False),
    ("sentence", "A whole answer", True),
    ("sentence", "A whole answer. ", False),
    (20, "A whole answer. Wit", True),
    (20, "A whole answer. With", False),
    ("whole", ANSWER, True),
]


@pytest.mark.parametrize(("commit", "received", "falls_back"), COMMITS)
@in_virtual_time
async def test_commit_point_decides_whether_stream_falls_back(commit: Any, received: str, falls_back: bool) -> None:
    pieces = [*received, INTERRUPTION]
    call = read_stream((FakeStream(*pieces),), (FakeStream(*ANSWER),), options={"commit": commit})
    if falls_back:
        assert (await call).text == ANSWER
    else:
        with pytest.raises(StreamInterruptedError):
            await call


@pytest.mark.parametrize("commit", ["none", "first_token", "sentence", 5, 1000, "whole"])
@in_virtual_time
async def test_commit_points_lose_or_double_no_text(commit: Any) -> None:
    result = await read_stream((FakeStream(*ANSWER),), options={"commit": commit})
    assert result.text == result.final_response().content == ANSWER


@in_virtual_time
async def test_any_interruption_gives_whole_answer_or_error() -> None:
    commits: list[Any] = ["none", "first_token", "sentence", 7, "whole"]
    for commit in commits:
        for length in range(len(ANSWER)):
            call = read_stream((FakeStream(*ANSWER[:length], INTERRUPTION),), (ANSWER,), options={"commit": commit})
            (outcome,) = await asyncio.gather(call, return_exceptions=True)
            if isinstance(outcome, StreamInterruptedError):
                assert outcome.response is not None
                assert outcome.response.content == ANSWER[:length]
            else:
                assert isinstance(outcome, ReadStream)
                assert (outcome.text, outcome.final_response().provider) == (ANSWER, "b")


@in_virtual_time
async def test_stall_before_first_token_falls_back() -> None:
    result = await read_stream((FakeStream(10**6, "late"),), ("well",), env={"LLM_REQUEST_TIMEOUT": "5"})
    assert result.final_response().provider == "b"


@in_virtual_time
async def test_stall_between_chunks_raises_timeout_with_text() -> None:
    with pytest.raises(ProviderTimeoutError) as caught:
        await read_stream((FakeStream("Hel", 10**6, "lo"),), env={"LLM_REQUEST_TIMEOUT": "5"})
    assert caught.value.phase == "next chunk"
    assert caught.value.response is not None
    assert caught.value.response.content == "Hel"


@in_virtual_time
async def test_deadline_ends_at_the_commit_point() -> None:
    pieces = [piece for _ in range(10) for piece in (20.0, "word ")]
    result = await read_stream((FakeStream(*pieces),), options={"deadline": 30.0})
    assert result.text == "word " * 10


@in_virtual_time
async def test_deadline_before_commit_point_raises_typed_error() -> None:
    pieces = [piece for _ in range(10) for piece in (20.0, "word ")]
    with pytest.raises(LLMError) as caught:
        await read_stream((FakeStream(*pieces),), options={"deadline": 50.0, "commit": "whole"})
    assert type(caught.value).__name__ in ("DeadlineExceededError", "ProviderTimeoutError")


@in_virtual_time
async def test_empty_stream_falls_back_or_raises() -> None:
    assert (await read_stream((FakeStream(),), ("well",))).final_response().provider == "b"
    with pytest.raises(EmptyAnswerError):
        await read_stream((FakeStream(),))


@in_virtual_time
async def test_refusal_after_commit_point_raises_partial_answer() -> None:
    refused = FakeStream("I can", "not", stop_reason=StopReason.CONTENT_FILTER)
    with pytest.raises(ContentBlockedError) as caught:
        await read_stream((refused,), ("well",))
    assert caught.value.response is not None
    assert caught.value.response.content == "I cannot"
    assert (await read_stream((refused,), ("well",), options={"commit": "whole"})).final_response().provider == "b"


@in_virtual_time
async def test_stream_assembles_tool_calls_and_reasoning() -> None:
    pieces = [
        StreamChunk(reasoning="Hm."),
        StreamChunk(tool_call=ToolCallDelta(0, "c1", "restart", '{"pod":')),
        StreamChunk(tool_call=ToolCallDelta(0, arguments='"web"}')),
        StreamChunk(usage=Usage(input=3, output=2)),
    ]
    response = (await read_stream((FakeStream(*pieces),))).final_response()
    assert response.reasoning == "Hm."
    assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == [("c1", "restart", {"pod": "web"})]
    assert response.stop_reason is StopReason.TOOL_CALLS


@in_virtual_time
async def test_all_failed_streams_raise_one_error() -> None:
    with pytest.raises(AllProvidersFailedError) as caught:
        await read_stream((FakeStream(INTERRUPTION),), (FakeStream(INTERRUPTION),))
    assert {attempt.provider for attempt in caught.value.attempts} == {"a", "b"}


@in_virtual_time
async def test_early_exit_closes_and_cancels_stream() -> None:
    clock, events = VirtualClock(), list[Event]()
    fake = FakeProvider(FakeStream("one ", StreamChunk(usage=Usage(input=3, output=1)), "two "), clock=clock)
    async with open_container({}, providers={"a": fake}, clock=clock, observer=events.append) as container:
        for _ in range(3):
            async with container.llm().stream("ping") as stream:
                async for _chunk in stream:
                    assert fake.open_streams == 1
                    break
            assert fake.open_streams == 0
    failed = [event for event in events if isinstance(event, CallFailed)]
    assert [(event.reason, event.attempts[0].outcome) for event in failed] == [("cancelled", "cancelled")] * 3


@in_virtual_time
async def test_cancelled_reader_closes_the_stream() -> None:
    clock = VirtualClock()
    fake = FakeProvider(FakeStream("one ", 10.0, "two "), clock=clock)
    async with open_container({}, providers={"a": fake}, clock=clock) as container:

        async def consume() -> None:
            async with container.llm().stream("ping") as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(consume())
        await clock.sleep(1.0)
        assert fake.open_streams == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert fake.open_streams == 0


@in_virtual_time
async def test_error_of_the_reader_passes_unchanged() -> None:
    async with open_container({}, providers={"a": FakeProvider("one two")}) as container:

        async def read_and_raise() -> None:
            async with container.llm().stream("ping") as stream:
                async for _ in stream:
                    raise TimeoutError("mine")

        with pytest.raises(TimeoutError, match="mine"):
            await read_and_raise()


@in_virtual_time
async def test_hedging_closes_the_slower_stream() -> None:
    clock = VirtualClock()
    slow = FakeProvider(FakeStream(20.0, "slow"), name="a", clock=clock)
    quick = FakeProvider(FakeStream("quick"), name="b", clock=clock)
    async with open_container({}, providers={"a": slow, "b": quick}, clock=clock) as container:
        async with container.llm().stream("ping", hedge_after=1.0) as stream:
            text = "".join([chunk.text or "" async for chunk in stream])
        assert (text, stream.response.provider, slow.open_streams, quick.open_streams) == ("quick", "b", 0, 0)
    assert [(attempt.provider, attempt.outcome, attempt.kept) for attempt in stream.response.attempts] == [
        ("a", "cancelled", False),
        ("b", "answered", True),
    ]


@in_virtual_time
async def test_interruptions_after_commit_point_open_breaker() -> None:
    clock, events = VirtualClock(), list[Event]()
    fake = FakeProvider(FakeStream("Hel", INTERRUPTION), clock=clock)
    env = {"LLM_BREAKER_MIN_CALLS": "3"}
    async with open_container(env, providers={"a": fake}, clock=clock, observer=events.append) as container:

        async def consume() -> None:
            async with container.llm().stream("ping") as stream:
                async for _ in stream:
                    pass

        for _ in range(3):
            with pytest.raises(StreamInterruptedError):
                await consume()
    assert [event.phase for event in events if isinstance(event, BreakerChanged)] == ["open"]


@in_virtual_time
async def test_stream_refuses_the_cache_option() -> None:
    async with open_container({}, providers={"a": FakeProvider("x")}) as container:
        with pytest.raises(InvalidRequestError, match="stream"):
            async with container.llm().stream("ping", cache=True):
                pass
