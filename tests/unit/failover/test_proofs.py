"""Proofs over random chains in virtual time: whatever fails, a call ends in time and reaches whoever is healthy."""

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

from .house import HANGS, House, Step, TickingClock, route

CHAINS = int(os.environ.get("FAULTMAVEN_CHAINS", "10000"))  # tox.ini wants all of them of one Python
ALLOWED_OVER_DEADLINE = 0.05
LEFT_BY_THE_DEAF = 0.95
"""A provider that does not keep its time is cut off a little later; so much of a reserve is left behind two of them."""

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
    st.just(replace(HANGS, deaf=True)),
    st.builds(Step, latencies, failures),
    st.builds(lambda latency: Step(latency, text=" "), latencies),
    st.builds(lambda latency: Step(latency, text="no", stop=StopReason.CONTENT_FILTER), latencies),
)
answers = st.builds(lambda latency: Step(latency, usage=Usage(input=10, output=20)), latencies)
steps_of_anyone = st.lists(st.one_of(failing_steps, answers), min_size=1, max_size=3).map(tuple)
fractions = st.floats(0.0, 1.0)
limits = st.fixed_dictionaries(
    {},
    optional={
        "max_concurrency": st.integers(1, 3),
        "requests_per_minute": st.integers(1, 100),
        "tokens_per_minute": st.integers(100, 100_000),
    },
)


@dataclass(frozen=True)
class Chain:
    """A random chain: for each provider its steps, row fields and whether it is healthy."""

    providers: tuple[tuple[tuple[Step, ...], dict[str, Any]], ...]
    healthy: int | None
    deadline: float
    calls: int
    chance: float
    breaker: bool
    hedge_after: float | None

    @property
    def reserve(self) -> float:
        """What each of the first three is promised."""
        return min(RESERVE_SECONDS, self.deadline / min(len(self.providers), 3))

    def house(self) -> House:
        routes = [route(f"p{number}", *steps, **fields) for number, (steps, fields) in enumerate(self.providers)]
        window = BreakerPolicy(window=60.0 if self.breaker else 0.0, min_calls=2)
        return House(routes, Policies(breaker=window), self.deadline, chance=lambda: self.chance, clock=TickingClock())


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
            latency = draw(fractions) * min(timeout, reserve) * LEFT_BY_THE_DEAF
            steps: tuple[Step, ...] = (Step(latency, usage=Usage(input=10, output=20)),)
        else:
            steps = draw(steps_of_anyone)
            fields |= draw(limits)
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


async def one_call(house: House, number: int, chain: Chain) -> tuple[LLMResponse | LLMError, float]:
    started = house.clock.monotonic()
    try:
        outcome: LLMResponse | LLMError = await house.router.generate(
            f"question {number}", hedge_after=chain.hedge_after, max_tokens=50
        )
    except LLMError as error:
        outcome = error
    return outcome, house.clock.monotonic() - started


async def play(chain: Chain) -> None:
    house = chain.house()
    outcomes = await asyncio.gather(*(one_call(house, number, chain) for number in range(chain.calls)))
    for outcome, elapsed in outcomes:
        assert elapsed <= chain.deadline + ALLOWED_OVER_DEADLINE
        assert outcome.attempts, "a call without a ledger"
        if isinstance(outcome, LLMResponse):
            assert sum(line.kept for line in outcome.attempts) == 1
            assert outcome.content.strip()
        elif chain.healthy is not None:
            raise AssertionError(f"{type(outcome).__name__} although {chain.healthy} is healthy: {outcome}")
    for number, entry in enumerate(house.routes):
        assert len(house.backend(entry.name).asked) <= chain.calls * (1 + entry.max_retries)
        assert house.backend(entry.name).under_way == 0
        gate = house.traffic.limiter.gate(entry)
        assert gate is None or gate.taken == 0
        if number == chain.healthy:
            for _, timeout in house.backend(entry.name).asked:
                assert timeout >= min(entry.timeout, chain.reserve) * LEFT_BY_THE_DEAF
    started = house.told(AttemptStarted)
    assert len(started) == sum(len(house.backend(entry.name).asked) for entry in house.routes)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
def test_a_call_ends_in_time_and_a_healthy_provider_among_the_first_three_answers(part: int) -> None:
    """Never over the deadline, never more requests than planned, and whoever is healthy gets its reserve of time."""

    @settings(
        max_examples=CHAINS // 4,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(chains())
    def proof(chain: Chain) -> None:
        run_in_virtual_time(play(chain))

    proof()


@given(st.floats(0.01, 1e4), st.integers(1, 8), st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
def test_a_reserve_once_promised_is_kept(deadline: float, size: int, used: list[float]) -> None:
    """Whatever share of its time each one uses, each of the first three may use its own reserve, and nobody more than
    there is."""
    shares, remaining = TimeShares(size), deadline
    reserve = min(RESERVE_SECONDS, deadline / min(size, 3))
    for position in range(size):
        share = shares.of(position, remaining)
        assert 0 <= share <= remaining + 1e-9
        if position < 3:
            assert share >= reserve - 1e-6
        remaining -= share * used[position]


def test_an_unsound_router_is_found_out() -> None:
    """The proof can fail: a chain whose healthy provider is behind one that ends the call breaks it."""
    from faultmaven.domain.errors import InvalidRequestError

    stops = (Step(0.1, InvalidRequestError("no")),)
    fields = {"timeout": 30.0, "max_retries": 0}
    chain = Chain(((stops, fields), ((Step(),), fields)), 1, 60.0, 1, 0.5, False, None)
    with pytest.raises(AssertionError, match="although 1 is healthy"):
        run_in_virtual_time(play(chain))
