"""Limits: what is reserved, waited for, given back, and bounded, also with a counter that is slow."""

import asyncio
import threading
from dataclasses import replace

import pytest

from faultmaven.application.resilience.rate_limiter import LONGEST_ANNOUNCEMENT_SECONDS
from faultmaven.application.resilience.waiters import Waiters
from faultmaven.domain.errors import LimitReachedError
from faultmaven.domain.events import ProviderSkipped
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.optional.rate_counter import MinuteStorage, SlidingMinuteCounter
from faultmaven.testing.virtual_time import VirtualClock

from .house import HANGS, House, Step, route
from .test_router import ask, ledger, virtually


class Slow:
    """A counter far away. `kinds` are slow: "take" or "give_back"."""

    def __init__(self, house: House, *kinds: str) -> None:
        self._house = house
        self._kinds = kinds
        self.given_back = 0

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        if "take" in self._kinds:
            await self._house.clock.sleep(300.0)
        return 0.0

    def peek(self, key: str, amount: int, per_minute: int) -> float:
        return 0.0

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        if "give_back" in self._kinds:
            await self._house.clock.sleep(300.0)
        self.given_back += amount

    async def charge(self, key: str, amount: int, per_minute: int) -> None: ...


@virtually
async def test_a_slow_counter_costs_its_provider_the_turn_and_nobody_the_call() -> None:
    house = House([route("a", tokens_per_minute=1000), route("b")])
    house._counted = Slow(house, "take")
    response = await ask(house)
    assert ledger(response) == [("a", "LimitReachedError"), ("b", "answered")]
    assert "did not answer in time" in response.attempts[0].error
    assert house.clock.monotonic() == pytest.approx(2.5)


class SlowHeir(SlidingMinuteCounter):
    """A host's own counter over ours."""

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        await asyncio.sleep(300.0)
        return await super().take(key, amount, per_minute)


@virtually
async def test_a_counter_that_inherits_from_ours_is_not_taken_for_one_that_never_waits() -> None:
    house = House([route("a", requests_per_minute=5), route("b")])
    house._counted = SlowHeir(MinuteStorage(house.clock))
    assert ledger(await ask(house)) == [("a", "LimitReachedError"), ("b", "answered")]


class CountingTimers(VirtualClock):
    def __init__(self) -> None:
        self.timers = 0

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        self.timers += 1
        return super().timeout(seconds)


async def _timers(**limits: int) -> int:
    clock = CountingTimers()
    house = House([route("a", clock=clock, **limits)], clock=clock)
    await ask(house)
    return clock.timers


@virtually
async def test_limits_that_let_a_call_through_at_once_set_no_timer() -> None:
    every = {"max_concurrency": 1, "requests_per_minute": 5, "tokens_per_minute": 10_000}
    assert await _timers(**every) == await _timers()


@virtually
async def test_giving_back_never_holds_a_call_up_for_long() -> None:
    house = House([route("a", Step(0.5, usage=Usage(input=1, output=1)), tokens_per_minute=10_000)])
    house._counted = Slow(house, "give_back")
    await ask(house)
    assert house.clock.monotonic() == pytest.approx(1.5)


@virtually
async def test_a_call_that_is_cancelled_twice_gives_its_tokens_back() -> None:
    house = House([route("a", HANGS, tokens_per_minute=10_000)])
    house._counted = counter = Slow(house)
    call = asyncio.create_task(ask(house, max_tokens=100))
    await asyncio.sleep(1.0)
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert counter.given_back == 106  # 100 for the answer, and the prompt with its marks


@virtually
async def test_a_request_that_was_not_sent_is_not_counted() -> None:
    house = House([route("a", Step(30.0), requests_per_minute=3, max_concurrency=1, timeout=60.0), route("b")])
    first = asyncio.create_task(ask(house, "one"))
    await asyncio.sleep(0.1)
    for number in range(5):  # each waits two seconds for the place, and counts for nothing
        assert (await ask(house, f"question {number}")).provider == "b"
    await first
    assert [(await ask(house, f"more {number}")).provider for number in range(2)] == ["a", "a"]


