"""Tests for `FakeClock`, which moves only on request, and `FakeProvider`, which plays its script in order."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from faultmaven import (
    ChatRequest,
    LLMResponse,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    StopReason,
    StreamChunk,
    StreamInterruptedError,
    ToolCall,
    open_container,
)
from faultmaven.application.validation.request import build_chat_request
from faultmaven.testing import Delayed, FakeClock, FakeProvider, FakeStream, Step

CALLS = [ToolCall("1", "look", {"pod": "web-1", "since": "03:00"}), ToolCall("2", "restart")]


async def test_fake_sleep_advances_clock_without_waiting() -> None:
    clock = FakeClock()
    await clock.sleep(3600)
    assert clock.monotonic() == 3600
    assert clock.slept == [3600]


async def test_fake_timeout_fires_at_the_limit() -> None:
    clock = FakeClock()
    with pytest.raises(TimeoutError):
        async with clock.timeout(5):
            await clock.sleep(10)
    assert clock.monotonic() == 5
    assert clock.slept == []


async def test_shortest_of_nested_timeouts_fires_first() -> None:
    clock = FakeClock()
    async with clock.timeout(100):
        with pytest.raises(TimeoutError):
            async with clock.timeout(5):
                await clock.sleep(1000)
    assert clock.monotonic() == 5


async def test_sleep_shorter_than_timeout_completes() -> None:
    clock = FakeClock()
    async with clock.timeout(5), clock.timeout(None):
        await clock.sleep(4)
    assert clock.monotonic() == 4


async def test_advance_fires_timeout_of_another_task() -> None:
    clock = FakeClock()
    entered = asyncio.Event()

    async def hang() -> None:
        async with clock.timeout(5):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await entered.wait()
    clock.advance(4)
    await asyncio.sleep(0)
    assert not task.done()
    clock.advance(1)
    with pytest.raises(TimeoutError):
        await task


async def test_script_plays_in_order_and_repeats_end() -> None:
    fake = FakeProvider("one", ProviderUnavailableError("down"), lambda request: request.messages[0].text.upper())
    assert (await fake.generate("a")).content == "one"
    with pytest.raises(ProviderUnavailableError):
        await fake.generate("b")
    assert [(await fake.generate(text)).content for text in ("c", "d")] == ["C", "D"]
    assert [request.messages[0].text for request in fake.requests] == ["a", "b", "c", "d"]


async def test_scripted_response_object_is_returned_unchanged() -> None:
    response = LLMResponse("mine", 0.1, "me", "m", 7, 1.0)
    assert await FakeProvider(response).generate("ping") is response


async def test_delay_beyond_attempt_timeout_raises_timeout_error() -> None:
    clock = FakeClock()

    fake = FakeProvider("late", delay=10, clock=clock)
    with pytest.raises(ProviderTimeoutError):
        await fake.answer(replace(build_chat_request("ping"), timeout=3.0))
    assert clock.monotonic() == 3


async def read_stream(fake: FakeProvider, request: ChatRequest | None = None) -> tuple[list[StreamChunk], LLMResponse]:
    async with fake.open_stream(request or build_chat_request("ping")) as stream:
        chunks = [chunk async for chunk in stream]
        return chunks, stream.response


@pytest.mark.parametrize("script", [tuple(CALLS[:1]), (CALLS,), (tuple(CALLS),), (lambda request: CALLS,)])
async def test_tool_calls_are_generated_and_streamed_alike(script: tuple[Step, ...]) -> None:
    whole = await FakeProvider(*script).generate("ping")
    chunks, streamed = await read_stream(FakeProvider(*script))
    for response in (whole, streamed):
        assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == [
            (call.id, call.name, call.arguments) for call in CALLS[: len(response.tool_calls)]
        ]
        assert response.stop_reason is StopReason.TOOL_CALLS
        assert response.content == ""
    deltas = [chunk.tool_call for chunk in chunks if chunk.tool_call]
    assert (deltas[0].id, deltas[0].name, deltas[0].arguments) == ("1", "look", "")
    assert "".join(delta.arguments for delta in deltas if delta.index == 0) == whole.tool_calls[0].raw_arguments
    assert len([delta for delta in deltas if delta.index == 0]) > 2
    assert len(whole.tool_calls) == len(streamed.tool_calls) == 1 + max(delta.index for delta in deltas)


async def test_fake_stream_sends_text_before_calls() -> None:
    broken = ToolCall("9", "look", raw_arguments='{"pod": ')
    _, response = await read_stream(FakeProvider(FakeStream("Let me look.", *CALLS, broken)))
    assert response.content == "Let me look."
    assert [call.name for call in response.tool_calls] == ["look", "restart", "look"]
    assert response.tool_calls[2].problem == "the arguments are not JSON"


async def test_interrupted_stream_keeps_partial_tool_call() -> None:
    fake = FakeProvider(FakeStream(CALLS[0], StreamInterruptedError("cut")))
    with pytest.raises(StreamInterruptedError) as caught:
        await read_stream(fake)
    assert caught.value.response is not None
    assert caught.value.response.tool_calls[0].arguments == CALLS[0].arguments


async def test_router_returns_tool_calls_of_fake() -> None:
    fake = FakeProvider(CALLS, lambda request: f"done with {len(request.turns)} turns")
    async with open_container(providers={"fake": fake}) as container:
        response = await container.llm().generate("ping")
        assert [call.name for call in response.tool_calls] == ["look", "restart"]


@pytest.mark.parametrize("streams", [False, True])
async def test_each_script_step_can_be_delayed(streams: bool) -> None:
    clock = FakeClock()
    fake = FakeProvider("at once", Delayed(5, "late"), Delayed(1, lambda request: Delayed(2, "later")), clock=clock)
    results = []
    for _ in range(3):
        response = (await read_stream(fake))[1] if streams else await fake.generate("ping")
        results.append((response.content, clock.monotonic()))
    assert results == [("at once", 0), ("late", 5), ("later", 8)]


@pytest.mark.parametrize("streams", [False, True])
async def test_delayed_step_beyond_timeout_raises_timeout_error(streams: bool) -> None:
    clock = FakeClock()
    fake = FakeProvider(Delayed(10, RateLimitError("too late to matter")), clock=clock)
    request = replace(build_chat_request("ping"), timeout=3.0)
    with pytest.raises(ProviderTimeoutError):
        await (read_stream(fake, request) if streams else fake.answer(request))
    assert clock.monotonic() == 3


async def test_async_function_step_returns_any_step() -> None:
    async def decide(request: ChatRequest) -> Step:
        await asyncio.sleep(0)
        return RateLimitError("slow down") if request.turns[0].text == "busy" else FakeStream("Hel", "lo")

    fake = FakeProvider(decide)
    with pytest.raises(RateLimitError) as caught:
        await fake.generate("busy")
    assert caught.value.attempts[0].outcome == "RateLimitError"
    assert (await fake.generate("ping")).content == "Hello"
    chunks, response = await read_stream(fake)
    assert [chunk.text for chunk in chunks] == ["Hel", "lo"]
    assert response.content == "Hello"


async def async_step(request: ChatRequest) -> str:
    return "ok"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 5.0, "step 2 of the script is a float; a step is a text"),
        (lambda: None, "is a NoneType"),
        (lambda: {"content": "ok"}, "is a dict"),
        (list, "is a list"),
        (lambda: ["a", "b"], "is a list"),
        (lambda: RateLimitError, "is the class RateLimitError: give an instance of the class"),
        (lambda: ValueError("boom"), "is a ValueError"),
        (lambda: async_step(build_chat_request("ping")), "a coroutine: give the async function, not"),
        (lambda: Delayed(-1, "ok"), "is delayed by -1: give seconds"),
        (lambda: Delayed(math.inf, "ok"), "is delayed by inf"),
        (lambda: Delayed(1, None), "step 2 of the script is a NoneType"),  # type: ignore[arg-type]
    ],
)
def test_invalid_script_step_is_refused_at_construction(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        FakeProvider("ok", make())


async def test_function_step_result_is_validated_when_played() -> None:
    fake = FakeProvider(lambda request: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="the result of a function of the script is a NoneType; a step is"):
        await fake.generate("ping")


@pytest.mark.parametrize(("piece", "message"), [(None, "a NoneType"), (-1, "-1"), (Delayed(1, "x"), "a Delayed")])
def test_fake_stream_refuses_invalid_pieces(piece: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"piece 2 of the FakeStream is {message}; a piece is"):
        FakeStream("Hel", piece)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delay": -1}, "delay is -1: give seconds"),
        ({"delay": "1"}, "delay is '1'"),
        ({"delay": math.inf}, "delay is inf"),
        ({"name": ""}, "name is '': give a text"),
        ({"name": 3}, "name is 3"),
        ({"models": "gpt"}, "models is 'gpt': give a list of names"),
        ({"models": [None]}, r"models is \[None\]"),
    ],
)
def test_fake_provider_refuses_invalid_arguments(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        FakeProvider("ok", **arguments)
