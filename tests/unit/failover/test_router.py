"""Router failover in virtual time: retries, deadlines, circuit breakers, limits, acceptance and hedging."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.application.policies.acceptance import AcceptancePolicy
from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.errors import DEFAULT_ERROR_POLICY, Reaction
from faultmaven.application.policies.policies import Policies
from faultmaven.application.resilience.admission import MAX_TARGETS
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

from .router_harness import HANGS, SUCCESS, RouterHarness, Step, TickingClock, route

DOWN = Step(0.1, ProviderUnavailableError("down", status=503))
QUICK_BREAKER = Policies(breaker=BreakerPolicy(window=60.0, min_calls=4, rate=0.5, open_seconds=30.0))
NO_BREAKER = Policies(breaker=BreakerPolicy(window=0.0))


def in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on an event loop in virtual time."""

    def run(**arguments: Any) -> None:
        run_in_virtual_time(test(**arguments))  # type: ignore[arg-type]

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__dict__.update(test.__dict__)
    run.__signature__ = __import__("inspect").signature(test)  # type: ignore[attr-defined]
    return run


async def generate(harness: RouterHarness, prompt: str = "ping", **options: Any) -> LLMResponse:
    return await harness.router.generate(prompt, **options)


async def generate_error(harness: RouterHarness, prompt: str = "ping", **options: Any) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await harness.router.generate(prompt, **options)
    return caught.value


def attempt_outcomes(source: LLMResponse | LLMError | CallFailed) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.outcome) for attempt in source.attempts]


# --- retries ---------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_transient_failure_is_retried_at_same_provider() -> None:
    harness = RouterHarness([route("a", DOWN, DOWN, SUCCESS, max_retries=3), route("b")])
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "ProviderUnavailableError")] * 2 + [("a", "answered")]
    # full jitter at one half: 0.25 s, then 0.5 s
    assert [attempt.waited for attempt in response.attempts] == pytest.approx([0.0, 0.25, 0.5])
    assert [event.delay for event in harness.events_of(RetryScheduled)] == [0.25, 0.5]


@in_virtual_time
async def test_latest_retry_after_sets_the_delay() -> None:
    limited = [Step(0.1, RateLimitError("busy", retry_after=seconds)) for seconds in (3.0, 5.0)]
    harness = RouterHarness([route("a", *limited, SUCCESS, max_retries=3)])
    response = await generate(harness)
    assert [attempt.waited for attempt in response.attempts] == pytest.approx([0.0, 3.0, 5.0])


@in_virtual_time
async def test_long_retry_after_falls_back_at_once() -> None:
    harness = RouterHarness(
        [route("a", Step(0.1, RateLimitError("busy", retry_after=47.0)), max_retries=3), route("b")]
    )
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "RateLimitError"), ("b", "answered")]
    assert harness.clock.monotonic() == pytest.approx(0.6)


@in_virtual_time
async def test_last_provider_retry_waits_within_deadline() -> None:
    steps = Step(0.1, RateLimitError("busy", retry_after=47.0)), SUCCESS
    response = await generate(RouterHarness([route("a", *steps, max_retries=1)]))
    assert [attempt.waited for attempt in response.attempts] == [0.0, 47.0]
    error = await generate_error(RouterHarness([route("a", *steps, max_retries=1)]), deadline=40.0)
    assert isinstance(error, RateLimitError)


@in_virtual_time
async def test_absurd_retry_after_fails_at_once() -> None:
    harness = RouterHarness(
        [route("a", Step(0.1, RateLimitError("busy", retry_after=9e9)), max_retries=3)], deadline=1e6
    )
    error = await generate_error(harness)
    assert isinstance(error, RateLimitError)
    assert harness.clock.monotonic() == pytest.approx(0.1)


@in_virtual_time
async def test_timed_out_provider_is_retried_after_others() -> None:
    harness = RouterHarness(
        [route("a", HANGS, timeout=5.0, max_retries=2), route("b", HANGS, SUCCESS, timeout=5.0, max_retries=2)]
    )
    response = await generate(harness)
    assert attempt_outcomes(response) == [
        ("a", "ProviderTimeoutError"),
        ("b", "ProviderTimeoutError"),
        ("a", "ProviderTimeoutError"),
        ("b", "answered"),
    ]


