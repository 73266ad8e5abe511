"""Property tests over random chains in virtual time: a call ends by its deadline, and a healthy provider answers."""

import asyncio
import os
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultmaven.application.planning.time_shares import RESERVE_SECONDS, TimeShares
from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.policies import Policies
from faultmaven.domain.errors import (
    AuthenticationError,
    LLMError,
    MalformedResponseError,
    ModelNotFoundError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
)
from faultmaven.domain.events import AttemptStarted
from faultmaven.domain.responses import LLMResponse, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.testing.virtual_time import run_in_virtual_time

from .router_harness import HANGS, RouterHarness, Step, TickingClock, route

CHAINS = int(os.environ.get("FAULTMAVEN_CHAINS", "10000"))  # tox.ini runs fewer on the other Python versions
ALLOWED_OVER_DEADLINE = 0.05
USABLE_RESERVE_SHARE = 0.95
"""Usable share of a reserve behind two providers that ignore their timeouts, since each is cut off a little late."""

latencies = st.one_of(st.just(0.0), st.floats(0.001, 1.0), st.floats(1.0, 60.0))
delays = st.one_of(st.none(), st.floats(0.0, 20.0), st.sampled_from([47.0, 3600.0, 1e9]))
failures = st.one_of(
    st.builds(lambda delay: RateLimitError("busy", status=429, retry_after=delay), delays),
    st.builds(lambda delay: ProviderUnavailableError("down", status=503, retry_after=delay), delays),
    st.sampled_from(
        [
            AuthenticationError("no", status=401),
            QuotaExceededError("no", status=402),
            RejectedRequestError("no", status=400),
            ModelNotFoundError("no", status=404),
            MalformedResponseError("html", status=200),
            ProviderTimeoutError("slow", phase="connect"),
        ]
    ),
)
failing_steps = st.one_of(
    st.just(HANGS),
    st.just(replace(HANGS, ignores_timeout=True)),
    st.builds(Step, latencies, failures),
    st.builds(lambda latency: Step(latency, text=" "), latencies),
    st.builds(lambda latency: Step(latency, text="no", stop=StopReason.CONTENT_FILTER), latencies),
)
answering_steps = st.builds(lambda latency: Step(latency, usage=Usage(input=10, output=20)), latencies)
provider_steps = st.lists(st.one_of(failing_steps, answering_steps), min_size=1, max_size=3).map(tuple)
fractions = st.floats(0.0, 1.0)
limit_fields = st.fixed_dictionaries(
    {},
    optional={
        "max_concurrency": st.integers(1, 3),
        "requests_per_minute": st.integers(1, 100),
        "tokens_per_minute": st.integers(100, 100_000),
    },
)


@dataclass(frozen=True)
class Chain:
    """A random chain.

    Attributes:
        providers: Steps and row fields of each provider.
        healthy: Position of the healthy provider, if any.
        calls: Number of concurrent calls.
    """

    providers: tuple[tuple[tuple[Step, ...], dict[str, Any]], ...]
    healthy: int | None
    deadline: float
    calls: int
    random: float
    breaker: bool
    hedge_after: float | None

    @property
    def reserve(self) -> float:
        """Seconds that each of the first three candidates is guaranteed."""
        return min(RESERVE_SECONDS, self.deadline / min(len(self.providers), 3))

    def harness(self) -> RouterHarness:
        routes = [route(f"p{number}", *steps, **fields) for number, (steps, fields) in enumerate(self.providers)]
        window = BreakerPolicy(window=60.0 if self.breaker else 0.0, min_calls=2)
        return RouterHarness(
            routes, Policies(breaker=window), self.deadline, random=lambda: self.random, clock=TickingClock()
        )


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    size = draw(st.integers(1, 5))
    deadline = draw(st.one_of(st.floats(0.05, 5.0), st.floats(5.0, 200.0)))
    healthy = draw(st.one_of(st.none(), st.integers(0, min(size, 3) - 1)))
    reserve = min(RESERVE_SECONDS, deadline / min(size, 3))
    providers = []
    for position in range(size):
        timeout = draw(st.floats(0.5, 120.0))
        fields = {"timeout": timeout, "max_retries": draw(st.integers(0, 4))}
        if position == healthy:
            latency = draw(fractions) * min(timeout, reserve) * USABLE_RESERVE_SHARE
            steps: tuple[Step, ...] = (Step(latency, usage=Usage(input=10, output=20)),)
        else:
            steps = draw(provider_steps)
            fields |= draw(limit_fields)
        providers.append((steps, fields))
    return Chain(
        tuple(providers),
        healthy,
        deadline,
        draw(st.integers(1, 3)),
        draw(st.floats(0.0, 1.0, exclude_max=True)),
        draw(st.booleans()),
        draw(st.one_of(st.none(), st.floats(0.01, 20.0))),
    )


