"""The fakes behave: time moves only when told, and a script is played in order."""

import asyncio
from dataclasses import replace

import pytest

from faultmaven import LLMResponse, ProviderTimeoutError, ProviderUnavailableError
from faultmaven.application.door import chat_request
from faultmaven.testing import FakeClock, FakeProvider


async def test_a_sleep_moves_the_clock_and_does_not_wait() -> None:
    clock = FakeClock()
    await clock.sleep(3600)
    assert clock.monotonic() == 3600
    assert clock.slept == [3600]


async def test_a_timeout_strikes_when_its_time_has_passed() -> None:
    clock = FakeClock()
    with pytest.raises(TimeoutError):
        async with clock.timeout(5):
            await clock.sleep(10)
    assert clock.monotonic() == 5
    assert clock.slept == []


async def test_the_nearest_of_nested_timeouts_strikes() -> None:
    clock = FakeClock()
    async with clock.timeout(100):
        with pytest.raises(TimeoutError):
            async with clock.timeout(5):
                await clock.sleep(1000)
    assert clock.monotonic() == 5


async def test_a_sleep_within_the_time_is_left_alone() -> None:
    clock = FakeClock()
    async with clock.timeout(5), clock.timeout(None):
        await clock.sleep(4)
    assert clock.monotonic() == 4


async def test_advancing_strikes_the_timeout_of_another_task() -> None:
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


async def test_a_script_is_played_in_order_and_its_last_step_for_ever() -> None:
    fake = FakeProvider("one", ProviderUnavailableError("down"), lambda request: request.messages[0].text.upper())
    assert (await fake.generate("a")).content == "one"
    with pytest.raises(ProviderUnavailableError):
        await fake.generate("b")
    assert [(await fake.generate(text)).content for text in ("c", "d")] == ["C", "D"]
    assert [request.messages[0].text for request in fake.requests] == ["a", "b", "c", "d"]


async def test_a_response_of_the_test_is_given_as_it_is() -> None:
    response = LLMResponse("mine", 0.1, "me", "m", 7, 1.0)
    assert await FakeProvider(response).generate("ping") is response


async def test_a_delay_beyond_the_attempts_time_is_a_timeout() -> None:
    clock = FakeClock()

    fake = FakeProvider("late", delay=10, clock=clock)
    with pytest.raises(ProviderTimeoutError):
        await fake.answer(replace(chat_request("ping"), timeout=3.0))
    assert clock.monotonic() == 3
