"""What happens when providers fail: retries, breakers, limits, acceptance, hedging, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.application.policies.acceptance import AcceptancePolicy
from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.errors import DEFAULT_ERROR_POLICY, Reaction
from faultmaven.application.policies.policies import Policies
from faultmaven.application.resilience.admission import MOST_TARGETS
from faultmaven.domain.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    CircuitOpenError,
    ContentBlockedError,
    DeadlineExceededError,
    EmptyAnswerError,
    InvalidAnswerError,
    InvalidRequestError,
    LimitReachedError,
    LLMError,
    MalformedResponseError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
)
from faultmaven.domain.events import (
    AttemptStarted,
    BreakerChanged,
    CallFailed,
    FellBack,
    HedgeStarted,
    ProviderSkipped,
    RetryRefused,
    RetryScheduled,
)
from faultmaven.domain.responses import LLMResponse, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.testing import run_in_virtual_time

from .house import HANGS, WELL, House, Step, TickingClock, route

DOWN = Step(0.1, ProviderUnavailableError("down", status=503))
QUICK_BREAKER = Policies(breaker=BreakerPolicy(window=60.0, min_calls=4, rate=0.5, open_seconds=30.0))
NO_BREAKER = Policies(breaker=BreakerPolicy(window=0.0))


def virtually(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on an event loop in virtual time."""

    def run(**arguments: Any) -> None:
        run_in_virtual_time(test(**arguments))  # type: ignore[arg-type]

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__dict__.update(test.__dict__)
    run.__signature__ = __import__("inspect").signature(test)  # type: ignore[attr-defined]
    return run


async def ask(house: House, prompt: str = "ping", **options: Any) -> LLMResponse:
    return await house.router.generate(prompt, **options)


async def failing(house: House, prompt: str = "ping", **options: Any) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await house.router.generate(prompt, **options)
    return caught.value


def ledger(source: LLMResponse | LLMError) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in source.attempts]


# --- retries ---------------------------------------------------------------------------------------------------------


@virtually
async def test_a_passing_failure_is_retried_at_the_same_provider() -> None:
    house = House([route("a", DOWN, DOWN, WELL, max_retries=3), route("b")])
    response = await ask(house)
    assert ledger(response) == [("a", "ProviderUnavailableError")] * 2 + [("a", "answered")]
    # full jitter at one half: 0.25 s, then 0.5 s
    assert [line.waited for line in response.attempts] == pytest.approx([0.0, 0.25, 0.5])
    assert [event.delay for event in house.told(RetryScheduled)] == [0.25, 0.5]


@virtually
async def test_the_newest_retry_after_wins() -> None:
    limited = [Step(0.1, RateLimitError("busy", retry_after=seconds)) for seconds in (3.0, 5.0)]
    house = House([route("a", *limited, WELL, max_retries=3)])
    response = await ask(house)
    assert [line.waited for line in response.attempts] == pytest.approx([0.0, 3.0, 5.0])


@virtually
async def test_a_wait_that_is_too_long_falls_back_at_once() -> None:
    house = House([route("a", Step(0.1, RateLimitError("busy", retry_after=47.0)), max_retries=3), route("b")])
    response = await ask(house)
    assert ledger(response) == [("a", "RateLimitError"), ("b", "answered")]
    assert house.clock.monotonic() == pytest.approx(0.6)


@virtually
async def test_the_last_provider_is_waited_for_as_long_as_the_deadline_allows() -> None:
    steps = Step(0.1, RateLimitError("busy", retry_after=47.0)), WELL
    response = await ask(House([route("a", *steps, max_retries=1)]))
    assert [line.waited for line in response.attempts] == [0.0, 47.0]
    error = await failing(House([route("a", *steps, max_retries=1)]), deadline=40.0)
    assert isinstance(error, RateLimitError)


@virtually
async def test_an_absurd_retry_after_ends_the_call_at_once() -> None:
    house = House([route("a", Step(0.1, RateLimitError("busy", retry_after=9e9)), max_retries=3)], deadline=1e6)
    error = await failing(house)
    assert isinstance(error, RateLimitError)
    assert house.clock.monotonic() == pytest.approx(0.1)


