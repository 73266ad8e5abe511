"""Rate and concurrency limits: reservations, waits, refunds and bounds, also with a slow counter."""

import asyncio
import threading
from dataclasses import replace

import pytest

from faultmaven.application.resilience.rate_limiter import MAX_PAUSE_SECONDS
from faultmaven.application.resilience.waiters import Waiters
from faultmaven.domain.errors import LimitReachedError
from faultmaven.domain.events import ProviderSkipped
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.optional.rate_counter import MinuteStorage, SlidingMinuteCounter
from faultmaven.testing.virtual_time import VirtualClock

from .router_harness import HANGS, RouterHarness, Step, route
from .test_router import attempt_outcomes, generate, in_virtual_time


class SlowCounter:
    """A remote counter. Each of its `slow_methods` ("take", "give_back") takes 300 seconds."""

    def __init__(self, harness: RouterHarness, *slow_methods: str) -> None:
        self._harness = harness
        self._slow_methods = slow_methods
        self.refunded = 0

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        if "take" in self._slow_methods:
            await self._harness.clock.sleep(300.0)
        return 0.0

    def peek(self, key: str, amount: int, per_minute: int) -> float:
        return 0.0

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        if "give_back" in self._slow_methods:
            await self._harness.clock.sleep(300.0)
        self.refunded += amount

    async def charge(self, key: str, amount: int, per_minute: int) -> None: ...


@in_virtual_time
async def test_slow_counter_skips_only_that_provider() -> None:
    harness = RouterHarness([route("a", tokens_per_minute=1000), route("b")])
    harness._rate_counter = SlowCounter(harness, "take")
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "LimitReachedError"), ("b", "answered")]
    assert "did not answer in time" in response.attempts[0].error
    assert harness.clock.monotonic() == pytest.approx(2.5)


class SlowSubclassCounter(SlidingMinuteCounter):
    """A counter of a host that inherits from the built-in one."""

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        await asyncio.sleep(300.0)
        return await super().take(key, amount, per_minute)


@in_virtual_time
async def test_slow_counter_subclass_is_timed_out() -> None:
    harness = RouterHarness([route("a", requests_per_minute=5), route("b")])
    harness._rate_counter = SlowSubclassCounter(MinuteStorage(harness.clock))
    assert attempt_outcomes(await generate(harness)) == [("a", "LimitReachedError"), ("b", "answered")]


class TimerCountingClock(VirtualClock):
    def __init__(self) -> None:
        self.timers = 0

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        self.timers += 1
        return super().timeout(seconds)


async def count_timers(**limits: int) -> int:
    clock = TimerCountingClock()
    harness = RouterHarness([route("a", clock=clock, **limits)], clock=clock)
    await generate(harness)
    return clock.timers


@in_virtual_time
async def test_free_limits_set_no_timer() -> None:
    all_limits = {"max_concurrency": 1, "requests_per_minute": 5, "tokens_per_minute": 10_000}
    assert await count_timers(**all_limits) == await count_timers()


@in_virtual_time
async def test_slow_refund_delays_call_only_briefly() -> None:
    harness = RouterHarness([route("a", Step(0.5, usage=Usage(input=1, output=1)), tokens_per_minute=10_000)])
    harness._rate_counter = SlowCounter(harness, "give_back")
    await generate(harness)
    assert harness.clock.monotonic() == pytest.approx(1.5)


@in_virtual_time
async def test_twice_cancelled_call_refunds_reserved_tokens() -> None:
    harness = RouterHarness([route("a", HANGS, tokens_per_minute=10_000)])
    harness._rate_counter = counter = SlowCounter(harness)
    call = asyncio.create_task(generate(harness, max_tokens=100))
    await asyncio.sleep(1.0)
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert counter.refunded == 106  # 100 for the answer, 6 for the prompt with its message overhead


@in_virtual_time
async def test_unsent_request_does_not_count() -> None:
    harness = RouterHarness(
        [route("a", Step(30.0), requests_per_minute=3, max_concurrency=1, timeout=60.0), route("b")]
    )
    first = asyncio.create_task(generate(harness, "one"))
    await asyncio.sleep(0.1)
    for number in range(5):  # each waits two seconds for the permit, is not sent and does not count
        assert (await generate(harness, f"question {number}")).provider == "b"
    await first
    assert [(await generate(harness, f"more {number}")).provider for number in range(2)] == ["a", "a"]


