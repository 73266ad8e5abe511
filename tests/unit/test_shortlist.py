"""Precomputed shortlists, plans, token bounds and copies: each equals the result of the direct computation."""

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faultmaven.application.configuration import ConfigurationSnapshot, Route, Target
from faultmaven.application.planning.planner import plan
from faultmaven.application.planning.requirements import MESSAGE_TOKENS, prompt_tokens, surely_fits
from faultmaven.application.planning.shortlist import MOST_KINDS, MOST_PLANS, shortlist_of
from faultmaven.application.planning.token_estimate import (
    least_tokens,
    least_tokens_at_most,
    most_tokens,
    most_tokens_at_most,
)
from faultmaven.application.policies.circuit_breaker import BreakerPolicy
from faultmaven.application.policies.policies import Policies
from faultmaven.application.resilience.admission import AdmissionControl
from faultmaven.application.resilience.availability import AVAILABLE, Availability
from faultmaven.application.resilience.circuit_breaker import CallResult
from faultmaven.domain.attachments import Image
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.capabilities import Capabilities
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import LLMResponse, StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.optional.optional_dependencies import build_rate_counter
from faultmaven.testing import FakeClock, FakeProvider

ALL_FEATURES = frozenset({"turns", "seed", "tools", "images", "stream"})
PNG = Image.from_bytes(b"\x89PNG\r\n\x1a\n0", "image/png")


class CountingCapabilities:
    """Capabilities of a route that count the reads of the planner."""

    def __init__(self, **limits: int) -> None:
        self.reads = 0
        self.capabilities = Capabilities(ALL_FEATURES, **limits)

    def __call__(self, model: str) -> Capabilities:
        self.reads += 1
        return self.capabilities


def route(name: str, **overrides: Any) -> Route:
    return Route(name, FakeProvider(), (f"{name}-model",), **{"features": ALL_FEATURES, "timeout": 60.0, **overrides})


def configure(*routes: Route, **overrides: Any) -> ConfigurationSnapshot:
    return ConfigurationSnapshot(
        {route.name: route for route in routes}, {}, {"chat": tuple(route.name for route in routes)}, **overrides
    )


def make_request(text: str = "ping", **overrides: Any) -> ChatRequest:
    return replace(ChatRequest((Message.user(text),)), **overrides)


class AllPossiblyUnavailable:
    """An availability source that marks every target for a check, and reports every target as available."""

    suspects: Collection[Target] = (("a", "a-model"), ("b", "b-model"))

    def standing(self, route: Route, model: str, tokens: int) -> Availability:
        return AVAILABLE


@pytest.mark.parametrize(
    "chat_request",
    [
        make_request(),
        make_request(deadline=7.0),
        make_request(timeout=3.0),
        make_request(hedge_after=1.5),
        make_request(max_tokens=10),
        make_request(max_tokens=50),
        make_request(max_tokens=500),
        make_request(min_output_tokens=50),
        make_request("word " * 100),
        make_request("word " * 1000),
        make_request(model="b-model"),
        make_request(model="unheard of"),
        make_request(seed=1),
        make_request(tools=(Tool("t"),)),
    ],
)
def test_cached_and_uncached_plans_are_equal(chat_request: ChatRequest) -> None:
    small = Capabilities(ALL_FEATURES, context_window=200, max_output=20)
    large = Capabilities(ALL_FEATURES - {"seed"}, context_window=400, max_output=100)
    policies = Policies(hedge_after={"chat": 2.0})
    configuration = configure(
        route("a", capabilities_for=lambda model: small),
        route("b", capabilities_for=lambda model: large),
        policies=policies,
    )
    computed, cached, direct = (
        plan(chat_request, configuration),
        plan(chat_request, configuration),
        plan(chat_request, configuration, health=AllPossiblyUnavailable()),
    )
    assert computed == cached == direct
    assert plan(chat_request, replace(configuration)) == computed  # a configuration without cached plans


def test_request_kinds_have_separate_shortlists() -> None:
    configuration = configure(route("a", features=ALL_FEATURES - {"seed", "tools"}), route("b"))
    kinds = [
        make_request(),
        make_request(seed=1),
        make_request(tools=(Tool("t"),)),
        make_request(model="b-model"),
        make_request(stop=("x",)),
        make_request(reasoning="low"),
    ]
    kinds += [make_request(cache_prompt=True), ChatRequest((Message.user("ping", PNG),))]
    for request in (*kinds, *reversed(kinds)):
        assert plan(request, configuration) == plan(request, replace(configuration))
        assert plan(request, configuration, pinned="b") == plan(request, replace(configuration), pinned="b")


