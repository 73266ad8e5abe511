"""`explain`: what would be done, and for everybody else the reason."""

from dataclasses import replace

import pytest

from faultmaven.application.breaker import BreakerPolicy
from faultmaven.application.generation import Generation
from faultmaven.application.policies import Policies
from faultmaven.application.router import LLMRouter
from faultmaven.domain.errors import ConfigurationError, InvalidRequestError
from faultmaven.domain.events import AttemptStarted

from .house import House, route
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
    small = route("small", context_for=lambda model: 100)
    house = House([route("a"), plain, small, route("outside")])
    chains = {"chat": ("a", "nokey", "plain", "small")}
    missing = {"nokey": "NOKEY_API_KEY is not set", "other": "OTHER_API_KEY is not set"}
    house.generation = replace(house.generation, chains=chains, missing=missing)
    assert reasons(house, "x" * 500, response_format={"type": "object"}) == {
        "nokey": ("not configured", "NOKEY_API_KEY is not set"),
        "plain": ("capability", "does not take schema"),
        "small": ("context", "context too small: about 125 tokens, and it takes 100"),
        "outside": ("not in the chain", "not in LLM_FALLBACK_CHAIN"),
        "other": ("not configured", "OTHER_API_KEY is not set"),
    }


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
    empty.generation = Generation({}, {"a": "A_API_KEY is not set"}, {"chat": ()})
    assert reasons(empty) == {"a": ("not configured", "A_API_KEY is not set")}
    with pytest.raises(InvalidRequestError):
        house.router.explain(" ")
    with pytest.raises(ConfigurationError):
        LLMRouter(house.parts, provider="nobody").explain("ping")


@virtually
async def test_a_prompt_that_is_too_large_for_all_by_estimate_is_tried_all_the_same() -> None:
    house = House([route("small", context_for=lambda model: 100)])
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
