"""The rate counter allows no more per minute than the sliding-window rule, and takes back unused amounts."""

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


class CounterHarness:
    """A rate counter together with its fake clock and storage."""

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


async def test_exactly_50_of_500_tasks_pass() -> None:
    harness = CounterHarness()
    waits = await asyncio.gather(*(harness.take(1, 50) for _ in range(500)))
    assert waits.count(0.0) == 50
    assert min(wait for wait in waits if wait) > 0


async def test_exactly_50_of_500_threaded_tasks_pass() -> None:
    """Each thread runs its own event loop; all of them share one counter."""
    harness, waits = CounterHarness(), []

    async def take_100() -> list[float]:
        return await asyncio.gather(*(harness.take(1, 50) for _ in range(100)))

    threads = [threading.Thread(target=lambda: waits.extend(asyncio.run(take_100()))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert len(waits) == 500
    assert waits.count(0.0) == 50


def test_consecutive_event_loops_share_the_count() -> None:
    harness = CounterHarness()
    assert asyncio.run(harness.take(6)) == 0.0
    assert asyncio.run(harness.take(6)) > 0
    assert asyncio.run(harness.take(4)) == 0.0


async def test_full_minute_fades_over_the_next() -> None:
    """10 of 10 used at the start: the first request passes 6 s into the next minute, then one every 6 s."""
    harness = CounterHarness()
    assert await harness.take(10) == 0.0
    assert await harness.take() == pytest.approx(66.0)
    harness.clock.advance(60)
    assert await harness.take() == pytest.approx(6.0)
    harness.clock.advance(6)
    assert await harness.take() == 0.0
    assert await harness.take() == pytest.approx(6.0)
    assert await harness.take(5) == pytest.approx(30.0)


async def test_count_is_zero_after_two_minutes() -> None:
    harness = CounterHarness(now=12345.6)
    assert await harness.take(10) == 0.0
    harness.clock.advance(120)
    assert await harness.take(10) == 0.0


async def test_amount_above_limit_passes_in_empty_window() -> None:
    """The whole amount is counted, so that later requests wait for all of it."""
    harness = CounterHarness()
    assert await harness.take(1) == 0.0
    assert await harness.take(25) == pytest.approx(120.0)
    harness.clock.advance(120)
    assert await harness.take(25) == 0.0
    assert await harness.used() == 25
    assert await harness.take(1) == pytest.approx(60 + 60 * (1 - 9 / 25))
    await harness.give_back(20)
    assert await harness.used() == 5


async def test_returned_amount_can_be_taken_again() -> None:
    harness = CounterHarness()
    assert await harness.take(10) == 0.0
    assert await harness.take(4) > 0
    await harness.give_back(4)
    assert await harness.take(4) == 0.0
    assert await harness.take(1) > 0


async def test_returned_amount_leaves_the_original_window() -> None:
    """Taken at 50 s and given back at 70 s: the first minute loses the amount, the second one keeps its count."""
    harness = CounterHarness(now=50)
    assert await harness.take(6) == 0.0
    harness.clock.advance(20)
    assert await harness.take(5) == 0.0
    await harness.give_back(6, age=20)
    assert await harness.storage.get_sliding_window(NAME, 60) == (0, 50.0, 5, 110.0)


async def test_expired_amount_frees_nothing_when_returned() -> None:
    """A call of two minutes gives back an amount that has left the window."""
    harness = CounterHarness(now=50)
    assert await harness.take(6) == 0.0
    for _ in range(2):
        harness.clock.advance(60)
        assert await harness.take(1) == 0.0
    await harness.give_back(6, age=120)
    assert await harness.storage.get_sliding_window(NAME, 60) == (1, 10.0, 1, 70.0)


@pytest.mark.parametrize("later", [0, 30, 60, 90, 600])
async def test_count_never_falls_below_zero(later: float) -> None:
    harness = CounterHarness()
    assert await harness.take(3) == 0.0
    harness.clock.advance(later)
    await harness.give_back(1000, age=later)
    assert await harness.used() == 0
    assert await harness.take(10) == 0.0
    assert await harness.take(1) > 0


async def test_storage_count_stops_at_zero() -> None:
    """Two threads may read the same count before each of them gives an amount back."""
    harness = CounterHarness()
    assert await harness.take(3) == 0.0
    for _ in range(2):
        assert await harness.storage.acquire_sliding_window_entry(NAME, 10, 60, -3)
    assert await harness.used() == 0
    assert await harness.take(3) == 0.0
    harness.clock.advance(60)
    for _ in range(2):
        await harness.storage.subtract_from_previous(NAME, 3)
    assert await harness.used() == 0


async def test_charge_counts_beyond_the_limit() -> None:
    harness = CounterHarness()
    assert await harness.take(8) == 0.0
    await harness.charge(12)
    assert await harness.used() == 20
    assert await harness.take(1) == pytest.approx(60 + 60 * (1 - 9 / 20))
    await harness.give_back(11)
    assert await harness.take(1) == 0.0


async def test_zero_and_negative_amounts_are_ignored() -> None:
    harness = CounterHarness()
    await harness.charge(20)
    for amount in (0, -5):
        assert await harness.take(amount) == 0.0
        await harness.charge(amount)
        await harness.give_back(amount)
    assert await harness.used() == 20


async def test_changed_limit_keeps_the_count() -> None:
    """A reload that lowers the limit of a provider row keeps the count."""
    harness = CounterHarness()
    assert await harness.take(8, per_minute=10) == 0.0
    assert await harness.take(1, per_minute=5) > 0


async def test_keys_are_counted_separately() -> None:
    harness = CounterHarness()
    assert await harness.take(10) == 0.0
    assert await harness.counter.take("acme/tokens", 10, 10) == 0.0


async def test_unused_keys_are_removed_from_storage() -> None:
    harness = CounterHarness()
    for number in range(1000):
        assert await harness.counter.take(f"key {number}", 1, 10) == 0.0
    harness.clock.advance(120)
    assert await harness.take() == 0.0
    assert await harness.storage.reset() == 1


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "wait", "give back", "charge", "advance"]),
        st.integers(1, 30),
        st.floats(0, 200, allow_nan=False),
    ),
    max_size=40,
)