@in_virtual_time
async def test_postponed_provider_is_retried_after_others_fail() -> None:
    """The second provider has a wrong key. The first provider only hung, and has retries and time left."""
    wrong_key = Step(0.1, AuthenticationError("no", status=401))
    harness = RouterHarness([route("a", HANGS, SUCCESS, timeout=5.0, max_retries=2), route("b", wrong_key)])
    assert attempt_outcomes(await generate(harness)) == [
        ("a", "ProviderTimeoutError"),
        ("b", "AuthenticationError"),
        ("a", "answered"),
    ]
    busy = Step(0.1, RateLimitError("busy", retry_after=20.0))
    harness = RouterHarness([route("a", busy, SUCCESS, max_retries=1), route("b", wrong_key)])
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "RateLimitError"), ("b", "AuthenticationError"), ("a", "answered")]
    # The delay of the vendor applies, less the time that has passed since.
    assert response.attempts[2].waited == pytest.approx(19.9)


@in_virtual_time
async def test_postponed_retry_respects_retry_after_and_backoff() -> None:
    unavailable = Step(0.1, ProviderUnavailableError("down", status=503, retry_after=20.0))
    harness = RouterHarness([route("a", unavailable, max_retries=1), route("b", unavailable, max_retries=1)])
    await generate_error(harness)
    request_times = [[when for when, _ in harness.backend(name).requests] for name in "ab"]
    assert request_times == [[0.0, pytest.approx(20.1)], [pytest.approx(0.1), pytest.approx(20.2)]]
    too_long = Step(0.1, RateLimitError("busy", retry_after=100.0))
    harness = RouterHarness([route("a", too_long, max_retries=1), route("b", Step(0.1, AuthenticationError("no")))])
    started = harness.clock.monotonic()
    await generate_error(harness, deadline=60.0)
    assert harness.clock.monotonic() - started == pytest.approx(0.2)
    assert [event.reason for event in harness.events_of(RetryRefused)] == [
        "a wait of 99.9 s does not fit into the remaining time"
    ]


@in_virtual_time
async def test_postponed_providers_retry_by_earliest_delay() -> None:
    slow_retry, quick_retry = (
        Step(0.1, ProviderUnavailableError("down", status=503, retry_after=seconds)) for seconds in (60.0, 10.0)
    )
    harness = RouterHarness([route("a", slow_retry, max_retries=1), route("b", quick_retry, SUCCESS, max_retries=1)])
    response = await generate(harness)
    assert [attempt.provider for attempt in response.attempts] == ["a", "b", "b"]
    assert harness.clock.monotonic() == pytest.approx(10.7)


@in_virtual_time
async def test_unused_retry_takes_no_retry_budget() -> None:
    harness = RouterHarness([route("a", HANGS, timeout=1.0, max_retries=3), route("b")], NO_BREAKER)
    for number in range(30):
        assert (await generate(harness, f"question {number}")).provider == "b"
    assert sum(harness.admission.may_retry("a") for _ in range(100)) >= 10