@virtually
async def test_a_timed_out_attempt_is_repeated_only_after_everybody_else_was_asked() -> None:
    house = House([route("a", HANGS, timeout=5.0, max_retries=2), route("b", HANGS, WELL, timeout=5.0, max_retries=2)])
    response = await ask(house)
    assert ledger(response) == [
        ("a", "ProviderTimeoutError"),
        ("b", "ProviderTimeoutError"),
        ("a", "ProviderTimeoutError"),
        ("b", "answered"),
    ]


@virtually
async def test_who_was_given_up_for_others_comes_again_when_they_have_failed() -> None:
    """The second provider has a wrong key: the first one, which only hung, has retries left and time to use them."""
    wrong_key = Step(0.1, AuthenticationError("no", status=401))
    house = House([route("a", HANGS, WELL, timeout=5.0, max_retries=2), route("b", wrong_key)])
    assert ledger(await ask(house)) == [
        ("a", "ProviderTimeoutError"),
        ("b", "AuthenticationError"),
        ("a", "answered"),
    ]
    busy = Step(0.1, RateLimitError("busy", retry_after=20.0))
    house = House([route("a", busy, WELL, max_retries=1), route("b", wrong_key)])
    response = await ask(house)
    assert ledger(response) == [("a", "RateLimitError"), ("b", "AuthenticationError"), ("a", "answered")]
    # The vendor's own delay is kept, less what passed since.
    assert response.attempts[2].waited == pytest.approx(19.9)


@virtually
async def test_who_comes_again_keeps_to_the_vendors_delay_and_to_its_backoff() -> None:
    unavailable = Step(0.1, ProviderUnavailableError("down", status=503, retry_after=20.0))
    house = House([route("a", unavailable, max_retries=1), route("b", unavailable, max_retries=1)])
    await failing(house)
    asked = [[when for when, _ in house.backend(name).asked] for name in "ab"]
    assert asked == [[0.0, pytest.approx(20.1)], [pytest.approx(0.1), pytest.approx(20.2)]]
    too_long = Step(0.1, RateLimitError("busy", retry_after=100.0))
    house = House([route("a", too_long, max_retries=1), route("b", Step(0.1, AuthenticationError("no")))])
    started = house.clock.monotonic()
    await failing(house, deadline=60.0)
    assert house.clock.monotonic() - started == pytest.approx(0.2)
    assert [event.reason for event in house.told(RetryRefused)] == ["a wait of 99.9 s does not fit"]


@virtually
async def test_who_may_be_asked_sooner_comes_again_sooner() -> None:
    patient, hasty = (Step(0.1, ProviderUnavailableError("down", status=503, retry_after=s)) for s in (60.0, 10.0))
    house = House([route("a", patient, max_retries=1), route("b", hasty, WELL, max_retries=1)])
    response = await ask(house)
    assert [line.provider for line in response.attempts] == ["a", "b", "b"]
    assert house.clock.monotonic() == pytest.approx(10.7)


@virtually
async def test_a_turn_that_never_comes_takes_nothing_from_the_budget() -> None:
    house = House([route("a", HANGS, timeout=1.0, max_retries=3), route("b")], NO_BREAKER)
    for number in range(30):
        assert (await ask(house, f"question {number}")).provider == "b"
    assert sum(house.traffic.may_retry("a") for _ in range(100)) >= 10


