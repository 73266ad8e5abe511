"""Amounts per minute: never more than the sliding-window rule allows, and what was not used comes back."""

import asyncio
import math
import sys
import threading
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from faultmaven.domain.errors import ConfigurationError
from faultmaven.infrastructure.optional.optional_dependencies import build_rate_counter
from faultmaven.infrastructure.optional.rate_counter import MinuteStorage, SlidingMinuteCounter
from faultmaven.testing import FakeClock

KEY = "acme/requests"
NAME = "faultmaven/acme/requests"


class Counting:
    """A counter with its clock and its storage at hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.clock = FakeClock(now)
        self.storage = MinuteStorage(self.clock)
        self.counter = SlidingMinuteCounter(self.storage)

    async def take(self, amount: int = 1, per_minute: int = 10) -> float:
        return await self.counter.take(KEY, amount, per_minute)

    async def give_back(self, amount: int = 1, per_minute: int = 10, age: float = 0.0) -> None:
        await self.counter.give_back(KEY, amount, per_minute, age)

    async def charge(self, amount: int = 1, per_minute: int = 10) -> None:
        await self.counter.charge(KEY, amount, per_minute)

    async def used(self) -> float:
        previous, left, current, _ = await self.storage.get_sliding_window(NAME, 60)
        return previous * left / 60 + current


async def test_of_500_tasks_exactly_50_get_through() -> None:
    counting = Counting()
    waits = await asyncio.gather(*(counting.take(1, 50) for _ in range(500)))
    assert waits.count(0.0) == 50
    assert min(wait for wait in waits if wait) > 0


async def test_of_500_tasks_in_several_loops_and_threads_exactly_50_get_through() -> None:
    """Each thread has a loop of its own, and all count in one place."""
    counting, waits = Counting(), []

    async def many() -> list[float]:
        return await asyncio.gather(*(counting.take(1, 50) for _ in range(100)))

    threads = [threading.Thread(target=lambda: waits.extend(asyncio.run(many()))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert len(waits) == 500
    assert waits.count(0.0) == 50


def test_loops_one_after_the_other_share_what_was_counted() -> None:
    counting = Counting()
    assert asyncio.run(counting.take(6)) == 0.0
    assert asyncio.run(counting.take(6)) > 0
    assert asyncio.run(counting.take(4)) == 0.0


async def test_a_full_minute_fades_evenly_over_the_next() -> None:
    """10 of 10 at the start: the first place is free 6 s into the next minute, then one every 6 s."""
    counting = Counting()
    assert await counting.take(10) == 0.0
    assert await counting.take() == pytest.approx(66.0)
    counting.clock.advance(60)
    assert await counting.take() == pytest.approx(6.0)
    counting.clock.advance(6)
    assert await counting.take() == 0.0
    assert await counting.take() == pytest.approx(6.0)
    assert await counting.take(5) == pytest.approx(30.0)


async def test_after_two_minutes_nothing_is_left_of_it() -> None:
    counting = Counting(now=12345.6)
    assert await counting.take(10) == 0.0
    counting.clock.advance(120)
    assert await counting.take(10) == 0.0


async def test_amount_above_the_limit_comes_true_in_an_empty_minute() -> None:
    """It is counted whole: what follows waits for all of it."""
    counting = Counting()
    assert await counting.take(1) == 0.0
    assert await counting.take(25) == pytest.approx(120.0)
    counting.clock.advance(120)
    assert await counting.take(25) == 0.0
    assert await counting.used() == 25
    assert await counting.take(1) == pytest.approx(60 + 60 * (1 - 9 / 25))
    await counting.give_back(20)
    assert await counting.used() == 5


async def test_amount_given_back_after_a_failed_call_is_free_again() -> None:
    counting = Counting()
    assert await counting.take(10) == 0.0
    assert await counting.take(4) > 0
    await counting.give_back(4)
    assert await counting.take(4) == 0.0
    assert await counting.take(1) > 0


async def test_amount_given_back_leaves_the_window_it_was_taken_from() -> None:
    """Taken at 50 s and given back at 70 s: the first minute loses it, what the second one counted stays."""
    counting = Counting(now=50)
    assert await counting.take(6) == 0.0
    counting.clock.advance(20)
    assert await counting.take(5) == 0.0
    await counting.give_back(6, age=20)
    assert await counting.storage.get_sliding_window(NAME, 60) == (0, 50.0, 5, 110.0)


async def test_amount_that_has_faded_frees_nothing() -> None:
    """A call of more than a minute gives back what nobody counts any more."""
    counting = Counting(now=50)
    assert await counting.take(6) == 0.0
    for _ in range(2):
        counting.clock.advance(60)
        assert await counting.take(1) == 0.0
    await counting.give_back(6, age=120)
    assert await counting.storage.get_sliding_window(NAME, 60) == (1, 10.0, 1, 70.0)


@pytest.mark.parametrize("later", [0, 30, 60, 90, 600])
async def test_nothing_falls_below_zero(later: float) -> None:
    counting = Counting()
    assert await counting.take(3) == 0.0
    counting.clock.advance(later)
    await counting.give_back(1000, age=later)
    assert await counting.used() == 0
    assert await counting.take(10) == 0.0
    assert await counting.take(1) > 0


async def test_storage_itself_stops_at_zero() -> None:
    """Two calls in two threads may have seen the same count before each gives back."""
    counting = Counting()
    assert await counting.take(3) == 0.0
    for _ in range(2):
        assert await counting.storage.acquire_sliding_window_entry(NAME, 10, 60, -3)
    assert await counting.used() == 0
    assert await counting.take(3) == 0.0
    counting.clock.advance(60)
    for _ in range(2):
        await counting.storage.subtract_from_previous(NAME, 3)
    assert await counting.used() == 0


async def test_charge_counts_over_the_limit() -> None:
    counting = Counting()
    assert await counting.take(8) == 0.0
    await counting.charge(12)
    assert await counting.used() == 20
    assert await counting.take(1) == pytest.approx(60 + 60 * (1 - 9 / 20))
    await counting.give_back(11)
    assert await counting.take(1) == 0.0


async def test_no_amount_is_no_use() -> None:
    counting = Counting()
    await counting.charge(20)
    for amount in (0, -5):
        assert await counting.take(amount) == 0.0
        await counting.charge(amount)
        await counting.give_back(amount)
    assert await counting.used() == 20


async def test_a_changed_limit_finds_what_was_counted() -> None:
    """A reload that lowers a row's limit forgets nothing."""
    counting = Counting()
    assert await counting.take(8, per_minute=10) == 0.0
    assert await counting.take(1, per_minute=5) > 0


