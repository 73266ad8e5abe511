"""Streams through the router: commit points, failover before them, typed ends after them, and nothing left open."""

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

CUT = StreamInterruptedError("the connection broke")
ENOUGH = "A whole answer. With a second sentence."


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_in_virtual_time(test(*args, **kwargs))

    return run


class Reading:
    """What a caller saw of one stream."""

    def __init__(self) -> None:
        self.text = ""
        self.events: list[Event] = []
        self.response: LLMResponse | None = None
        self.seconds = 0.0

    def ended(self) -> LLMResponse:
        assert self.response is not None
        return self.response


async def read(*scripts: tuple[Any, ...], options: Options | None = None, env: dict[str, str] | None = None) -> Reading:
    """Stream one prompt from providers "a", "b", ... with these scripts; an error is raised with `reading` on it."""
    clock, reading = VirtualClock(), Reading()
    fakes = {name: FakeProvider(*script, name=name, clock=clock) for name, script in zip("abc", scripts, strict=False)}
    reading.events = []
    async with open_container(env or {}, providers=fakes, clock=clock, observer=reading.events.append) as container:
        try:
            async with container.llm().stream("ping", **(options or {})) as stream:
                reading.seconds = clock.monotonic()
                async for chunk in stream:
                    reading.text += chunk.text or ""
                reading.response = stream.response
        finally:
            assert [fake.open_streams for fake in fakes.values()] == [0] * len(fakes)
    return reading


@virtually
async def test_a_stream_gives_its_text_and_then_its_response() -> None:
    reading = await read((FakeStream("Hel", "lo"),))
    assert reading.text == reading.ended().content == "Hello"
    (line,) = reading.ended().attempts
    assert (line.outcome, line.kept, line.time_to_first_token) == ("answered", True, 0.0)
    assert [type(event).__name__ for event in reading.events][-1] == CallAnswered.__name__


@virtually
async def test_the_response_is_not_there_before_the_end() -> None:
    async with (
        open_container({}, providers={"a": FakeProvider("one two three")}) as container,
        container.llm().stream("ping") as stream,
    ):
        await anext(aiter(stream))
        with pytest.raises(InvalidRequestError, match="not been read to its end"):
            _ = stream.response


@pytest.mark.parametrize("error", [RateLimitError("busy"), ProviderUnavailableError("down"), CUT])
@virtually
async def test_a_stream_that_fails_before_its_first_token_goes_on_elsewhere(error: LLMError) -> None:
    reading = await read((FakeStream(error),), ("well",))
    assert (reading.text, reading.ended().provider) == ("well", "b")
    assert [(line.provider, line.outcome, line.kept) for line in reading.ended().attempts] == [
        ("a", type(error).__name__, False),
        ("b", "answered", True),
    ]


@virtually
async def test_a_stream_that_fails_after_its_first_token_raises_with_what_came() -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        await read((FakeStream("Hel", CUT),), ("well",))
    assert caught.value.response is not None
    assert caught.value.response.content == "Hel"
    assert [(line.provider, line.outcome) for line in caught.value.attempts] == [("a", "StreamInterruptedError")]


COMMITS: list[tuple[Any, str, bool]] = [
    ("first_token", "A", False),
    ("none", "", False),
    ("sentence", "A whole answer", True),
    ("sentence", "A whole answer. ", False),
    (20, "A whole answer. Wit", True),
    (20, "A whole answer. With", False),
    ("whole", ENOUGH, True),
]


@pytest.mark.parametrize(("commit", "before", "goes_on"), COMMITS)
@virtually
async def test_the_commit_point_decides_who_may_still_take_over(commit: Any, before: str, goes_on: bool) -> None:
    pieces = [*before, CUT]
    call = read((FakeStream(*pieces),), (FakeStream(*ENOUGH),), options={"commit": commit})
    if goes_on:
        assert (await call).text == ENOUGH
    else:
        with pytest.raises(StreamInterruptedError):
            await call


@pytest.mark.parametrize("commit", ["none", "first_token", "sentence", 5, 1000, "whole"])
@virtually
async def test_no_character_is_lost_or_doubled_at_any_commit_point(commit: Any) -> None:
    reading = await read((FakeStream(*ENOUGH),), options={"commit": commit})
    assert reading.text == reading.ended().content == ENOUGH


@virtually
async def test_every_cut_under_every_commit_point_is_one_whole_answer_or_an_error() -> None:
    commits: list[Any] = ["none", "first_token", "sentence", 7, "whole"]
    for commit in commits:
        for cut in range(len(ENOUGH)):
            call = read((FakeStream(*ENOUGH[:cut], CUT),), (ENOUGH,), options={"commit": commit})
            (ended,) = await asyncio.gather(call, return_exceptions=True)
            if isinstance(ended, StreamInterruptedError):
                assert ended.response is not None
                assert ended.response.content == ENOUGH[:cut]
            else:
                assert isinstance(ended, Reading)
                assert (ended.text, ended.ended().provider) == (ENOUGH, "b")