async def timed_call(harness: RouterHarness, number: int, chain: Chain) -> tuple[LLMResponse | LLMError, float]:
    started = harness.clock.monotonic()
    try:
        outcome: LLMResponse | LLMError = await harness.router.generate(
            f"question {number}", hedge_after=chain.hedge_after, max_tokens=50
        )
    except LLMError as error:
        outcome = error
    return outcome, harness.clock.monotonic() - started


async def check_chain(chain: Chain) -> None:
    harness = chain.harness()
    outcomes = await asyncio.gather(*(timed_call(harness, number, chain) for number in range(chain.calls)))
    for outcome, elapsed in outcomes:
        assert elapsed <= chain.deadline + ALLOWED_OVER_DEADLINE
        assert outcome.attempts, "a call without a ledger"
        if isinstance(outcome, LLMResponse):
            assert sum(attempt.kept for attempt in outcome.attempts) == 1
            assert outcome.content.strip()
        elif chain.healthy is not None:
            raise AssertionError(f"{type(outcome).__name__} although {chain.healthy} is healthy: {outcome}")
    for number, provider_route in enumerate(harness.routes):
        assert len(harness.backend(provider_route.name).requests) <= chain.calls * (1 + provider_route.max_retries)
        assert harness.backend(provider_route.name).in_flight == 0
        concurrency = harness.admission.limiter.gate(provider_route)
        assert concurrency is None or concurrency.taken == 0
        if number == chain.healthy:
            for _, timeout in harness.backend(provider_route.name).requests:
                assert timeout >= min(provider_route.timeout, chain.reserve) * USABLE_RESERVE_SHARE
    started = harness.events_of(AttemptStarted)
    assert len(started) == sum(len(harness.backend(provider_route.name).requests) for provider_route in harness.routes)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
def test_call_ends_in_time_with_healthy_answer(part: int) -> None:
    """No call exceeds its deadline or its planned requests, and a healthy provider gets its reserve of time."""

    @settings(
        max_examples=CHAINS // 4,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(chains())
    def check(chain: Chain) -> None:
        run_in_virtual_time(check_chain(chain))

    check()


@given(st.floats(0.01, 1e4), st.integers(1, 8), st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
def test_time_shares_keep_each_promised_reserve(deadline: float, size: int, used: list[float]) -> None:
    """Each of the first three candidates can use its reserve, and no share exceeds the remaining time."""
    shares, remaining = TimeShares(size), deadline
    reserve = min(RESERVE_SECONDS, deadline / min(size, 3))
    for position in range(size):
        share = shares.of(position, remaining)
        assert 0 <= share <= remaining + 1e-9
        if position < 3:
            assert share >= reserve - 1e-6
        remaining -= share * used[position]


def test_chain_check_detects_unreached_healthy_provider() -> None:
    """The check fails for a chain where another provider ends the call before the healthy one."""
    from faultmaven.domain.errors import InvalidRequestError

    stops = (Step(0.1, InvalidRequestError("no")),)
    fields = {"timeout": 30.0, "max_retries": 0}
    chain = Chain(((stops, fields), ((Step(),), fields)), 1, 60.0, 1, 0.5, False, None)
    with pytest.raises(AssertionError, match="although 1 is healthy"):
        run_in_virtual_time(check_chain(chain))