async def test_keys_are_counted_apart() -> None:
    counting = Counting()
    assert await counting.take(10) == 0.0
    assert await counting.counter.take("acme/tokens", 10, 10) == 0.0


async def test_keys_that_nobody_uses_are_forgotten() -> None:
    counting = Counting()
    for number in range(1000):
        assert await counting.counter.take(f"key {number}", 1, 10) == 0.0
    counting.clock.advance(120)
    assert await counting.take() == 0.0
    assert await counting.storage.reset() == 1


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "wait", "give back", "charge", "advance"]),
        st.integers(1, 30),
        st.floats(0, 200, allow_nan=False),
    ),
    max_size=40,
)


class Rule:
    """The sliding-window rule, written down from its definition: what each minute counted, and the older one's part."""

    def __init__(self) -> None:
        self.counted: dict[int, int] = {}

    def add(self, when: float, amount: int) -> None:
        number = math.floor(when / 60)
        self.counted[number] = max(0, self.counted.get(number, 0) + amount)

    def used(self, now: float) -> float:
        number = math.floor(now / 60)
        return self.counted.get(number, 0) + self.counted.get(number - 1, 0) * (1 - (now / 60 - number))


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0, 1000), OPERATIONS)
async def test_never_more_than_the_rule_allows(
    limit: int, start: float, operations: list[tuple[str, int, float]]
) -> None:
    """Whatever happens, the counter knows what the rule knows; a wait that was told is enough and no longer than so."""
    counting, rule, taken = Counting(start), Rule(), 0.0
    for what, amount, seconds in operations:
        now = counting.clock.monotonic()
        if what == "advance":
            counting.clock.advance(seconds)
        elif what == "charge":
            await counting.charge(amount, limit)
            rule.add(now, amount)
        elif what == "give back" and taken:
            await counting.give_back(amount, limit, now - taken)
            rule.add(taken, -amount)
        elif what in ("take", "wait"):
            wait = await counting.take(amount, limit)
            assert (wait == 0.0) == (rule.used(now) + min(amount, limit) <= limit + 1e-6)
            assert 0 <= wait <= 120
            if wait and what == "wait":
                counting.clock.advance(wait * 0.99)
                assert await counting.take(amount, limit) > 0 or wait < 0.01
                counting.clock.advance(wait * 0.01 + 1e-6)
                wait = await counting.take(amount, limit)
                assert wait == 0.0
            if not wait:
                taken = counting.clock.monotonic()
                rule.add(taken, amount)
        assert await counting.used() == pytest.approx(rule.used(counting.clock.monotonic()))


class LostStorage(MinuteStorage):
    """A store behind a network that is gone."""

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return (ConnectionError,)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> NoReturn:
        raise ConnectionError

    async def get_sliding_window(self, key: str, expiry: int) -> NoReturn:
        raise ConnectionError


async def test_a_store_that_is_gone_lets_calls_through() -> None:
    counter = SlidingMinuteCounter(LostStorage(FakeClock()))
    assert await counter.take(KEY, 1000, 1) == 0.0
    await counter.give_back(KEY, 1, 1, 0.0)
    await counter.charge(KEY, 1, 1)


async def test_any_storage_of_limits_takes_a_negative_cost() -> None:
    """No document of `limits` says it; giving back rests on it. The library's own storage is the witness."""
    storage = MemoryStorage()
    limiter, limit = SlidingWindowCounterRateLimiter(storage), RateLimitItemPerMinute(10)
    assert await limiter.hit(limit, KEY, cost=10)
    assert not await limiter.hit(limit, KEY, cost=1)
    assert await limiter.hit(limit, KEY, cost=-4)
    assert (await limiter.get_window_stats(limit, KEY)).remaining == 4
    assert await limiter.hit(limit, KEY, cost=4)
    assert not await limiter.hit(limit, KEY, cost=1)


async def test_another_storage_of_limits_serves_as_well() -> None:
    """As one would that many processes share. It asks the machine's time."""
    counter = SlidingMinuteCounter(MemoryStorage())
    assert await counter.take(KEY, 10, 10) == 0.0
    assert 6 <= await counter.take(KEY, 1, 10) <= 66
    await counter.give_back(KEY, 1000, 10, 0.0)
    assert await counter.take(KEY, 10, 10) == 0.0
    await counter.charge(KEY, 5, 10)
    await counter.give_back(KEY, 5, 10, 0.0)
    assert await counter.take(KEY, 1, 10) > 0


async def test_the_extra_builds_a_counter_on_our_clock() -> None:
    clock = FakeClock()
    counter = build_rate_counter(clock)
    assert await counter.take(KEY, 10, 10) == 0.0
    assert await counter.take(KEY, 1, 10) == pytest.approx(66.0)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.rate_counter")
    with pytest.raises(ConfigurationError, match=r'pip install "faultmaven\[ratelimit\]"'):
        build_rate_counter(FakeClock())