@in_virtual_time
async def test_request_over_token_limit_does_not_count() -> None:
    harness = RouterHarness([route("a", Step(0.1), requests_per_minute=2, tokens_per_minute=1000), route("b")])
    assert (await generate(harness, "one", max_tokens=990)).provider == "a"
    first_route = harness.routes[0]
    for _ in range(5):
        with pytest.raises(LimitReachedError):
            await harness.admission.limiter.reserve(first_route, "a-model", 500, max_wait=0.5)
    assert harness.admission.limiter.used_up_for(replace(first_route, tokens_per_minute=None), 0) == 0.0


@in_virtual_time
async def test_tokens_above_the_estimate_are_charged() -> None:
    harness = RouterHarness(
        [route("a", Step(0.1, usage=Usage(input=500, output=5000)), tokens_per_minute=2000), route("b")]
    )
    assert (await generate(harness, "one", max_tokens=10)).provider == "a"
    assert (await generate(harness, "two", max_tokens=10)).provider == "b"


@in_virtual_time
async def test_rate_limited_call_holds_no_permit() -> None:
    harness = RouterHarness([route("a", tokens_per_minute=1000, max_concurrency=1)], deadline=300.0)
    assert (await generate(harness, max_tokens=900)).content
    waiting = asyncio.create_task(generate(harness, "two", max_tokens=900))
    await asyncio.sleep(1.0)
    concurrency = harness.admission.limiter.concurrency(harness.routes[0])
    assert concurrency is not None
    assert concurrency.taken == 0
    assert (await waiting).attempts[0].waited > 1.0


@in_virtual_time
async def test_announced_pause_is_capped_at_a_minute() -> None:
    harness = RouterHarness([route("a"), route("b")])
    harness.admission.limiter.announce(("a", "a-model"), 1e9)
    assert (await generate(harness)).provider == "b"
    await asyncio.sleep(MAX_PAUSE_SECONDS)
    assert (await generate(harness)).provider == "a"


@in_virtual_time
async def test_reload_resizes_the_concurrency_limiter() -> None:
    harness = RouterHarness([route("a", Step(5.0), max_concurrency=1, timeout=60.0)])
    old_route = harness.routes[0]
    early_calls = [asyncio.create_task(generate(harness, f"question {number}")) for number in range(4)]
    await asyncio.sleep(1.0)
    harness.configuration = replace(harness.configuration, routes={"a": replace(old_route, max_concurrency=4)})
    late_call = asyncio.create_task(generate(harness, "late"))
    await asyncio.gather(*early_calls, late_call)  # the early calls release their permits under the new limit
    concurrency = harness.admission.limiter.concurrency(harness.configuration.routes["a"])
    assert concurrency is not None
    assert (concurrency.limit, concurrency.taken) == (4, 0)
    assert harness.clock.monotonic() == pytest.approx(10.0)


@in_virtual_time
async def test_short_deadline_call_waits_for_permit() -> None:
    harness = RouterHarness([route("a", Step(0.05), max_concurrency=1)])
    responses = await asyncio.gather(*(generate(harness, f"question {number}", deadline=1.0) for number in range(5)))
    assert len(responses) == 5


@in_virtual_time
async def test_skipped_provider_is_reported_as_event() -> None:
    harness = RouterHarness([route("a"), route("b")])
    harness.admission.limiter.announce(("a", "a-model"), 30.0)
    await generate(harness)
    (event,) = harness.events_of(ProviderSkipped)
    assert (event.provider, event.model) == ("a", "a-model")
    assert "the vendor accepts no request for 30 s more" in event.reason


async def test_wakeup_of_cancelled_waiter_is_passed_on() -> None:
    """Another thread wakes the waiter, and the waiter is cancelled before its event loop runs again."""
    waiters, lost = Waiters(), list[bool]()
    future = waiters.join()
    thread = threading.Thread(target=lambda: waiters.wake_next(lambda: lost.append(True)))
    thread.start()
    thread.join()  # blocks this event loop meanwhile
    future.cancel()
    await asyncio.sleep(0)
    assert lost == [True]
