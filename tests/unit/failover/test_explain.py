"""`explain`: the planned candidates of a request, and the reason for each skipped provider."""

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

from .router_harness import SUCCESS, TEXT_FEATURES, RouterHarness, Step, route
from .test_router import DOWN, generate, in_virtual_time


def skip_reasons(harness: RouterHarness, prompt: str = "ping", **options: object) -> dict[str, tuple[str, str]]:
    planned = harness.router.explain(prompt, **options)  # type: ignore[arg-type]
    return {skipped.name: (skipped.kind, skipped.reason) for skipped in planned.skipped}


@in_virtual_time
async def test_explain_shows_shares_retries_and_models() -> None:
    harness = RouterHarness([route("a", timeout=60.0, max_retries=2), route("b", timeout=30.0, max_retries=1)])
    assert str(harness.router.explain("ping", hedge_after=3)).splitlines() == [
        "deadline 120 s for the whole call",
        "hedged: the second candidate is tried beside the first after 3 s",
        "1. a (a-model): share 110 s, each attempt 60 s at most, 2 retries",
        "2. b (b-model): share 60 s, each attempt 30 s at most, 1 retry",
    ]
    assert harness.events == []
    assert harness.backend("a").requests == []


@in_virtual_time
async def test_each_skipped_provider_has_a_reason() -> None:
    plain = route("plain", features=frozenset({"turns"}))
    small = route("small", capabilities_for=lambda model: Capabilities(TEXT_FEATURES, context_window=100))
    harness = RouterHarness([route("a"), plain, small, route("outside")])
    chains = {"chat": ("a", "nokey", "plain", "small")}
    missing = {"nokey": "NOKEY_API_KEY is not set", "other": "OTHER_API_KEY is not set"}
    harness.configuration = replace(harness.configuration, chains=chains, missing=missing)
    assert skip_reasons(harness, "x" * 500, response_format={"type": "object"}) == {
        "nokey": ("not configured", "named in the chain, but NOKEY_API_KEY is not set"),
        "plain": ("capability", "does not support schema"),
        "small": ("context", "context window too small: about 382 tokens, limit 100"),
        "outside": ("not in the chain", "not in LLM_FALLBACK_CHAIN"),
        "other": ("unconfigured row", "OTHER_API_KEY is not set"),
    }


@in_virtual_time
async def test_model_with_small_output_limit_is_skipped() -> None:
    short = route("short", capabilities_for=lambda model: Capabilities(TEXT_FEATURES, max_output=100))
    shorter = route("shorter", capabilities_for=lambda model: Capabilities(TEXT_FEATURES, max_output=50))
    harness = RouterHarness([short, shorter, route("a")])
    expected = {
        "short": ("context", "longest answer too short: 101 tokens, limit 100"),
        "shorter": ("context", "longest answer too short: 101 tokens, limit 50"),
    }
    assert skip_reasons(harness, max_tokens=101) == expected
    assert skip_reasons(harness, min_output_tokens=101) == expected
    assert skip_reasons(harness, max_tokens=100).keys() == {"shorter"}
    assert skip_reasons(harness) == {}
    assert skip_reasons(RouterHarness([short, shorter]), max_tokens=101) == {}


@in_virtual_time
async def test_strict_mode_and_pin_skip_other_providers() -> None:
    harness = RouterHarness([route("a"), route("b")])
    harness.configuration = replace(harness.configuration, chains={"chat": ("a",)}, strict=True)
    assert skip_reasons(harness)["b"] == (
        "strict mode",
        "strict mode: only the primary is tried (STRICT_PROVIDER_MODE)",
    )
    harness.router = LLMRouter(harness.dependencies, provider="b")
    assert skip_reasons(harness)["a"] == ("not in the chain", "only b is tried")


@in_virtual_time
async def test_open_breaker_and_limit_state_remaining_time() -> None:
    policies = Policies(breaker=BreakerPolicy(min_calls=2))
    harness = RouterHarness([route("down", DOWN), route("limited"), route("a")], policies)
    for _ in range(2):
        await generate(harness)
    harness.admission.limiter.announce(("limited", "limited-model"), 25.0)
    planned = harness.router.explain("ping")
    assert [candidate.route.name for candidate in planned.candidates] == ["a"]
    skip_details = {
        skipped.name: (skipped.kind, skipped.reason.rpartition(" for ")[0], skipped.clears_in)
        for skipped in planned.skipped
    }
    assert skip_details["down"][:2] == ("breaker", "circuit breaker open")
    assert skip_details["limited"][:2] == ("limit", "limit: the vendor accepts no request")
    assert skip_details["limited"][2] == pytest.approx(25.0)