def test_capabilities_are_read_once_per_kind() -> None:
    capabilities = CountingCapabilities()
    configuration = configure(route("a", capabilities_for=capabilities))
    plan(make_request(), configuration)
    reads = capabilities.reads
    for number in range(20):
        plan(make_request(f"another {number}", max_tokens=number + 1, deadline=float(number + 1)), configuration)
    assert capabilities.reads == reads
    plan(make_request(model="m"), configuration)
    assert capabilities.reads > reads


def test_vendor_check_runs_for_each_request() -> None:
    refusal_reason = "it does not like it"
    configuration = configure(
        route("a", refusal_for=lambda request, model: refusal_reason if request.tool_choice else ""),
        route("b", refusal_for=lambda request, model: refusal_reason if model == "m" else ""),
    )
    with_tools = make_request(tools=(Tool("t"),))
    with_tool_choice = replace(with_tools, tool_choice="t")
    for _ in range(2):
        assert [c.route.name for c in plan(with_tools, configuration).candidates] == ["a", "b"]
        assert [c.route.name for c in plan(with_tool_choice, configuration).candidates] == ["b"]
        assert [skipped.reason for skipped in plan(with_tool_choice, configuration).skipped] == [refusal_reason]
        assert len(plan(replace(with_tools, model="m"), configuration).candidates) == 2
        assert plan(replace(with_tools, model="m"), configuration, pinned="b").candidates == ()


def test_reload_discards_cached_plans() -> None:
    request, configuration = make_request("ping", stop=("x",)), configure(route("a"))
    assert len(plan(request, configuration).candidates) == 1
    featureless = replace(route("a"), features=frozenset())
    assert plan(request, replace(configuration, routes={"a": featureless})).candidates == ()
    assert plan(request, replace(configuration, routes={}, missing={"a": "A_API_KEY is not set"})).candidates == ()


def test_plan_caches_have_bounded_size() -> None:
    configuration = configure(route("a"))
    for number in range(2 * MOST_KINDS):
        plan(make_request(model=f"m{number}"), configuration)
    assert len(configuration.compiled) <= MOST_KINDS
    for number in range(2 * MOST_PLANS):
        plan(make_request(deadline=number + 0.5), configuration)
    assert len(shortlist_of(make_request(), configuration, "chat", None).plans) <= MOST_PLANS


text_strategy = st.text(max_size=60) | st.text("aZ0-é漢😀 \n\x00ก", max_size=60)


@given(text=text_strategy)
@example(text="a")
@example(text="a\x00" * 50)
@example(text="aA" * 50)
@example(text="a1" * 50)
@example(text="1 " * 50)
@example(text="é" * 50)
@example(text="a漢" * 50)
@example(text="😀" * 50)
def test_token_estimate_never_exceeds_length_bound(text: str) -> None:
    assert most_tokens(text) <= most_tokens_at_most(len(text), is_ascii=text.isascii())
    assert least_tokens(text) <= least_tokens_at_most(len(text), is_ascii=text.isascii())


@given(texts=st.lists(text_strategy, min_size=1, max_size=4), limit=st.integers(0, 400))
def test_certain_fit_agrees_with_token_count(texts: list[str], limit: int) -> None:
    request = ChatRequest(tuple(Message.user(text) for text in texts))
    if surely_fits(request, limit):
        assert prompt_tokens(request) <= limit
    assert surely_fits(request, 4 * sum(map(len, texts)) + (MESSAGE_TOKENS + 4) * len(texts) + 1)


@pytest.mark.parametrize(
    "chat_request",
    [
        make_request(tools=(Tool("t", "word " * 200),)),
        make_request(response_format={"type": "object", "title": "word " * 200}),
        ChatRequest((Message.user("What?", PNG),)),
        ChatRequest((Message.assistant(tool_calls=[ToolCall("c", "t", {}, "word " * 200)]), Message.tool("c", "ok"))),
    ],
)
def test_request_beyond_plain_text_is_counted(chat_request: ChatRequest) -> None:
    assert not surely_fits(chat_request, prompt_tokens(chat_request) - 1)