@in_virtual_time
async def test_rejected_request_probes_no_open_breaker() -> None:
    wrong = Step(0.1, RejectedRequestError("no", status=400))
    harness = RouterHarness([route("down", *[DOWN] * 4, HANGS), route("b", *[SUCCESS] * 4, wrong)], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    await asyncio.sleep(2.0)
    started = harness.clock.monotonic()
    error = await generate_error(harness)
    assert harness.clock.monotonic() - started == pytest.approx(0.1)
    assert isinstance(error, AllProvidersFailedError)
    assert [type(cause) for cause in error.causes] == [CircuitOpenError, RejectedRequestError]


@in_virtual_time
async def test_provider_attempts_never_exceed_max_retries() -> None:
    harness = RouterHarness(
        [route("a", HANGS, timeout=2.0, max_retries=2), route("b", HANGS, timeout=2.0, max_retries=1)]
    )
    await generate_error(harness)
    assert [len(harness.backend(name).requests) for name in "ab"] == [3, 2]


@pytest.mark.parametrize("kind", [AuthenticationError, QuotaExceededError, RejectedRequestError, ContentBlockedError])
@in_virtual_time
async def test_permanent_error_is_never_retried(kind: type[LLMError]) -> None:
    harness = RouterHarness([route("a", Step(0.1, kind("no")), max_retries=5), route("b")])
    assert attempt_outcomes(await generate(harness)) == [("a", kind.__name__), ("b", "answered")]


@in_virtual_time
async def test_malformed_reply_is_retried_once() -> None:
    harness = RouterHarness([route("a", Step(0.1, MalformedResponseError("html")), max_retries=5), route("b")])
    assert [provider for provider, _ in attempt_outcomes(await generate(harness))] == ["a", "a", "b"]


@in_virtual_time
async def test_retries_stop_at_provider_retry_budget() -> None:
    harness = RouterHarness([route("a", DOWN, max_retries=3), route("b")], NO_BREAKER)
    responses = await asyncio.gather(*(generate(harness, f"question {n}") for n in range(100)))
    assert {response.provider for response in responses} == {"b"}
    # 100 first attempts, 10 free retries, and retries for a fifth of the calls
    assert len(harness.backend("a").requests) == 100 + 10 + 20
    assert {event.reason for event in harness.events_of(RetryRefused)} == {"the provider's retry budget is used up"}


@in_virtual_time
async def test_final_error_counts_attempts_and_seconds() -> None:
    harness = RouterHarness(
        [route("a", DOWN, max_retries=1), route("b", Step(0.2, AuthenticationError("no", status=401)))]
    )
    error = await generate_error(harness)
    assert isinstance(error, AllProvidersFailedError)
    assert "ProviderUnavailableError after 0.45 s and 2 attempts: a" in str(error)
    assert "AuthenticationError after 0.20 s: b" in str(error)


# --- the deadline ----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_hung_providers_leave_reserve_for_next() -> None:
    harness = RouterHarness([route(name, HANGS, timeout=200.0) for name in "abcd"])
    error = await generate_error(harness)
    assert isinstance(error, DeadlineExceededError)
    shares = [event.timeout for event in harness.events_of(AttemptStarted)]
    assert shares == pytest.approx([100.0, 10.0, 10.0])
    assert harness.clock.monotonic() == pytest.approx(120.0)


@in_virtual_time
async def test_unused_time_passes_to_next_candidate() -> None:
    harness = RouterHarness([route("a", DOWN, timeout=200.0), route("b", HANGS, timeout=200.0), route("c")])
    await generate(harness)
    assert [event.timeout for event in harness.events_of(AttemptStarted)] == pytest.approx([100.0, 109.9, 10.0])


@in_virtual_time
async def test_waits_and_retries_count_against_deadline() -> None:
    harness = RouterHarness([route("a", DOWN, max_retries=50)], NO_BREAKER)
    error = await generate_error(harness, deadline=3.0)
    assert harness.clock.monotonic() <= 3.0 + 1e-6
    assert len(error.attempts) > 2


@in_virtual_time
async def test_explained_shares_match_attempt_timeouts() -> None:
    harness = RouterHarness(
        [route(name, HANGS, timeout=timeout) for name, timeout in (("a", 60.0), ("b", 30.0), ("c", 60.0))]
    )
    planned = harness.router.explain("ping")
    await generate_error(harness)
    started = [(event.provider, event.timeout) for event in harness.events_of(AttemptStarted)]
    expected = [(c.route.name, min(c.timeout, c.share)) for c in planned.candidates]
    assert started[:3] == [(name, pytest.approx(seconds)) for name, seconds in expected]


# --- the breaker -----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_failing_provider_is_skipped_until_recovery() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, SUCCESS), route("b")], QUICK_BREAKER)
    for _ in range(4):
        assert (await generate(harness)).provider == "b"
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "CircuitOpenError"), ("b", "answered")]
    assert len(harness.backend("a").requests) == 4
    assert "circuit breaker open for" in harness.router.explain("ping").skipped[0].reason
    await asyncio.sleep(30.0)
    assert (await generate(harness)).provider == "a"
    assert [event.phase for event in harness.events_of(BreakerChanged)] == ["open", "half-open", "closed"]
    assert harness.events_of(ProviderSkipped)[0].reason.startswith("circuit breaker open for")


@in_virtual_time
async def test_thousand_waiting_calls_send_one_probe() -> None:
    slow_probe = Step(3.0)
    harness = RouterHarness([route("a", *[DOWN] * 4, slow_probe, SUCCESS)], QUICK_BREAKER)
    for _ in range(4):
        await generate_error(harness)
    await asyncio.sleep(31.0)
    calls = [asyncio.create_task(generate(harness, f"question {n}")) for n in range(1000)]
    await asyncio.sleep(2.0)
    assert len(harness.backend("a").requests) == 5
    responses = await asyncio.gather(*calls)
    assert len(responses) == 1000
    assert len(harness.backend("a").requests) == 4 + 1000