@virtually
async def test_a_request_that_is_found_wrong_wakes_nobody_who_is_ill() -> None:
    wrong = Step(0.1, RejectedRequestError("no", status=400))
    house = House([route("ill", *[DOWN] * 4, HANGS), route("b", *[WELL] * 4, wrong)], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    await asyncio.sleep(2.0)
    started = house.clock.monotonic()
    error = await failing(house)
    assert house.clock.monotonic() - started == pytest.approx(0.1)
    assert isinstance(error, AllProvidersFailedError)
    assert [type(cause) for cause in error.causes] == [CircuitOpenError, RejectedRequestError]


@virtually
async def test_nobody_is_asked_more_often_than_its_retries_allow() -> None:
    house = House([route("a", HANGS, timeout=2.0, max_retries=2), route("b", HANGS, timeout=2.0, max_retries=1)])
    await failing(house)
    assert [len(house.backend(name).asked) for name in "ab"] == [3, 2]


@pytest.mark.parametrize("kind", [AuthenticationError, QuotaExceededError, RejectedRequestError, ContentBlockedError])
@virtually
async def test_what_never_succeeds_is_never_retried(kind: type[LLMError]) -> None:
    house = House([route("a", Step(0.1, kind("no")), max_retries=5), route("b")])
    assert ledger(await ask(house)) == [("a", kind.__name__), ("b", "answered")]


@virtually
async def test_a_malformed_reply_is_retried_once() -> None:
    house = House([route("a", Step(0.1, MalformedResponseError("html")), max_retries=5), route("b")])
    assert [provider for provider, _ in ledger(await ask(house))] == ["a", "a", "b"]


@virtually
async def test_retries_stop_when_the_providers_budget_is_used_up() -> None:
    house = House([route("a", DOWN, max_retries=3), route("b")], NO_BREAKER)
    responses = await asyncio.gather(*(ask(house, f"question {n}") for n in range(100)))
    assert {response.provider for response in responses} == {"b"}
    # 100 calls, and 10 free retries and a fifth of the calls
    assert len(house.backend("a").asked) == 100 + 10 + 20
    assert {event.reason for event in house.told(RetryRefused)} == {"the provider's retry budget is used up"}


@virtually
async def test_all_failures_say_how_often_and_how_long_each_was_asked() -> None:
    house = House([route("a", DOWN, max_retries=1), route("b", Step(0.2, AuthenticationError("no", status=401)))])
    error = await failing(house)
    assert isinstance(error, AllProvidersFailedError)
    assert "ProviderUnavailableError after 0.45 s and 2 attempts: a" in str(error)
    assert "AuthenticationError after 0.20 s: b" in str(error)


# --- the deadline ----------------------------------------------------------------------------------------------------


@virtually
async def test_hung_providers_leave_the_next_their_reserve() -> None:
    house = House([route(name, HANGS, timeout=200.0) for name in "abcd"])
    error = await failing(house)
    assert isinstance(error, DeadlineExceededError)
    shares = [event.timeout for event in house.told(AttemptStarted)]
    assert shares == pytest.approx([100.0, 10.0, 10.0])
    assert house.clock.monotonic() == pytest.approx(120.0)


@virtually
async def test_unused_time_flows_on() -> None:
    house = House([route("a", DOWN, timeout=200.0), route("b", HANGS, timeout=200.0), route("c")])
    await ask(house)
    assert [event.timeout for event in house.told(AttemptStarted)] == pytest.approx([100.0, 109.9, 10.0])


@virtually
async def test_waits_and_retries_count_against_the_deadline() -> None:
    house = House([route("a", DOWN, max_retries=50)], NO_BREAKER)
    error = await failing(house, deadline=3.0)
    assert house.clock.monotonic() <= 3.0 + 1e-6
    assert len(error.attempts) > 2


@virtually
async def test_the_plan_says_what_the_call_does() -> None:
    house = House([route(name, HANGS, timeout=timeout) for name, timeout in (("a", 60.0), ("b", 30.0), ("c", 60.0))])
    planned = house.router.explain("ping")
    await failing(house)
    started = [(event.provider, event.timeout) for event in house.told(AttemptStarted)]
    expected = [(c.route.name, min(c.timeout, c.share)) for c in planned.candidates]
    assert started[:3] == [(name, pytest.approx(seconds)) for name, seconds in expected]


# --- the breaker -----------------------------------------------------------------------------------------------------


@virtually
async def test_a_provider_that_keeps_failing_is_left_alone_and_comes_back_by_itself() -> None:
    house = House([route("a", *[DOWN] * 4, WELL), route("b")], QUICK_BREAKER)
    for _ in range(4):
        assert (await ask(house)).provider == "b"
    response = await ask(house)
    assert ledger(response) == [("a", "CircuitOpenError"), ("b", "answered")]
    assert len(house.backend("a").asked) == 4
    assert "breaker open for" in house.router.explain("ping").skipped[0].reason
    await asyncio.sleep(30.0)
    assert (await ask(house)).provider == "a"
    assert [event.phase for event in house.told(BreakerChanged)] == ["open", "half-open", "closed"]
    assert house.told(ProviderSkipped)[0].reason.startswith("breaker open for")


@virtually
async def test_a_thousand_waiters_at_half_open_send_one_probe() -> None:
    slow_probe = Step(3.0)
    house = House([route("a", *[DOWN] * 4, slow_probe, WELL)], QUICK_BREAKER)
    for _ in range(4):
        await failing(house)
    await asyncio.sleep(31.0)
    calls = [asyncio.create_task(ask(house, f"question {n}")) for n in range(1000)]
    await asyncio.sleep(2.0)
    assert len(house.backend("a").asked) == 5
    responses = await asyncio.gather(*calls)
    assert len(responses) == 1000
    assert len(house.backend("a").asked) == 4 + 1000


@virtually
async def test_a_probe_that_fails_fails_all_who_waited_for_it() -> None:
    house = House([route("a", *[DOWN] * 4, Step(3.0, ProviderUnavailableError("still down")))], QUICK_BREAKER)
    for _ in range(4):
        await failing(house)
    await asyncio.sleep(31.0)
    errors = await asyncio.gather(*(failing(house) for _ in range(1000)))
    assert len(house.backend("a").asked) == 5
    refused = [error for error in errors if isinstance(error, CircuitOpenError)]
    assert len(refused) == 999
    assert all(error.attempts and error.retry_after for error in refused)


@virtually
async def test_a_probe_that_is_cancelled_leaves_its_place_to_one_who_waits() -> None:
    house = House([route("a", *[DOWN] * 4, HANGS, WELL)], QUICK_BREAKER)
    for _ in range(4):
        await failing(house)
    await asyncio.sleep(31.0)
    probe = asyncio.create_task(ask(house))
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(ask(house)) for _ in range(10)]
    await asyncio.sleep(0.1)
    probe.cancel()
    assert len(await asyncio.gather(*waiting)) == 10