@virtually
async def test_a_stall_before_the_first_token_goes_on_elsewhere() -> None:
    reading = await read((FakeStream(10**6, "late"),), ("well",), env={"LLM_REQUEST_TIMEOUT": "5"})
    assert reading.ended().provider == "b"


@virtually
async def test_a_stall_between_chunks_is_a_timeout_with_what_came() -> None:
    with pytest.raises(ProviderTimeoutError) as caught:
        await read((FakeStream("Hel", 10**6, "lo"),), env={"LLM_REQUEST_TIMEOUT": "5"})
    assert caught.value.phase == "next chunk"
    assert caught.value.response is not None
    assert caught.value.response.content == "Hel"


@virtually
async def test_the_deadline_ends_at_the_commit_point() -> None:
    pieces = [piece for _ in range(10) for piece in (20.0, "word ")]
    reading = await read((FakeStream(*pieces),), options={"deadline": 30.0})
    assert reading.text == "word " * 10


@virtually
async def test_a_deadline_before_the_commit_point_is_a_typed_error() -> None:
    pieces = [piece for _ in range(10) for piece in (20.0, "word ")]
    with pytest.raises(LLMError) as caught:
        await read((FakeStream(*pieces),), options={"deadline": 50.0, "commit": "whole"})
    assert type(caught.value).__name__ in ("DeadlineExceededError", "ProviderTimeoutError")


@virtually
async def test_an_empty_stream_goes_on_and_a_lone_one_raises() -> None:
    assert (await read((FakeStream(),), ("well",))).ended().provider == "b"
    with pytest.raises(EmptyAnswerError):
        await read((FakeStream(),))


@virtually
async def test_a_refusal_after_the_commit_point_is_raised_with_what_came() -> None:
    refused = FakeStream("I can", "not", stop_reason=StopReason.CONTENT_FILTER)
    with pytest.raises(ContentBlockedError) as caught:
        await read((refused,), ("well",))
    assert caught.value.response is not None
    assert caught.value.response.content == "I cannot"
    assert (await read((refused,), ("well",), options={"commit": "whole"})).ended().provider == "b"


@virtually
async def test_tool_calls_and_reasoning_come_through() -> None:
    pieces = [
        StreamChunk(reasoning="Hm."),
        StreamChunk(tool_call=ToolCallDelta(0, "c1", "restart", '{"pod":')),
        StreamChunk(tool_call=ToolCallDelta(0, arguments='"web"}')),
        StreamChunk(usage=Usage(input=3, output=2)),
    ]
    response = (await read((FakeStream(*pieces),))).ended()
    assert response.reasoning == "Hm."
    assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == [("c1", "restart", {"pod": "web"})]
    assert response.stop_reason is StopReason.TOOL_CALLS


@virtually
async def test_all_streams_failing_is_one_error_over_all() -> None:
    with pytest.raises(AllProvidersFailedError) as caught:
        await read((FakeStream(CUT),), (FakeStream(CUT),))
    assert {line.provider for line in caught.value.attempts} == {"a", "b"}


@virtually
async def test_leaving_early_closes_the_stream_and_gives_the_permit_back() -> None:
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


@virtually
async def test_a_cancelled_reader_closes_the_stream() -> None:
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


@virtually
async def test_the_readers_own_error_is_its_own() -> None:
    async with open_container({}, providers={"a": FakeProvider("one two")}) as container:

        async def read_badly() -> None:
            async with container.llm().stream("ping") as stream:
                async for _ in stream:
                    raise TimeoutError("mine")

        with pytest.raises(TimeoutError, match="mine"):
            await read_badly()


@virtually
async def test_a_hedged_stream_closes_the_slower_one() -> None:
    clock = VirtualClock()
    slow = FakeProvider(FakeStream(20.0, "slow"), name="a", clock=clock)
    quick = FakeProvider(FakeStream("quick"), name="b", clock=clock)
    async with open_container({}, providers={"a": slow, "b": quick}, clock=clock) as container:
        async with container.llm().stream("ping", hedge_after=1.0) as stream:
            text = "".join([chunk.text or "" async for chunk in stream])
        assert (text, stream.response.provider, slow.open_streams, quick.open_streams) == ("quick", "b", 0, 0)
    assert [(line.provider, line.outcome, line.kept) for line in stream.response.attempts] == [
        ("a", "cancelled", False),
        ("b", "answered", True),
    ]


@virtually
async def test_streams_that_break_after_their_commit_point_open_the_breaker() -> None:
    clock, events = VirtualClock(), list[Event]()
    fake = FakeProvider(FakeStream("Hel", CUT), clock=clock)
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


@virtually
async def test_a_stream_neither_keeps_nor_takes_answers() -> None:
    async with open_container({}, providers={"a": FakeProvider("x")}) as container:
        with pytest.raises(InvalidRequestError, match="stream"):
            async with container.llm().stream("ping", cache=True):
                pass