class SlidingWindowRule:
    """Reference model of the sliding-window rule: the count of each minute, and a share of the previous minute's."""

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
async def test_counter_matches_the_sliding_window_rule(
    limit: int, start: float, operations: list[tuple[str, int, float]]
) -> None:
    """For any operations the counter equals the reference model, and a returned wait is sufficient and minimal."""
    harness, rule, taken_at = CounterHarness(start), SlidingWindowRule(), 0.0
    for operation, amount, seconds in operations:
        now = harness.clock.monotonic()
        if operation == "advance":
            harness.clock.advance(seconds)
        elif operation == "charge":
            await harness.charge(amount, limit)
            rule.add(now, amount)
        elif operation == "give back" and taken_at:
            await harness.give_back(amount, limit, now - taken_at)
            rule.add(taken_at, -amount)
        elif operation in ("take", "wait"):
            wait = await harness.take(amount, limit)
            assert (wait == 0.0) == (rule.used(now) + min(amount, limit) <= limit + 1e-6)
            assert 0 <= wait <= 120
            if wait and operation == "wait":
                harness.clock.advance(wait * 0.99)
                assert await harness.take(amount, limit) > 0 or wait < 0.01
                harness.clock.advance(wait * 0.01 + 1e-6)
                wait = await harness.take(amount, limit)
                assert wait == 0.0
            if not wait:
                taken_at = harness.clock.monotonic()
                rule.add(taken_at, amount)
        assert await harness.used() == pytest.approx(rule.used(harness.clock.monotonic()))


class UnreachableStorage(MinuteStorage):
    """Storage behind a failed network."""

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return (ConnectionError,)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> NoReturn:
        raise ConnectionError

    async def get_sliding_window(self, key: str, expiry: int) -> NoReturn:
        raise ConnectionError


async def test_unreachable_storage_lets_calls_pass() -> None:
    counter = SlidingMinuteCounter(UnreachableStorage(FakeClock()))
    assert await counter.take(KEY, 1000, 1) == 0.0
    await counter.give_back(KEY, 1, 1, 0.0)
    await counter.charge(KEY, 1, 1)


async def test_limits_storage_accepts_a_negative_cost() -> None:
    """Giving back relies on negative costs, which `limits` does not document; this checks the library's own storage."""
    storage = MemoryStorage()
    limiter, limit = SlidingWindowCounterRateLimiter(storage), RateLimitItemPerMinute(10)
    assert await limiter.hit(limit, KEY, cost=10)
    assert not await limiter.hit(limit, KEY, cost=1)
    assert await limiter.hit(limit, KEY, cost=-4)
    assert (await limiter.get_window_stats(limit, KEY)).remaining == 4
    assert await limiter.hit(limit, KEY, cost=4)
    assert not await limiter.hit(limit, KEY, cost=1)


async def test_counter_works_on_other_limits_storage() -> None:
    """A storage shared by several processes would work the same way. `MemoryStorage` reads the system clock."""
    counter = SlidingMinuteCounter(MemoryStorage())
    assert await counter.take(KEY, 10, 10) == 0.0
    assert 6 <= await counter.take(KEY, 1, 10) <= 66
    await counter.give_back(KEY, 1000, 10, 0.0)
    assert await counter.take(KEY, 10, 10) == 0.0
    await counter.charge(KEY, 5, 10)
    await counter.give_back(KEY, 5, 10, 0.0)
    assert await counter.take(KEY, 1, 10) > 0


async def test_ratelimit_extra_builds_counter_on_given_clock() -> None:
    clock = FakeClock()
    counter = build_rate_counter(clock)
    assert await counter.take(KEY, 10, 10) == 0.0
    assert await counter.take(KEY, 1, 10) == pytest.approx(66.0)


def test_missing_ratelimit_extra_is_named_in_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.rate_counter")
    with pytest.raises(ConfigurationError, match=r'pip install "faultmaven\[ratelimit\]"'):
        build_rate_counter(FakeClock())