@in_virtual_time
async def test_failed_probe_fails_all_waiting_calls() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, Step(3.0, ProviderUnavailableError("still down")))], QUICK_BREAKER)
    for _ in range(4):
        await generate_error(harness)
    await asyncio.sleep(31.0)
    errors = await asyncio.gather(*(generate_error(harness) for _ in range(1000)))
    assert len(harness.backend("a").requests) == 5
    refused = [error for error in errors if isinstance(error, CircuitOpenError)]
    assert len(refused) == 999
    assert all(error.attempts and error.retry_after for error in refused)


@in_virtual_time
async def test_cancelled_probe_passes_to_next_waiting_call() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, HANGS, SUCCESS)], QUICK_BREAKER)
    for _ in range(4):
        await generate_error(harness)
    await asyncio.sleep(31.0)
    probe = asyncio.create_task(generate(harness))
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(generate(harness)) for _ in range(10)]
    await asyncio.sleep(0.1)
    probe.cancel()
    assert len(await asyncio.gather(*waiting)) == 10


@in_virtual_time
async def test_call_with_fallback_skips_probe_wait() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, HANGS), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    await asyncio.sleep(31.0)
    probe = asyncio.create_task(generate(harness))
    await asyncio.sleep(0.1)
    started = harness.clock.monotonic()
    assert (await generate(harness)).provider == "b"
    assert harness.clock.monotonic() - started == pytest.approx(0.5)
    probe.cancel()


@in_virtual_time
async def test_last_resort_is_probed_after_a_second() -> None:
    """While every provider is unavailable, one call probes after a second, before the breaker turns half-open."""
    harness = RouterHarness([route("a", *[DOWN] * 4, SUCCESS)], QUICK_BREAKER)
    for _ in range(4):
        await generate_error(harness)
    assert isinstance(await generate_error(harness), CircuitOpenError)
    await asyncio.sleep(1.0)
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "answered")]
    assert harness.events_of(BreakerChanged)[-1].phase == "closed"


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
@in_virtual_time
async def test_caller_faults_and_limits_open_no_breaker(error: LLMError) -> None:
    harness = RouterHarness([route("a", Step(0.1, error))], QUICK_BREAKER)
    for _ in range(20):
        await generate_error(harness)
        await asyncio.sleep(61.0)  # until the announced rate limit has passed
    assert harness.events_of(BreakerChanged) == []
    assert len(harness.backend("a").requests) == 20


@in_virtual_time
async def test_cancellations_and_short_deadlines_open_no_breaker() -> None:
    harness = RouterHarness([route("a", HANGS, timeout=30.0), route("b")], QUICK_BREAKER)
    for _ in range(10):
        call = asyncio.create_task(generate(harness))
        await asyncio.sleep(1.0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await generate(harness, deadline=2.0)).provider == "b"
    assert harness.events_of(BreakerChanged) == []


@in_virtual_time
async def test_hung_provider_opens_breaker_under_default_deadline() -> None:
    harness = RouterHarness([route("a", HANGS, timeout=200.0), route("b")], QUICK_BREAKER)
    for _ in range(4):
        assert (await generate(harness)).provider == "b"
    # Four calls take longer than the window of the policy.
    assert harness.admission.availability(harness.routes[0], "a-model", 0).phase == "closed"
    long_window = replace(QUICK_BREAKER, breaker=replace(QUICK_BREAKER.breaker, window=1000.0))
    harness = RouterHarness([route("a", HANGS, timeout=200.0), route("b")], long_window)
    for _ in range(4):
        await generate(harness)
    assert attempt_outcomes(await generate(harness))[0] == ("a", "CircuitOpenError")


@in_virtual_time
async def test_hung_provider_opens_breaker_on_ticking_clock() -> None:
    policies = Policies(breaker=replace(QUICK_BREAKER.breaker, window=10_000.0))
    clock = TickingClock()
    hung = route("a", HANGS, clock=clock, timeout=120.0)
    harness = RouterHarness([hung, route("b", clock=clock)], policies, clock=clock)
    for _ in range(4):
        assert (await generate(harness)).provider == "b"
    assert attempt_outcomes(await generate(harness))[0] == ("a", "CircuitOpenError")