@virtually
async def test_callers_with_another_provider_do_not_wait_for_a_probe() -> None:
    house = House([route("a", *[DOWN] * 4, HANGS), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    await asyncio.sleep(31.0)
    probe = asyncio.create_task(ask(house))
    await asyncio.sleep(0.1)
    started = house.clock.monotonic()
    assert (await ask(house)).provider == "b"
    assert house.clock.monotonic() - started == pytest.approx(0.5)
    probe.cancel()


@virtually
async def test_the_last_resort_is_probed_by_one_call_at_a_time() -> None:
    """Nobody is well: rather than refuse everybody until the breaker is due, one call tries after a second."""
    house = House([route("a", *[DOWN] * 4, WELL)], QUICK_BREAKER)
    for _ in range(4):
        await failing(house)
    assert isinstance(await failing(house), CircuitOpenError)
    await asyncio.sleep(1.0)
    response = await ask(house)
    assert ledger(response) == [("a", "answered")]
    assert house.told(BreakerChanged)[-1].phase == "closed"


@pytest.mark.parametrize(
    "error",
    [
        RejectedRequestError("no", status=400),
        AuthenticationError("no", status=401),
        RateLimitError("busy", status=429, retry_after=99.0),
        InvalidRequestError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
@virtually
async def test_the_callers_mistakes_and_the_vendors_limits_open_no_breaker(error: LLMError) -> None:
    house = House([route("a", Step(0.1, error))], QUICK_BREAKER)
    for _ in range(20):
        await failing(house)
        await asyncio.sleep(61.0)  # until an announced limit is over
    assert house.told(BreakerChanged) == []
    assert len(house.backend("a").asked) == 20


@virtually
async def test_cancellations_and_a_callers_short_deadline_open_no_breaker() -> None:
    house = House([route("a", HANGS, timeout=30.0), route("b")], QUICK_BREAKER)
    for _ in range(10):
        call = asyncio.create_task(ask(house))
        await asyncio.sleep(1.0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await ask(house, deadline=2.0)).provider == "b"
    assert house.told(BreakerChanged) == []


@virtually
async def test_a_hung_provider_opens_its_breaker_under_the_usual_deadline() -> None:
    house = House([route("a", HANGS, timeout=200.0), route("b")], QUICK_BREAKER)
    for _ in range(4):
        assert (await ask(house)).provider == "b"
    assert (
        house.traffic.standing(house.routes[0], "a-model", 0).phase == "closed"
    )  # four calls take longer than a window
    quick = replace(QUICK_BREAKER, breaker=replace(QUICK_BREAKER.breaker, window=1000.0))
    house = House([route("a", HANGS, timeout=200.0), route("b")], quick)
    for _ in range(4):
        await ask(house)
    assert ledger(await ask(house))[0] == ("a", "CircuitOpenError")


@virtually
async def test_a_hung_provider_opens_its_breaker_on_a_clock_that_ticks() -> None:
    policies = Policies(breaker=replace(QUICK_BREAKER.breaker, window=10_000.0))
    clock = TickingClock()
    hung = route("a", HANGS, clock=clock, timeout=120.0)
    house = House([hung, route("b", clock=clock)], policies, clock=clock)
    for _ in range(4):
        assert (await ask(house)).provider == "b"
    assert ledger(await ask(house))[0] == ("a", "CircuitOpenError")


@virtually
async def test_a_reload_with_another_breaker_policy_counts_at_once() -> None:
    house = House([route("a", DOWN), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    assert house.router.explain("ping").skipped
    house.generation = replace(house.generation, policies=NO_BREAKER)
    assert ledger(await ask(house))[0] == ("a", "ProviderUnavailableError")


@virtually
async def test_callers_cannot_drive_out_an_open_breaker_by_inventing_models() -> None:
    house = House([route("a", *[DOWN] * 4, WELL), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    for number in range(3 * MOST_TARGETS):
        house.traffic._breaker(("a", f"invented-{number}"))
    assert len(house.traffic._breakers) <= MOST_TARGETS
    assert ledger(await ask(house))[0] == ("a", "CircuitOpenError")


@virtually
async def test_an_open_breaker_keeps_to_the_vendors_own_delay() -> None:
    down = Step(0.1, ProviderUnavailableError("down", status=503, retry_after=90.0))
    house = House([route("a", down), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    assert house.told(BreakerChanged)[0].seconds == 90.0


@virtually
async def test_models_of_one_provider_have_breakers_of_their_own() -> None:
    house = House([route("a", *[DOWN] * 4, WELL)], QUICK_BREAKER)
    for _ in range(4):
        await failing(house, model="bad-model")
    assert ledger(await ask(house)) == [("a", "answered")]


# --- limits ----------------------------------------------------------------------------------------------------------


@virtually
async def test_no_more_calls_than_max_concurrency_are_under_way_at_once() -> None:
    house = House([route("a", Step(0.1), max_concurrency=5)])
    responses = await asyncio.gather(*(ask(house, f"question {n}") for n in range(50)))
    assert (len(responses), house.backend("a").most) == (50, 5)
    gate = house.traffic.limiter.gate(house.routes[0])
    assert gate is not None
    assert gate.taken == 0


@virtually
async def test_a_slow_provider_never_blocks_another() -> None:
    house = House([route("slow", Step(60.0), max_concurrency=1, timeout=100.0), route("b")])
    first = asyncio.create_task(ask(house))
    await asyncio.sleep(0.1)
    started = house.clock.monotonic()
    responses = await asyncio.gather(*(ask(house, f"question {n}") for n in range(20)))
    assert {response.provider for response in responses} == {"b"}
    assert house.clock.monotonic() - started < 3.0
    assert ledger(responses[0]) == [("slow", "LimitReachedError"), ("b", "answered")]
    assert (await first).provider == "slow"


@virtually
async def test_a_full_queue_is_said_at_once() -> None:
    house = House([route("a", Step(60.0), max_concurrency=1, timeout=100.0)])
    calls = [asyncio.create_task(ask(house, f"question {n}")) for n in range(11)]
    await asyncio.sleep(0.1)
    assert "and so is the queue" in str(house.router.explain("ping"))
    error = await failing(house)
    assert isinstance(error, LimitReachedError)
    assert ledger(error) == [("a", "LimitReachedError")]
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    gate = house.traffic.limiter.gate(house.routes[0])
    assert gate is not None
    assert gate.taken == 0


@virtually
async def test_requests_per_minute_spill_over_to_the_next() -> None:
    house = House([route("a", requests_per_minute=3), route("b")])
    responses = await asyncio.gather(*(ask(house, f"question {n}") for n in range(5)))
    assert sorted(response.provider for response in responses) == ["a", "a", "a", "b", "b"]
    spilled = next(response for response in responses if response.provider == "b")
    assert "what the row allows in a minute is used up" in str(house.router.explain("ping"))
    assert spilled.attempts[0].outcome == "LimitReachedError"
    assert "used up" in spilled.attempts[0].error


@virtually
async def test_a_single_provider_is_waited_for_when_its_minute_is_used_up() -> None:
    house = House([route("a", requests_per_minute=2)], deadline=200.0)
    responses = [await ask(house, f"question {n}") for n in range(3)]
    assert responses[2].attempts[0].waited > 1.0
    error = await failing(house, deadline=5.0)
    assert isinstance(error, LimitReachedError)
    assert error.retry_after


@virtually
async def test_tokens_are_reserved_settled_and_given_back() -> None:
    used = Step(0.1, usage=Usage(input=10, output=10))
    failed = Step(0.1, AuthenticationError("no", status=401))
    house = House([route("a", failed, HANGS, used, tokens_per_minute=2000, timeout=30.0)])
    await failing(house, max_tokens=1500)  # given back
    call = asyncio.create_task(ask(house, max_tokens=1500))
    await asyncio.sleep(0.1)
    call.cancel()  # given back too
    await asyncio.gather(call, return_exceptions=True)
    started = house.clock.monotonic()
    for _ in range(10):
        await ask(house, max_tokens=1500)  # each settles at 20
    assert house.clock.monotonic() - started == pytest.approx(1.0)


@virtually
async def test_what_the_vendor_announces_is_kept_to() -> None:
    house = House([route("a", Step(0.1, RateLimitError("busy", retry_after=20.0)), WELL), route("b")])
    assert (await ask(house)).provider == "b"
    response = await ask(house)
    assert ledger(response) == [("a", "LimitReachedError"), ("b", "answered")]
    assert len(house.backend("a").asked) == 1
    await asyncio.sleep(20.0)
    assert (await ask(house)).provider == "a"


@virtually
async def test_who_was_too_busy_is_asked_again_when_all_others_have_failed() -> None:
    house = House([route("busy", Step(5.0), max_concurrency=1, timeout=100.0), route("b", DOWN)])
    first, second = asyncio.create_task(ask(house, "one")), asyncio.create_task(ask(house, "two"))
    await asyncio.gather(first, second)
    assert ledger(second.result()) == [
        ("busy", "LimitReachedError"),
        ("b", "ProviderUnavailableError"),
        ("busy", "answered"),
    ]


@virtually
async def test_who_is_ill_is_probed_when_all_others_have_failed() -> None:
    house = House([route("a", *[DOWN] * 4, WELL), route("b", *[WELL] * 4, DOWN)], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    await asyncio.sleep(1.0)
    assert "a: breaker open for 28.5 s more; asked if all others fail" in str(house.router.explain("ping"))
    response = await ask(house)
    assert ledger(response) == [
        ("a", "CircuitOpenError"),
        ("b", "ProviderUnavailableError"),
        ("a", "answered"),
    ]


@virtually
async def test_a_failure_of_all_names_each_provider_once() -> None:
    house = House([route("a", DOWN), route("b", *[WELL] * 4, DOWN)], QUICK_BREAKER)
    for _ in range(4):
        await ask(house)
    await asyncio.sleep(1.0)
    error = await failing(house)
    assert isinstance(error, AllProvidersFailedError)
    assert [(cause.provider, type(cause)) for cause in error.causes] == [
        ("b", ProviderUnavailableError),
        ("a", ProviderUnavailableError),
    ]


# --- acceptance ------------------------------------------------------------------------------------------------------

EMPTY = Step(text=" ")
CUT = Step(text="half of", stop=StopReason.MAX_TOKENS, usage=Usage(input=5, output=2))
REFUSED = Step(text="I can't", stop=StopReason.CONTENT_FILTER)
PROSE = Step(text="certainly: {")
UNSURE = Step(text="perhaps", confidence=0.2)
FACTS: dict[str, tuple[Step, str]] = {
    "empty": (EMPTY, "EmptyAnswerError"),
    "truncated": (CUT, "TruncatedAnswerError"),
    "refused": (REFUSED, "ContentBlockedError"),
    "invalid": (PROSE, "InvalidAnswerError"),
    "unsure": (UNSURE, "LowConfidenceError"),
}
OPTIONS: dict[str, Any] = {"min_output_tokens": 50, "response_format": {"type": "object"}}
GOOD_JSON = Step(text='{"a": 1}')


def options_for(fact: str) -> dict[str, Any]:
    return {"min_output_tokens": 50} if fact == "truncated" else OPTIONS if fact == "invalid" else {}


@pytest.mark.parametrize("fact", FACTS)
@virtually
async def test_an_answer_that_will_not_do_moves_on(fact: str) -> None:
    step, outcome = FACTS[fact]
    house = House([route("a", step), route("b", GOOD_JSON)], Policies(confidence_threshold=0.5))
    response = await ask(house, **options_for(fact))
    assert ledger(response) == [("a", outcome), ("b", "answered")]
    assert [line.kept for line in response.attempts] == [False, True]


@pytest.mark.parametrize("fact", FACTS)
@virtually
async def test_each_fact_can_be_set_to_accept(fact: str) -> None:
    step, outcome = FACTS[fact]
    policies = Policies(acceptance=AcceptancePolicy(**{fact: "accept"}), confidence_threshold=0.5)  # type: ignore[arg-type]
    house = House([route("a", step), route("b", GOOD_JSON)], policies)
    response = await ask(house, **options_for(fact))
    assert (response.provider, response.attempts[0].kept) == ("a", True)
    assert ledger(response) == [("a", outcome)]
    assert response.attempts[0].error


@pytest.mark.parametrize("fact", FACTS)
@virtually
async def test_each_fact_can_be_set_to_raise(fact: str) -> None:
    step, outcome = FACTS[fact]
    policies = Policies(acceptance=AcceptancePolicy(**{fact: "raise"}), confidence_threshold=0.5)  # type: ignore[arg-type]
    house = House([route("a", step, max_retries=3), route("b", GOOD_JSON)], policies)
    error = await failing(house, **options_for(fact))
    assert type(error).__name__ == outcome
    assert error.response is not None
    assert error.response.content == step.text
    assert house.backend("b").asked == []


@virtually
async def test_the_best_answer_so_far_is_returned_with_the_reason_when_nothing_better_comes() -> None:
    house = House([route("a", CUT), route("b", EMPTY), route("c", DOWN)])
    response = await ask(house, min_output_tokens=50)
    assert (response.content, response.provider) == ("half of", "a")
    kept = [line for line in response.attempts if line.kept]
    assert [(line.provider, line.error) for line in kept] == [("a", "the answer was cut below min_output_tokens=50")]


@virtually
async def test_an_answer_of_low_confidence_is_better_than_one_that_is_cut() -> None:
    house = House([route("a", CUT), route("b", UNSURE)], Policies(confidence_threshold=0.5))
    assert (await ask(house, min_output_tokens=50)).content == "perhaps"


@pytest.mark.parametrize(
    ("step", "kind"), [(EMPTY, EmptyAnswerError), (REFUSED, ContentBlockedError), (PROSE, InvalidAnswerError)]
)
@virtually
async def test_what_would_look_like_an_answer_and_is_none_is_raised_with_the_answer(
    step: Step, kind: type[LLMError]
) -> None:
    error = await failing(House([route("a", step)]), **(OPTIONS if step is PROSE else {}))
    assert type(error) is kind
    assert error.response is not None


@virtually
async def test_a_pydantic_model_validates_and_the_object_is_there() -> None:
    import pydantic

    class Cause(pydantic.BaseModel):
        cause: str

    house = House([route("a", Step(text='{"cause": 1}')), route("b", Step(text='{"cause": "OOM"}'))])
    response = await ask(house, response_format=Cause)
    assert response.parsed == Cause(cause="OOM")
    assert ledger(response)[0] == ("a", "InvalidAnswerError")


@virtually
async def test_the_hosts_error_table_decides_who_is_asked_next() -> None:
    table = {**DEFAULT_ERROR_POLICY, RejectedRequestError: Reaction()}
    house = House([route("a", Step(0.1, RejectedRequestError("no"))), route("b")], Policies(errors=table))
    assert isinstance(await failing(house), RejectedRequestError)
    assert house.backend("b").asked == []


# --- hedging ---------------------------------------------------------------------------------------------------------


@virtually
async def test_a_second_provider_starts_when_the_first_is_slow_and_the_first_good_answer_wins() -> None:
    house = House([route("slow", Step(20.0), timeout=60.0), route("quick", Step(1.0))])
    response = await ask(house, hedge_after=2.0)
    assert response.provider == "quick"
    assert house.clock.monotonic() == pytest.approx(3.0)
    assert ledger(response) == [("slow", "cancelled"), ("quick", "answered")]
    assert [(event.provider, event.successor, event.delay) for event in house.told(HedgeStarted)] == [
        ("slow", "quick", 2.0)
    ]
    assert house.backend("slow").under_way == 0


@virtually
async def test_a_first_that_answers_in_time_is_not_hedged() -> None:
    house = House([route("a", Step(1.0)), route("b")])
    assert ledger(await ask(house, hedge_after=2.0)) == [("a", "answered")]
    assert house.backend("b").asked == []


@virtually
async def test_a_first_that_fails_in_time_falls_back_without_a_hedge() -> None:
    house = House([route("a", DOWN), route("b")])
    assert ledger(await ask(house, hedge_after=2.0)) == [("a", "ProviderUnavailableError"), ("b", "answered")]
    assert house.told(HedgeStarted) == []
    assert len(house.told(FellBack)) == 1


@virtually
async def test_a_slow_first_may_still_win_when_the_hedge_fails() -> None:
    house = House([route("slow", Step(5.0), timeout=60.0), route("b", DOWN), route("c")])
    response = await ask(house, hedge_after=1.0)
    assert ledger(response) == [("slow", "answered"), ("b", "ProviderUnavailableError")]


@virtually
async def test_when_both_fail_the_third_is_asked() -> None:
    late = Step(3.0, ProviderUnavailableError("late"))
    house = House([route("a", late), route("b", late), route("c")])
    response = await ask(house, hedge_after=1.0)
    assert [provider for provider, _ in ledger(response)] == ["a", "b", "c"]
    assert [(event.provider, event.successor) for event in house.told(FellBack)] == [("b", "c")]


@virtually
async def test_what_ends_the_call_ends_the_hedge_with_it() -> None:
    policies = Policies(acceptance=AcceptancePolicy(refused="raise"))
    for first, kind in ((REFUSED, ContentBlockedError), (Step(error=InvalidRequestError("no")), InvalidRequestError)):
        house = House([route("a", replace(first, latency=2.0)), route("b", HANGS)], policies)
        started = house.clock.monotonic()
        error = await failing(house, hedge_after=1.0)
        assert type(error) is kind
        assert house.clock.monotonic() - started == pytest.approx(2.0)
        assert ledger(error)[1] == ("b", "cancelled")


@virtually
async def test_a_role_hedges_by_configuration() -> None:
    house = House([route("slow", Step(20.0), timeout=60.0), route("b")], Policies(hedge_after={"chat": 1.0}))
    assert (await ask(house)).provider == "b"


@virtually
async def test_a_hedged_call_that_is_cancelled_leaves_nobody_under_way() -> None:
    house = House([route("a", HANGS, max_concurrency=1), route("b", HANGS, max_concurrency=1)])
    call = asyncio.create_task(ask(house, hedge_after=1.0))
    await asyncio.sleep(2.0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [house.backend(name).under_way for name in "ab"] == [0, 0]
    gates = [house.traffic.limiter.gate(entry) for entry in house.routes]
    assert [gate.taken for gate in gates if gate] == [0, 0]
    failed = house.told(CallFailed)[-1]
    assert (failed.reason, ledger_of(failed)) == ("cancelled", [("a", "cancelled"), ("b", "cancelled")])


@virtually
async def test_a_call_that_ends_while_it_waits_has_its_line_too() -> None:
    house = House([route("a", HANGS, max_concurrency=1, timeout=1000.0)], deadline=1000.0)
    first = asyncio.create_task(ask(house, "one"))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(ask(house, "two"))
    await asyncio.sleep(5.0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    (line,) = house.told(CallFailed)[0].attempts
    assert (line.provider, line.outcome, line.waited, line.duration) == ("a", "cancelled", pytest.approx(5.0), 0.0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    house = House([route("a", Step(0.1, RateLimitError("busy", retry_after=20.0)), max_retries=3)])
    backing_off = asyncio.create_task(ask(house))
    await asyncio.sleep(5.0)
    backing_off.cancel()
    await asyncio.gather(backing_off, return_exceptions=True)
    assert ledger_of(house.told(CallFailed)[0]) == [("a", "RateLimitError"), ("a", "cancelled")]


def ledger_of(event: CallFailed) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in event.attempts]
