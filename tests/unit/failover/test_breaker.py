"""The circuit breaker: when it opens, whom it lets through, how it closes. Time is told to it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.resilience.circuit_breaker import LONGEST_OPEN_SECONDS, CallResult, CircuitBreaker

POLICY = BreakerPolicy(window=60.0, min_calls=4, rate=0.5, open_seconds=30.0)
GOOD, BAD, NOTHING = CallResult.GOOD, CallResult.BAD, CallResult.NOTHING


def breaker_after(*results: CallResult, policy: BreakerPolicy = POLICY, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(policy)
    for result in results:
        assert breaker.enter(now) is False
        breaker.report(result, now, probe=False)
    return breaker


def test_it_opens_at_the_rate_and_not_below() -> None:
    assert breaker_after(GOOD, GOOD, GOOD, BAD).phase(0.0) == "closed"
    assert breaker_after(GOOD, GOOD, BAD, BAD).phase(0.0) == "open"


def test_it_stays_closed_below_the_minimum_of_calls() -> None:
    assert breaker_after(BAD, BAD, BAD).phase(0.0) == "closed"
    assert breaker_after(BAD, BAD, BAD, BAD).phase(0.0) == "open"


def test_calls_that_tell_nothing_count_for_nothing() -> None:
    assert breaker_after(*[NOTHING] * 50, BAD, BAD, BAD).phase(0.0) == "closed"


def test_failures_that_are_older_than_the_window_count_no_more() -> None:
    breaker = breaker_after(BAD, BAD, BAD)
    breaker.report(BAD, 61.0, probe=False)
    assert breaker.phase(61.0) == "closed"


def test_an_open_one_lets_nothing_through_until_its_time() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(29.9) is None
    assert breaker.open_for(10.0) == pytest.approx(20.0)
    assert breaker.phase(30.0) == "half-open"
    assert breaker.enter(30.0) is True


def test_half_open_lets_one_probe_through_and_no_other() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(31.0) is True
    assert [breaker.enter(31.0) for _ in range(1000)] == [None] * 1000


def test_a_good_probe_closes_it_and_forgets_what_was() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(31.0)
    breaker.report(GOOD, 32.0, probe=True)
    assert breaker.phase(32.0) == "closed"
    for _ in range(3):
        breaker.report(BAD, 32.0, probe=False)
    assert breaker.phase(32.0) == "closed"


def test_a_bad_probe_opens_it_anew() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(31.0)
    breaker.report(BAD, 33.0, probe=True)
    assert breaker.enter(62.9) is None
    assert breaker.enter(63.0) is True


def test_a_cancelled_probe_leaves_its_place_to_the_next() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(31.0)
    breaker.report(NOTHING, 31.0, probe=True)
    assert breaker.enter(31.0) is True


def test_a_call_from_before_the_opening_changes_nothing_after_it() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    for result in (GOOD, BAD):
        breaker.report(result, 10.0, probe=False)
    assert breaker.open_for(10.0) == pytest.approx(20.0)


def test_the_vendors_own_delay_extends_it_within_bounds() -> None:
    for asked, expected in ((45.0, 45.0), (5.0, 30.0), (1e9, LONGEST_OPEN_SECONDS)):
        breaker = CircuitBreaker(POLICY)
        for _ in range(4):
            breaker.report(BAD, 0.0, probe=False, retry_after=asked)
        assert breaker.open_for(0.0) == pytest.approx(expected)


def test_a_window_of_zero_turns_it_off() -> None:
    assert breaker_after(*[BAD] * 100, policy=BreakerPolicy(window=0.0)).phase(0.0) == "closed"


def test_a_last_resort_is_probed_although_it_is_not_due() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    assert breaker.enter(0.9, last_resort=True) is None
    assert breaker.enter(1.0, last_resort=True) is True
    assert breaker.enter(1.0, last_resort=True) is None


def test_early_probes_that_fail_come_at_ever_longer_intervals() -> None:
    """A vendor that is down is asked a few times while its breaker is open, and not by everybody."""
    breaker, asked, now = breaker_after(BAD, BAD, BAD, BAD), list[float](), 0.0
    while now < 120.0:
        if breaker.enter(now, last_resort=True):
            asked.append(now)
            breaker.report(BAD, now, probe=True)
        now += 0.5
    assert asked == [1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0]
    breaker.enter(121.0, last_resort=True)
    breaker.report(GOOD, 121.0, probe=True)
    for _ in range(4):
        breaker.report(BAD, 121.0, probe=False)
    assert breaker.enter(122.0, last_resort=True)


def test_every_change_is_told_with_its_seconds() -> None:
    told: list[tuple[str, float]] = []
    breaker = CircuitBreaker(POLICY, lambda phase, seconds: told.append((phase, seconds)))
    for _ in range(4):
        breaker.report(BAD, 0.0, probe=False)
    assert breaker.enter(31.0)
    breaker.report(GOOD, 31.0, probe=True)
    assert told == [("open", 30.0), ("half-open", 0.0), ("closed", 0.0)]


async def test_those_who_wait_for_the_probe_wake_when_it_ends() -> None:
    breaker = breaker_after(BAD, BAD, BAD, BAD)
    await breaker.wait_for_probe()  # there is none: at once
    assert breaker.enter(31.0)
    waiting = [asyncio.create_task(breaker.wait_for_probe()) for _ in range(1000)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting[1:])
    breaker.report(GOOD, 31.0, probe=True)
    await asyncio.gather(*waiting[1:])


@given(st.lists(st.sampled_from([GOOD, BAD, NOTHING]), max_size=60), st.integers(1, 20), st.floats(0.05, 1.0))
def test_it_opens_exactly_when_the_counts_say_so(results: list[CallResult], min_calls: int, rate: float) -> None:
    breaker = CircuitBreaker(BreakerPolicy(window=1000.0, min_calls=min_calls, rate=rate))
    good = bad = 0
    for result in results:
        good, bad = good + (result is GOOD), bad + (result is BAD)
        breaker.report(result, 0.0, probe=False)
        is_open = result is BAD and good + bad >= min_calls and bad / (good + bad) >= rate
        assert (breaker.phase(0.0) == "open") is is_open
        if is_open:
            break