@in_virtual_time
async def test_reload_applies_breaker_policy_at_once() -> None:
    harness = RouterHarness([route("a", DOWN), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    assert harness.router.explain("ping").skipped
    harness.configuration = replace(harness.configuration, policies=NO_BREAKER)
    assert attempt_outcomes(await generate(harness))[0] == ("a", "ProviderUnavailableError")


@in_virtual_time
async def test_invented_models_do_not_evict_open_breaker() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, SUCCESS), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    for number in range(3 * MAX_TARGETS):
        harness.admission._breaker(("a", f"invented-{number}"))
    assert len(harness.admission._breakers) <= MAX_TARGETS
    assert attempt_outcomes(await generate(harness))[0] == ("a", "CircuitOpenError")


@in_virtual_time
async def test_open_breaker_respects_retry_after() -> None:
    down = Step(0.1, ProviderUnavailableError("down", status=503, retry_after=90.0))
    harness = RouterHarness([route("a", down), route("b")], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    assert harness.events_of(BreakerChanged)[0].seconds == 90.0


@in_virtual_time
async def test_each_model_has_a_separate_breaker() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, SUCCESS)], QUICK_BREAKER)
    for _ in range(4):
        await generate_error(harness, model="bad-model")
    assert attempt_outcomes(await generate(harness)) == [("a", "answered")]


# --- limits ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_max_concurrency_bounds_calls_in_flight() -> None:
    harness = RouterHarness([route("a", Step(0.1), max_concurrency=5)])
    responses = await asyncio.gather(*(generate(harness, f"question {n}") for n in range(50)))
    assert (len(responses), harness.backend("a").max_in_flight) == (50, 5)
    concurrency = harness.admission.limiter.concurrency(harness.routes[0])
    assert concurrency is not None
    assert concurrency.taken == 0


@in_virtual_time
async def test_slow_provider_never_blocks_another_provider() -> None:
    harness = RouterHarness([route("slow", Step(60.0), max_concurrency=1, timeout=100.0), route("b")])
    first = asyncio.create_task(generate(harness))
    await asyncio.sleep(0.1)
    started = harness.clock.monotonic()
    responses = await asyncio.gather(*(generate(harness, f"question {n}") for n in range(20)))
    assert {response.provider for response in responses} == {"b"}
    assert harness.clock.monotonic() - started < 3.0
    assert attempt_outcomes(responses[0]) == [("slow", "LimitReachedError"), ("b", "answered")]
    assert (await first).provider == "slow"


@in_virtual_time
async def test_full_queue_refuses_call_at_once() -> None:
    harness = RouterHarness([route("a", Step(60.0), max_concurrency=1, timeout=100.0)])
    calls = [asyncio.create_task(generate(harness, f"question {n}")) for n in range(11)]
    await asyncio.sleep(0.1)
    assert "the queue is full" in str(harness.router.explain("ping"))
    error = await generate_error(harness)
    assert isinstance(error, LimitReachedError)
    assert attempt_outcomes(error) == [("a", "LimitReachedError")]
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    concurrency = harness.admission.limiter.concurrency(harness.routes[0])
    assert concurrency is not None
    assert concurrency.taken == 0


@in_virtual_time
async def test_requests_per_minute_spill_to_next_provider() -> None:
    harness = RouterHarness([route("a", requests_per_minute=3), route("b")])
    responses = await asyncio.gather(*(generate(harness, f"question {n}") for n in range(5)))
    assert sorted(response.provider for response in responses) == ["a", "a", "a", "b", "b"]
    spilled = next(response for response in responses if response.provider == "b")
    assert "limit: the row's limit per minute is used up" in str(harness.router.explain("ping"))
    assert spilled.attempts[0].outcome == "LimitReachedError"
    assert "used up" in spilled.attempts[0].error


@in_virtual_time
async def test_call_waits_for_only_rate_limited_provider() -> None:
    harness = RouterHarness([route("a", requests_per_minute=2)], deadline=200.0)
    responses = [await generate(harness, f"question {n}") for n in range(3)]
    assert responses[2].attempts[0].waited > 1.0
    error = await generate_error(harness, deadline=5.0)
    assert isinstance(error, LimitReachedError)
    assert error.retry_after


