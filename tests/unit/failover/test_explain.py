"""`explain`: what would be done, and for everybody else the reason."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultmaven.application.configuration import ConfigurationSnapshot
from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.policies import Policies
from faultmaven.application.router import LLMRouter
from faultmaven.domain.capabilities import Capabilities
from faultmaven.domain.errors import AuthenticationError, ConfigurationError, InvalidRequestError, RateLimitError
from faultmaven.domain.events import AttemptStarted
from faultmaven.testing import run_in_virtual_time

from .house import TEXT, WELL, House, Step, route
from .test_router import DOWN, ask, virtually


def reasons(house: House, prompt: str = "ping", **options: object) -> dict[str, tuple[str, str]]:
    planned = house.router.explain(prompt, **options)  # type: ignore[arg-type]
    return {entry.name: (entry.kind, entry.reason) for entry in planned.skipped}


@virtually
async def test_it_tells_shares_retries_and_models() -> None:
    house = House([route("a", timeout=60.0, max_retries=2), route("b", timeout=30.0, max_retries=1)])
    assert str(house.router.explain("ping", hedge_after=3)).splitlines() == [
        "deadline 120 s for the whole call",
        "hedged: the second is asked beside the first after 3 s",
        "1. a (a-model): share 110 s, each attempt 60 s at most, 2 retries",
        "2. b (b-model): share 60 s, each attempt 30 s at most, 1 retry",
    ]
    assert house.events == []
    assert house.backend("a").asked == []


@virtually
async def test_each_skipped_one_has_its_reason() -> None:
    plain = route("plain", features=frozenset({"turns"}))
    small = route("small", capabilities_for=lambda model: Capabilities(TEXT, context_window=100))
    house = House([route("a"), plain, small, route("outside")])
    chains = {"chat": ("a", "nokey", "plain", "small")}
    missing = {"nokey": "NOKEY_API_KEY is not set", "other": "OTHER_API_KEY is not set"}
    house.generation = replace(house.generation, chains=chains, missing=missing)
    assert reasons(house, "x" * 500, response_format={"type": "object"}) == {
        "nokey": ("not configured", "named in the chain, but NOKEY_API_KEY is not set"),
        "plain": ("capability", "does not take schema"),
        "small": ("context", "context too small: about 382 tokens, and it takes 100"),
        "outside": ("not in the chain", "not in LLM_FALLBACK_CHAIN"),
        "other": ("unconfigured row", "OTHER_API_KEY is not set"),
    }


@virtually
async def test_a_model_of_short_answers_is_left_out_as_long_as_another_is_there() -> None:
    short = route("short", capabilities_for=lambda model: Capabilities(TEXT, max_output=100))
    shorter = route("shorter", capabilities_for=lambda model: Capabilities(TEXT, max_output=50))
    house = House([short, shorter, route("a")])
    told = {
        "short": ("context", "its answers are too short: 101 tokens, and it gives 100"),
        "shorter": ("context", "its answers are too short: 101 tokens, and it gives 50"),
    }
    assert reasons(house, max_tokens=101) == told
    assert reasons(house, min_output_tokens=101) == told
    assert reasons(house, max_tokens=100).keys() == {"shorter"}
    assert reasons(house) == {}
    assert reasons(House([short, shorter]), max_tokens=101) == {}


@virtually
async def test_strict_mode_and_a_pin_are_reasons() -> None:
    house = House([route("a"), route("b")])
    house.generation = replace(house.generation, chains={"chat": ("a",)}, strict=True)
    assert reasons(house)["b"] == (
        "strict mode",
        "strict mode: only the primary is asked (STRICT_PROVIDER_MODE)",
    )
    house.router = LLMRouter(house.parts, provider="b")
    assert reasons(house)["a"] == ("not in the chain", "only b is asked")


@virtually
async def test_breakers_and_limits_are_reasons_with_their_time() -> None:
    policies = Policies(breaker=BreakerPolicy(min_calls=2))
    house = House([route("down", DOWN), route("limited"), route("a")], policies)
    for _ in range(2):
        await ask(house)
    house.traffic.limiter.announce(("limited", "limited-model"), 25.0)
    planned = house.router.explain("ping")
    assert [candidate.route.name for candidate in planned.candidates] == ["a"]
    told = {entry.name: (entry.kind, entry.reason.rpartition(" for ")[0], entry.clears_in) for entry in planned.skipped}
    assert told["down"][:2] == ("breaker", "breaker open")
    assert told["limited"][:2] == ("limit", "limit: the vendor takes nothing")
    assert told["limited"][2] == pytest.approx(25.0)


@virtually
async def test_a_short_limit_is_waited_for_and_no_reason() -> None:
    house = House([route("a"), route("b")])
    house.traffic.limiter.announce(("a", "a-model"), 1.5)
    response = await ask(house)
    assert (response.provider, response.attempts[0].waited) == ("a", 1.5)


@virtually
async def test_nobody_left_raises_nothing_here() -> None:
    house = House([route("plain", features=frozenset())])
    planned = house.router.explain("ping", stop="END")
    assert planned.candidates == ()
    assert "nobody would be asked" in str(planned)
    empty = House([])
    empty.generation = ConfigurationSnapshot({}, {"a": "A_API_KEY is not set"}, {"chat": ()})
    assert reasons(empty) == {"a": ("unconfigured row", "A_API_KEY is not set")}
    with pytest.raises(InvalidRequestError):
        house.router.explain(" ")
    with pytest.raises(ConfigurationError):
        LLMRouter(house.parts, provider="nobody").explain("ping")


@virtually
async def test_a_prompt_that_is_too_large_for_all_by_estimate_is_tried_all_the_same() -> None:
    house = House([route("small", capabilities_for=lambda model: Capabilities(TEXT, context_window=100))])
    assert (await ask(house, "x" * 500)).content


@virtually
async def test_json_has_what_the_text_has() -> None:
    house = House([route("a", max_retries=2)])
    planned = house.router.explain("ping")
    assert planned.as_object() == {
        "deadline": 120.0,
        "hedge_after": None,
        "candidates": [
            {
                "provider": "a",
                "model": "a-model",
                "share": 120.0,
                "timeout": 30.0,
                "max_retries": 2,
                "obstacle": "",
                "notes": [],
            }
        ],
        "skipped": [],
    }


@virtually
async def test_it_changes_no_breaker_and_no_limit() -> None:
    house = House([route("a", max_concurrency=1, requests_per_minute=1)])
    for _ in range(50):
        house.router.explain("ping")
    assert (await ask(house)).content
    assert len(house.told(AttemptStarted)) == 1


# --- what it says is what is done ------------------------------------------------------------------------------------

outcomes = st.sampled_from(
    [WELL, DOWN, Step(0.1, RateLimitError("busy", retry_after=30.0)), Step(0.1, AuthenticationError("no", status=401))]
)
limits = st.fixed_dictionaries(
    {}, optional={"requests_per_minute": st.integers(1, 4), "tokens_per_minute": st.integers(500, 5000)}
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.lists(outcomes, min_size=1, max_size=8), limits), min_size=1, max_size=4),
    st.lists(st.floats(0.0, 40.0), max_size=12),
)
def test_what_it_says_is_what_a_call_does(providers: list[Any], pauses: list[float]) -> None:
    """After any calls before it: whom a plan leaves alone, a call leaves alone, and who is first is asked first."""

    async def play() -> None:
        policies = Policies(breaker=BreakerPolicy(min_calls=2))
        routes = [route(f"p{number}", *steps, **fields) for number, (steps, fields) in enumerate(providers)]
        house = House(routes, policies)
        for number, pause in enumerate([*pauses, 0.0]):
            planned = house.router.explain(f"question {number}")
            asked_before = {entry.name: len(house.backend(entry.name).asked) for entry in routes}
            result = await asyncio.gather(ask(house, f"question {number}"), return_exceptions=True)
            attempts = result[0].attempts  # type: ignore[union-attr]
            skipped = [entry for entry in planned.skipped if entry.is_passing]
            lines = attempts[: len(skipped)]
            assert [line.provider for line in lines] == [entry.name for entry in skipped]
            assert {line.outcome for line in lines} <= {"CircuitOpenError", "LimitReachedError"}
            first = planned.candidates[0]
            assert attempts[len(skipped)].provider == first.route.name
            if not first.last_resort:
                assert len(house.backend(first.route.name).asked) > asked_before[first.route.name]
            await asyncio.sleep(pause)

    run_in_virtual_time(play())