@virtually
async def test_a_request_whose_tokens_do_not_fit_is_not_counted() -> None:
    house = House([route("a", Step(0.1), requests_per_minute=2, tokens_per_minute=1000), route("b")])
    assert (await ask(house, "one", max_tokens=990)).provider == "a"
    entry = house.routes[0]
    for _ in range(5):
        with pytest.raises(LimitReachedError):
            await house.traffic.limiter.reserve(entry, "a-model", 500, patience=0.5)
    assert house.traffic.limiter.used_up_for(replace(entry, tokens_per_minute=None), 0) == 0.0


@virtually
async def test_more_tokens_than_estimated_are_charged() -> None:
    house = House([route("a", Step(0.1, usage=Usage(input=500, output=5000)), tokens_per_minute=2000), route("b")])
    assert (await ask(house, "one", max_tokens=10)).provider == "a"
    assert (await ask(house, "two", max_tokens=10)).provider == "b"


@virtually
async def test_who_waits_for_the_minute_to_pass_holds_no_place() -> None:
    house = House([route("a", tokens_per_minute=1000, max_concurrency=1)], deadline=300.0)
    assert (await ask(house, max_tokens=900)).content
    waiting = asyncio.create_task(ask(house, "two", max_tokens=900))
    await asyncio.sleep(1.0)
    gate = house.traffic.limiter.gate(house.routes[0])
    assert gate is not None
    assert gate.taken == 0
    assert (await waiting).attempts[0].waited > 1.0


@virtually
async def test_an_announcement_is_believed_for_a_minute_at_most() -> None:
    house = House([route("a"), route("b")])
    house.traffic.limiter.announce(("a", "a-model"), 1e9)
    assert (await ask(house)).provider == "b"
    await asyncio.sleep(LONGEST_ANNOUNCEMENT_SECONDS)
    assert (await ask(house)).provider == "a"


@virtually
async def test_a_reload_changes_the_size_of_a_gate_for_good() -> None:
    house = House([route("a", Step(5.0), max_concurrency=1, timeout=60.0)])
    old = house.routes[0]
    calls = [asyncio.create_task(ask(house, f"question {number}")) for number in range(4)]
    await asyncio.sleep(1.0)
    house.generation = replace(house.generation, routes={"a": replace(old, max_concurrency=4)})
    late = asyncio.create_task(ask(house, "late"))
    await asyncio.gather(*calls, late)  # calls from before the reload retry and leave under the new size
    gate = house.traffic.limiter.gate(house.generation.routes["a"])
    assert gate is not None
    assert (gate.limit, gate.taken) == (4, 0)
    assert house.clock.monotonic() == pytest.approx(10.0)


@virtually
async def test_a_short_deadline_waits_for_a_place_too() -> None:
    house = House([route("a", Step(0.05), max_concurrency=1)])
    responses = await asyncio.gather(*(ask(house, f"question {number}", deadline=1.0) for number in range(5)))
    assert len(responses) == 5


@virtually
async def test_who_is_left_alone_is_told() -> None:
    house = House([route("a"), route("b")])
    house.traffic.limiter.announce(("a", "a-model"), 30.0)
    await ask(house)
    (told,) = house.told(ProviderSkipped)
    assert (told.provider, told.model) == ("a", "a-model")
    assert "the vendor takes nothing for 30 s more" in told.reason


async def test_a_turn_whose_owner_is_gone_when_its_loop_hears_of_it_is_given_on() -> None:
    """Woken from another thread, it is cancelled before its own loop runs again."""
    waiters, lost = Waiters(), list[bool]()
    future = waiters.join()
    other = threading.Thread(target=lambda: waiters.wake_next(lambda: lost.append(True)))
    other.start()
    other.join()  # this loop stands still meanwhile
    future.cancel()
    await asyncio.sleep(0)
    assert lost == [True]