@in_virtual_time
async def test_tokens_are_reserved_settled_and_refunded() -> None:
    used = Step(0.1, usage=Usage(input=10, output=10))
    failed = Step(0.1, AuthenticationError("no", status=401))
    harness = RouterHarness([route("a", failed, HANGS, used, tokens_per_minute=2000, timeout=30.0)])
    await generate_error(harness, max_tokens=1500)  # refunded
    call = asyncio.create_task(generate(harness, max_tokens=1500))
    await asyncio.sleep(0.1)
    call.cancel()  # refunded too
    await asyncio.gather(call, return_exceptions=True)
    started = harness.clock.monotonic()
    for _ in range(10):
        await generate(harness, max_tokens=1500)  # each settles at 20 tokens
    assert harness.clock.monotonic() - started == pytest.approx(1.0)


@in_virtual_time
async def test_announced_rate_limit_skips_the_provider() -> None:
    harness = RouterHarness([route("a", Step(0.1, RateLimitError("busy", retry_after=20.0)), SUCCESS), route("b")])
    assert (await generate(harness)).provider == "b"
    response = await generate(harness)
    assert attempt_outcomes(response) == [("a", "LimitReachedError"), ("b", "answered")]
    assert len(harness.backend("a").requests) == 1
    await asyncio.sleep(20.0)
    assert (await generate(harness)).provider == "a"


@in_virtual_time
async def test_busy_provider_is_retried_after_others_fail() -> None:
    harness = RouterHarness([route("busy", Step(5.0), max_concurrency=1, timeout=100.0), route("b", DOWN)])
    first, second = asyncio.create_task(generate(harness, "one")), asyncio.create_task(generate(harness, "two"))
    await asyncio.gather(first, second)
    assert attempt_outcomes(second.result()) == [
        ("busy", "LimitReachedError"),
        ("b", "ProviderUnavailableError"),
        ("busy", "answered"),
    ]


