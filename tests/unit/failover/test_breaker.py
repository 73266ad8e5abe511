"""The circuit breaker: opening, probes and closing. Tests pass the time as an argument."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.resilience.circuit_breaker import LONGEST_OPEN_SECONDS, CallResult, CircuitBreaker

POLICY = BreakerPolicy(window=60.0, min_calls=4, rate=0.5, open_seconds=30.0)
SUCCESS, FAILURE, IGNORED = CallResult.GOOD, CallResult.BAD, CallResult.NOTHING


def breaker_after(*results: CallResult, policy: BreakerPolicy = POLICY, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(policy)
    for result in results:
        assert breaker.enter(now) is False
        breaker.report(result, now, probe=False)
    return breaker


def test_breaker_opens_exactly_at_failure_rate() -> None:
    assert breaker_after(SUCCESS, SUCCESS, SUCCESS, FAILURE).phase(0.0) == "closed"
    assert breaker_after(SUCCESS, SUCCESS, FAILURE, FAILURE).phase(0.0) == "open"


def test_breaker_stays_closed_below_min_calls() -> None:
    assert breaker_after(FAILURE, FAILURE, FAILURE).phase(0.0) == "closed"
    assert breaker_after(FAILURE, FAILURE, FAILURE, FAILURE).phase(0.0) == "open"


def test_breaker_does_not_count_ignored_results() -> None:
    assert breaker_after(*[IGNORED] * 50, FAILURE, FAILURE, FAILURE).phase(0.0) == "closed"


def test_failures_older_than_window_do_not_count() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE)
    breaker.report(FAILURE, 61.0, probe=False)
    assert breaker.phase(61.0) == "closed"


def test_open_breaker_refuses_calls_for_open_seconds() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(29.9) is None
    assert breaker.open_for(10.0) == pytest.approx(20.0)
    assert breaker.phase(30.0) == "half-open"
    assert breaker.enter(30.0) is True


def test_half_open_breaker_admits_one_probe() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(31.0) is True
    assert [breaker.enter(31.0) for _ in range(1000)] == [None] * 1000


def test_successful_probe_closes_breaker_and_resets_counts() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(31.0)
    breaker.report(SUCCESS, 32.0, probe=True)
    assert breaker.phase(32.0) == "closed"
    for _ in range(3):
        breaker.report(FAILURE, 32.0, probe=False)
    assert breaker.phase(32.0) == "closed"


def test_failed_probe_reopens_the_breaker() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(31.0)
    breaker.report(FAILURE, 33.0, probe=True)
    assert breaker.enter(62.9) is None
    assert breaker.enter(63.0) is True


def test_cancelled_probe_passes_to_next_call() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(31.0)
    breaker.report(IGNORED, 31.0, probe=True)
    assert breaker.enter(31.0) is True


def test_late_results_do_not_change_open_breaker() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    for result in (SUCCESS, FAILURE):
        breaker.report(result, 10.0, probe=False)
    assert breaker.open_for(10.0) == pytest.approx(20.0)


def test_retry_after_extends_open_time_within_bounds() -> None:
    for retry_after, expected in ((45.0, 45.0), (5.0, 30.0), (1e9, LONGEST_OPEN_SECONDS)):
        breaker = CircuitBreaker(POLICY)
        for _ in range(4):
            breaker.report(FAILURE, 0.0, probe=False, retry_after=retry_after)
        assert breaker.open_for(0.0) == pytest.approx(expected)


def test_zero_window_turns_breaker_off() -> None:
    assert breaker_after(*[FAILURE] * 100, policy=BreakerPolicy(window=0.0)).phase(0.0) == "closed"


def test_last_resort_call_probes_open_breaker_early() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    assert breaker.enter(0.9, last_resort=True) is None
    assert breaker.enter(1.0, last_resort=True) is True
    assert breaker.enter(1.0, last_resort=True) is None


def test_failed_early_probes_come_at_longer_intervals() -> None:
    """A provider that is down gets few probes while the breaker is open."""
    breaker, probe_times, now = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE), list[float](), 0.0
    while now < 120.0:
        if breaker.enter(now, last_resort=True):
            probe_times.append(now)
            breaker.report(FAILURE, now, probe=True)
        now += 0.5
    assert probe_times == [1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0]
    breaker.enter(121.0, last_resort=True)
    breaker.report(SUCCESS, 121.0, probe=True)
    for _ in range(4):
        breaker.report(FAILURE, 121.0, probe=False)
    assert breaker.enter(122.0, last_resort=True)


def test_phase_changes_are_reported_with_seconds() -> None:
    changes: list[tuple[str, float]] = []
    breaker = CircuitBreaker(POLICY, lambda phase, seconds: changes.append((phase, seconds)))
    for _ in range(4):
        breaker.report(FAILURE, 0.0, probe=False)
    assert breaker.enter(31.0)
    breaker.report(SUCCESS, 31.0, probe=True)
    assert changes == [("open", 30.0), ("half-open", 0.0), ("closed", 0.0)]


async def test_end_of_probe_wakes_waiting_calls() -> None:
    breaker = breaker_after(FAILURE, FAILURE, FAILURE, FAILURE)
    await breaker.wait_for_probe()  # returns at once: no probe is in flight
    assert breaker.enter(31.0)
    waiters = [asyncio.create_task(breaker.wait_for_probe()) for _ in range(1000)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiters[1:])
    breaker.report(SUCCESS, 31.0, probe=True)
    await asyncio.gather(*waiters[1:])


@given(st.lists(st.sampled_from([SUCCESS, FAILURE, IGNORED]), max_size=60), st.integers(1, 20), st.floats(0.05, 1.0))
def test_breaker_opens_exactly_when_counts_reach_policy(results: list[CallResult], min_calls: int, rate: float) -> None:
    breaker = CircuitBreaker(BreakerPolicy(window=1000.0, min_calls=min_calls, rate=rate))
    successes = failures = 0
    for result in results:
        successes, failures = successes + (result is SUCCESS), failures + (result is FAILURE)
        breaker.report(result, 0.0, probe=False)
        is_open = result is FAILURE and successes + failures >= min_calls and failures / (successes + failures) >= rate
        assert (breaker.phase(0.0) == "open") is is_open
        if is_open:
            break