@in_virtual_time
async def test_call_waits_for_short_rate_limit() -> None:
    harness = RouterHarness([route("a"), route("b")])
    harness.admission.limiter.announce(("a", "a-model"), 1.5)
    response = await generate(harness)
    assert (response.provider, response.attempts[0].waited) == ("a", 1.5)


@in_virtual_time
async def test_explain_without_candidates_raises_no_error() -> None:
    harness = RouterHarness([route("plain", features=frozenset())])
    planned = harness.router.explain("ping", stop="END")
    assert planned.candidates == ()
    assert "no provider would be tried" in str(planned)
    empty = RouterHarness([])
    empty.configuration = ConfigurationSnapshot({}, {"a": "A_API_KEY is not set"}, {"chat": ()})
    assert skip_reasons(empty) == {"a": ("unconfigured row", "A_API_KEY is not set")}
    with pytest.raises(InvalidRequestError):
        harness.router.explain(" ")
    with pytest.raises(ConfigurationError):
        LLMRouter(harness.dependencies, provider="nobody").explain("ping")


@in_virtual_time
async def test_prompt_too_large_for_all_is_sent() -> None:
    harness = RouterHarness(
        [route("small", capabilities_for=lambda model: Capabilities(TEXT_FEATURES, context_window=100))]
    )
    assert (await generate(harness, "x" * 500)).content


@in_virtual_time
async def test_as_object_holds_the_whole_plan() -> None:
    harness = RouterHarness([route("a", max_retries=2)])
    planned = harness.router.explain("ping")
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


@in_virtual_time
async def test_explain_changes_no_breaker_or_limit() -> None:
    harness = RouterHarness([route("a", max_concurrency=1, requests_per_minute=1)])
    for _ in range(50):
        harness.router.explain("ping")
    assert (await generate(harness)).content
    assert len(harness.events_of(AttemptStarted)) == 1


# --- explain agrees with the call ------------------------------------------------------------------------------------

provider_steps = st.sampled_from(
    [
        SUCCESS,
        DOWN,
        Step(0.1, RateLimitError("busy", retry_after=30.0)),
        Step(0.1, AuthenticationError("no", status=401)),
    ]
)
limit_fields = st.fixed_dictionaries(
    {}, optional={"requests_per_minute": st.integers(1, 4), "tokens_per_minute": st.integers(500, 5000)}
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.lists(provider_steps, min_size=1, max_size=8), limit_fields), min_size=1, max_size=4),
    st.lists(st.floats(0.0, 40.0), max_size=12),
)
def test_call_follows_the_explained_plan(providers: list[Any], pauses: list[float]) -> None:
    """After any earlier calls, a call skips the skipped providers of the plan and tries its first candidate first."""

    async def run_calls() -> None:
        policies = Policies(breaker=BreakerPolicy(min_calls=2))
        routes = [route(f"p{number}", *steps, **fields) for number, (steps, fields) in enumerate(providers)]
        harness = RouterHarness(routes, policies)
        for number, pause in enumerate([*pauses, 0.0]):
            planned = harness.router.explain(f"question {number}")
            requests_before = {route.name: len(harness.backend(route.name).requests) for route in routes}
            result = await asyncio.gather(generate(harness, f"question {number}"), return_exceptions=True)
            attempts = result[0].attempts  # type: ignore[union-attr]
            skipped = [provider for provider in planned.skipped if provider.is_passing]
            refused = attempts[: len(skipped)]
            assert [attempt.provider for attempt in refused] == [provider.name for provider in skipped]
            assert {attempt.outcome for attempt in refused} <= {"CircuitOpenError", "LimitReachedError"}
            first = planned.candidates[0]
            assert attempts[len(skipped)].provider == first.route.name
            if not first.last_resort:
                assert len(harness.backend(first.route.name).requests) > requests_before[first.route.name]
            await asyncio.sleep(pause)

    run_in_virtual_time(run_calls())