@in_virtual_time
async def test_unavailable_provider_is_probed_after_others_fail() -> None:
    harness = RouterHarness([route("a", *[DOWN] * 4, SUCCESS), route("b", *[SUCCESS] * 4, DOWN)], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    await asyncio.sleep(1.0)
    assert "a: circuit breaker open for 28.5 s more; tried if all others fail" in str(harness.router.explain("ping"))
    response = await generate(harness)
    assert attempt_outcomes(response) == [
        ("a", "CircuitOpenError"),
        ("b", "ProviderUnavailableError"),
        ("a", "answered"),
    ]


@in_virtual_time
async def test_final_error_names_each_provider_once() -> None:
    harness = RouterHarness([route("a", DOWN), route("b", *[SUCCESS] * 4, DOWN)], QUICK_BREAKER)
    for _ in range(4):
        await generate(harness)
    await asyncio.sleep(1.0)
    error = await generate_error(harness)
    assert isinstance(error, AllProvidersFailedError)
    assert [(cause.provider, type(cause)) for cause in error.causes] == [
        ("b", ProviderUnavailableError),
        ("a", ProviderUnavailableError),
    ]


# --- acceptance ------------------------------------------------------------------------------------------------------

EMPTY = Step(text=" ")
TRUNCATED = Step(text="half of", stop=StopReason.MAX_TOKENS, usage=Usage(input=5, output=2))
REFUSED = Step(text="I can't", stop=StopReason.CONTENT_FILTER)
PROSE = Step(text="certainly: {")
UNSURE = Step(text="perhaps", confidence=0.2)
DEFECTS: dict[str, tuple[Step, str]] = {
    "empty": (EMPTY, "EmptyAnswerError"),
    "truncated": (TRUNCATED, "TruncatedAnswerError"),
    "refused": (REFUSED, "ContentBlockedError"),
    "invalid": (PROSE, "InvalidAnswerError"),
    "unsure": (UNSURE, "LowConfidenceError"),
}
OPTIONS: dict[str, Any] = {"min_output_tokens": 50, "response_format": {"type": "object"}}
GOOD_JSON = Step(text='{"a": 1}')


def options_for(defect: str) -> dict[str, Any]:
    return {"min_output_tokens": 50} if defect == "truncated" else OPTIONS if defect == "invalid" else {}


@pytest.mark.parametrize("defect", DEFECTS)
@in_virtual_time
async def test_unacceptable_answer_falls_back(defect: str) -> None:
    step, outcome = DEFECTS[defect]
    harness = RouterHarness([route("a", step), route("b", GOOD_JSON)], Policies(confidence_threshold=0.5))
    response = await generate(harness, **options_for(defect))
    assert attempt_outcomes(response) == [("a", outcome), ("b", "answered")]
    assert [attempt.kept for attempt in response.attempts] == [False, True]


@pytest.mark.parametrize("defect", DEFECTS)
@in_virtual_time
async def test_acceptance_policy_can_accept_each_defect(defect: str) -> None:
    step, outcome = DEFECTS[defect]
    policies = Policies(acceptance=AcceptancePolicy(**{defect: "accept"}), confidence_threshold=0.5)  # type: ignore[arg-type]
    harness = RouterHarness([route("a", step), route("b", GOOD_JSON)], policies)
    response = await generate(harness, **options_for(defect))
    assert (response.provider, response.attempts[0].kept) == ("a", True)
    assert attempt_outcomes(response) == [("a", outcome)]
    assert response.attempts[0].error


@pytest.mark.parametrize("defect", DEFECTS)
@in_virtual_time
async def test_acceptance_policy_can_raise_each_defect(defect: str) -> None:
    step, outcome = DEFECTS[defect]
    policies = Policies(acceptance=AcceptancePolicy(**{defect: "raise"}), confidence_threshold=0.5)  # type: ignore[arg-type]
    harness = RouterHarness([route("a", step, max_retries=3), route("b", GOOD_JSON)], policies)
    error = await generate_error(harness, **options_for(defect))
    assert type(error).__name__ == outcome
    assert error.response is not None
    assert error.response.content == step.text
    assert harness.backend("b").requests == []


@in_virtual_time
async def test_best_defective_answer_is_returned_with_reason() -> None:
    harness = RouterHarness([route("a", TRUNCATED), route("b", EMPTY), route("c", DOWN)])
    response = await generate(harness, min_output_tokens=50)
    assert (response.content, response.provider) == ("half of", "a")
    kept = [attempt for attempt in response.attempts if attempt.kept]
    assert [(attempt.provider, attempt.error) for attempt in kept] == [
        ("a", "the answer was cut below min_output_tokens=50")
    ]


@in_virtual_time
async def test_low_confidence_answer_beats_truncated_answer() -> None:
    harness = RouterHarness([route("a", TRUNCATED), route("b", UNSURE)], Policies(confidence_threshold=0.5))
    assert (await generate(harness, min_output_tokens=50)).content == "perhaps"


@pytest.mark.parametrize(
    ("step", "kind"), [(EMPTY, EmptyAnswerError), (REFUSED, ContentBlockedError), (PROSE, InvalidAnswerError)]
)
@in_virtual_time
async def test_unusable_answer_is_raised_with_response(step: Step, kind: type[LLMError]) -> None:
    error = await generate_error(RouterHarness([route("a", step)]), **(OPTIONS if step is PROSE else {}))
    assert type(error) is kind
    assert error.response is not None


@in_virtual_time
async def test_pydantic_model_validates_and_parses_answer() -> None:
    import pydantic

    class Cause(pydantic.BaseModel):
        cause: str

    harness = RouterHarness([route("a", Step(text='{"cause": 1}')), route("b", Step(text='{"cause": "OOM"}'))])
    response = await generate(harness, response_format=Cause)
    assert response.parsed == Cause(cause="OOM")
    assert attempt_outcomes(response)[0] == ("a", "InvalidAnswerError")


@in_virtual_time
async def test_host_error_policy_decides_the_fallback() -> None:
    policy = {**DEFAULT_ERROR_POLICY, RejectedRequestError: Reaction()}
    harness = RouterHarness([route("a", Step(0.1, RejectedRequestError("no"))), route("b")], Policies(errors=policy))
    assert isinstance(await generate_error(harness), RejectedRequestError)
    assert harness.backend("b").requests == []


# --- hedging ---------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_hedge_wins_over_slow_first_provider() -> None:
    harness = RouterHarness([route("slow", Step(20.0), timeout=60.0), route("quick", Step(1.0))])
    response = await generate(harness, hedge_after=2.0)
    assert response.provider == "quick"
    assert harness.clock.monotonic() == pytest.approx(3.0)
    assert attempt_outcomes(response) == [("slow", "cancelled"), ("quick", "answered")]
    assert [(event.provider, event.successor, event.delay) for event in harness.events_of(HedgeStarted)] == [
        ("slow", "quick", 2.0)
    ]
    assert harness.backend("slow").in_flight == 0


@in_virtual_time
async def test_quick_answer_starts_no_hedge() -> None:
    harness = RouterHarness([route("a", Step(1.0)), route("b")])
    assert attempt_outcomes(await generate(harness, hedge_after=2.0)) == [("a", "answered")]
    assert harness.backend("b").requests == []


@in_virtual_time
async def test_quick_failure_falls_back_without_hedge() -> None:
    harness = RouterHarness([route("a", DOWN), route("b")])
    assert attempt_outcomes(await generate(harness, hedge_after=2.0)) == [
        ("a", "ProviderUnavailableError"),
        ("b", "answered"),
    ]
    assert harness.events_of(HedgeStarted) == []
    assert len(harness.events_of(FellBack)) == 1


@in_virtual_time
async def test_slow_provider_wins_after_failed_hedge() -> None:
    harness = RouterHarness([route("slow", Step(5.0), timeout=60.0), route("b", DOWN), route("c")])
    response = await generate(harness, hedge_after=1.0)
    assert attempt_outcomes(response) == [("slow", "answered"), ("b", "ProviderUnavailableError")]


@in_virtual_time
async def test_third_provider_follows_two_hedged_failures() -> None:
    late = Step(3.0, ProviderUnavailableError("late"))
    harness = RouterHarness([route("a", late), route("b", late), route("c")])
    response = await generate(harness, hedge_after=1.0)
    assert [provider for provider, _ in attempt_outcomes(response)] == ["a", "b", "c"]
    assert [(event.provider, event.successor) for event in harness.events_of(FellBack)] == [("b", "c")]


@in_virtual_time
async def test_final_error_cancels_the_hedge() -> None:
    policies = Policies(acceptance=AcceptancePolicy(refused="raise"))
    for first, kind in ((REFUSED, ContentBlockedError), (Step(error=InvalidRequestError("no")), InvalidRequestError)):
        harness = RouterHarness([route("a", replace(first, latency=2.0)), route("b", HANGS)], policies)
        started = harness.clock.monotonic()
        error = await generate_error(harness, hedge_after=1.0)
        assert type(error) is kind
        assert harness.clock.monotonic() - started == pytest.approx(2.0)
        assert attempt_outcomes(error)[1] == ("b", "cancelled")


@in_virtual_time
async def test_role_hedges_by_configuration() -> None:
    harness = RouterHarness([route("slow", Step(20.0), timeout=60.0), route("b")], Policies(hedge_after={"chat": 1.0}))
    assert (await generate(harness)).provider == "b"


@in_virtual_time
async def test_cancelled_hedged_call_cancels_both_attempts() -> None:
    harness = RouterHarness([route("a", HANGS, max_concurrency=1), route("b", HANGS, max_concurrency=1)])
    call = asyncio.create_task(generate(harness, hedge_after=1.0))
    await asyncio.sleep(2.0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [harness.backend(name).in_flight for name in "ab"] == [0, 0]
    limiters = [harness.admission.limiter.concurrency(route) for route in harness.routes]
    assert [concurrency.taken for concurrency in limiters if concurrency] == [0, 0]
    failed = harness.events_of(CallFailed)[-1]
    assert (failed.reason, attempt_outcomes(failed)) == ("cancelled", [("a", "cancelled"), ("b", "cancelled")])


@in_virtual_time
async def test_call_cancelled_while_waiting_records_attempt() -> None:
    harness = RouterHarness([route("a", HANGS, max_concurrency=1, timeout=1000.0)], deadline=1000.0)
    first = asyncio.create_task(generate(harness, "one"))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(generate(harness, "two"))
    await asyncio.sleep(5.0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    (attempt,) = harness.events_of(CallFailed)[0].attempts
    assert (attempt.provider, attempt.outcome, attempt.waited, attempt.duration) == (
        "a",
        "cancelled",
        pytest.approx(5.0),
        0.0,
    )
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    harness = RouterHarness([route("a", Step(0.1, RateLimitError("busy", retry_after=20.0)), max_retries=3)])
    backing_off = asyncio.create_task(generate(harness))
    await asyncio.sleep(5.0)
    backing_off.cancel()
    await asyncio.gather(backing_off, return_exceptions=True)
    assert attempt_outcomes(harness.events_of(CallFailed)[0]) == [("a", "RateLimitError"), ("a", "cancelled")]