def test_open_breaker_makes_target_possibly_unavailable() -> None:
    clock = FakeClock()
    policies = Policies(breaker=BreakerPolicy(min_calls=2, open_seconds=30.0))
    configuration = configure(route("a"), route("b"), policies=policies)
    admission = AdmissionControl(lambda: configuration, clock, lambda event: None, lambda: build_rate_counter(clock))
    candidate = plan(make_request(), configuration).candidates[0]
    assert not admission.suspects
    breaker = admission._breaker(candidate.target)
    for _ in range(2):
        breaker.report(CallResult.BAD, clock.monotonic(), probe=False)
    assert set(admission.suspects) == {("a", "a-model")}
    assert [c.route.name for c in plan(make_request(), configuration, health=admission).candidates] == ["b"]
    clock.advance(31.0)
    assert breaker.enter(clock.monotonic())
    assert set(admission.suspects) == {("a", "a-model")}
    breaker.report(CallResult.GOOD, clock.monotonic(), probe=True)
    assert not admission.suspects
    assert len(plan(make_request(), configuration, health=admission).candidates) == 2


def test_announced_pause_makes_target_possibly_unavailable() -> None:
    clock = FakeClock()
    configuration = configure(route("a"), route("b"))
    admission = AdmissionControl(lambda: configuration, clock, lambda event: None, lambda: build_rate_counter(clock))
    admission.limiter.announce(("b", "b-model"), 20.0)
    assert set(admission.suspects) == {("b", "b-model")}
    assert [c.route.name for c in plan(make_request(), configuration, health=admission).candidates] == ["a"]
    clock.advance(21.0)
    assert not admission.suspects
    assert len(plan(make_request(), configuration, health=admission).candidates) == 2


# --- copies that name each field --------------------------------------------------------------------------------------

FULL_REQUEST = ChatRequest(
    messages=(Message.user("ping"),),
    model="m",
    max_tokens=1,
    temperature=0.5,
    stop=("x",),
    seed=2,
    tools=(Tool("t"),),
    tool_choice="auto",
    response_format="json",
    reasoning="low",
    cache_prompt=True,
    min_output_tokens=3,
    metadata={"a": 1},
    extra={"p": {"b": 2}},
    deadline=4.0,
    timeout=5.0,
    chunk_timeout=6.0,
    commit="whole",
    repair=True,
    hedge_after=7.0,
    cache=True,
    deduplicate=True,
)
FULL_RESPONSE = LLMResponse(
    "pong",
    0.5,
    "p",
    "m",
    3,
    4.0,
    (ToolCall("c", "t"),),
    StopReason.STOP,
    Usage(1, 2),
    True,
    (Attempt("p"),),
    "parsed",
    "raw",
    "thought",
    None,
    True,
)
FULL_ATTEMPT = Attempt("p", "m", "o", 200, "id", 1.0, 2.0, 3.0, 4.0, Usage(1, 2), False, ("n",), "e", 5.0)


def test_attempt_request_omits_only_call_options() -> None:
    call_options = {"deadline", "commit", "hedge_after", "cache", "deduplicate"}
    unset = dict.fromkeys(call_options)
    expected = replace(FULL_REQUEST, model="other", timeout=8.0, chunk_timeout=9.0, **unset)  # type: ignore[arg-type]
    assert FULL_REQUEST.for_attempt("other", 8.0, 9.0) == expected
    names = {field.name for field in fields(ChatRequest)}
    assert all(getattr(FULL_REQUEST, name) not in (None, (), {}) for name in names)  # so that a forgotten field fails


def test_with_attempts_changes_only_the_attempts() -> None:
    attempts = (Attempt("q"), Attempt("r"))
    assert FULL_RESPONSE.with_attempts(attempts) == replace(FULL_RESPONSE, attempts=attempts)
    empty = [f.name for f in fields(FULL_RESPONSE) if getattr(FULL_RESPONSE, f.name) in (None, "", ())]
    assert empty == ["replay"]


def test_as_kept_changes_only_one_field() -> None:
    assert FULL_ATTEMPT.as_kept() == replace(FULL_ATTEMPT, kept=True)
    assert all(getattr(FULL_ATTEMPT, f.name) for f in fields(FULL_ATTEMPT) if f.name != "kept")


def test_shape_summarizes_all_messages() -> None:
    mixed = ChatRequest(
        (Message.user("é", PNG), Message.assistant("ab", tool_calls=[ToolCall("c", "t")]), Message.tool("c", "x", PNG))
    ).shape
    assert (mixed.attachments, mixed.has_calls, mixed.has_answers, mixed.has_replays) == ((PNG, PNG), True, True, False)
    assert (mixed.characters, mixed.is_ascii) == (4, False)
    plain = make_request("ping").shape
    assert (plain.attachments, plain.has_calls, plain.has_answers, plain.is_ascii) == ((), False, False, True)
