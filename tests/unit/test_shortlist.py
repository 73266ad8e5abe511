"""What is worked out once: shortlists, plans, sizes, copies. Each must say what the long way says."""

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

ALL = frozenset({"turns", "seed", "tools", "images", "stream"})
PNG = Image.from_bytes(b"\x89PNG\r\n\x1a\n0", "image/png")


class Counting:
    """Capabilities of a route that count how often they are asked for."""

    def __init__(self, **limits: int) -> None:
        self.asked = 0
        self.capabilities = Capabilities(ALL, **limits)

    def __call__(self, model: str) -> Capabilities:
        self.asked += 1
        return self.capabilities


def route(name: str, **fields_: Any) -> Route:
    return Route(name, FakeProvider(), (f"{name}-model",), **{"features": ALL, "timeout": 60.0, **fields_})


def generation(*routes: Route, **fields_: Any) -> ConfigurationSnapshot:
    return ConfigurationSnapshot({r.name: r for r in routes}, {}, {"chat": tuple(r.name for r in routes)}, **fields_)


def ask(text: str = "ping", **fields_: Any) -> ChatRequest:
    return replace(ChatRequest((Message.user(text),)), **fields_)


class Suspicious:
    """`AvailabilitySource` that suspects everybody, of whom all are well: plans go the long way."""

    suspects: Collection[Target] = (("a", "a-model"), ("b", "b-model"))

    def standing(self, route: Route, model: str, tokens: int) -> Availability:
        return AVAILABLE


@pytest.mark.parametrize(
    "request_",
    [
        ask(),
        ask(deadline=7.0),
        ask(timeout=3.0),
        ask(hedge_after=1.5),
        ask(max_tokens=10),
        ask(max_tokens=50),
        ask(max_tokens=500),
        ask(min_output_tokens=50),
        ask("word " * 100),
        ask("word " * 1000),
        ask(model="b-model"),
        ask(model="unheard of"),
        ask(seed=1),
        ask(tools=(Tool("t"),)),
    ],
)
def test_the_short_way_and_the_long_way_make_one_plan(request_: ChatRequest) -> None:
    small = Capabilities(ALL, context_window=200, max_output=20)
    large = Capabilities(ALL - {"seed"}, context_window=400, max_output=100)
    policies = Policies(hedge_after={"chat": 2.0})
    made = generation(
        route("a", capabilities_for=lambda model: small),
        route("b", capabilities_for=lambda model: large),
        policies=policies,
    )
    first, again, long = plan(request_, made), plan(request_, made), plan(request_, made, health=Suspicious())
    assert first == again == long
    assert plan(request_, replace(made)) == first  # a configuration that has worked out nothing yet


def test_kinds_are_kept_apart() -> None:
    made = generation(route("a", features=ALL - {"seed", "tools"}), route("b"))
    kinds = [ask(), ask(seed=1), ask(tools=(Tool("t"),)), ask(model="b-model"), ask(stop=("x",)), ask(reasoning="low")]
    kinds += [ask(cache_prompt=True), ChatRequest((Message.user("ping", PNG),))]
    for request in (*kinds, *reversed(kinds)):
        assert plan(request, made) == plan(request, replace(made))
        assert plan(request, made, pinned="b") == plan(request, replace(made), pinned="b")


def test_who_can_carry_a_kind_of_request_is_worked_out_once() -> None:
    counting = Counting()
    made = generation(route("a", capabilities_for=counting))
    plan(ask(), made)
    asked = counting.asked
    for number in range(20):
        plan(ask(f"another {number}", max_tokens=number + 1, deadline=float(number + 1)), made)
    assert counting.asked == asked
    plan(ask(model="m"), made)
    assert counting.asked > asked


def test_a_request_that_may_be_refused_is_looked_at_each_time() -> None:
    dislikes = "it does not like it"
    made = generation(
        route("a", refusal_for=lambda request, model: dislikes if request.tool_choice else ""),
        route("b", refusal_for=lambda request, model: dislikes if model == "m" else ""),
    )
    tooled = ask(tools=(Tool("t"),))
    chosen = replace(tooled, tool_choice="t")
    for _ in range(2):
        assert [c.route.name for c in plan(tooled, made).candidates] == ["a", "b"]
        assert [c.route.name for c in plan(chosen, made).candidates] == ["b"]
        assert [entry.reason for entry in plan(chosen, made).skipped] == [dislikes]
        assert len(plan(replace(tooled, model="m"), made).candidates) == 2
        assert plan(replace(tooled, model="m"), made, pinned="b").candidates == ()


def test_a_reload_begins_anew() -> None:
    stopped, made = ask("ping", stop=("x",)), generation(route("a"))
    assert len(plan(stopped, made).candidates) == 1
    without = replace(route("a"), features=frozenset())
    assert plan(stopped, replace(made, routes={"a": without})).candidates == ()
    assert plan(stopped, replace(made, routes={}, missing={"a": "A_API_KEY is not set"})).candidates == ()


def test_callers_cannot_fill_the_memory() -> None:
    made = generation(route("a"))
    for number in range(2 * MOST_KINDS):
        plan(ask(model=f"m{number}"), made)
    assert len(made.compiled) <= MOST_KINDS
    for number in range(2 * MOST_PLANS):
        plan(ask(deadline=number + 0.5), made)
    assert len(shortlist_of(ask(), made, "chat", None).plans) <= MOST_PLANS


TEXTS = st.text(max_size=60) | st.text("aZ0-é漢😀 \n\x00ก", max_size=60)


@given(text=TEXTS)
@example(text="a")
@example(text="a\x00" * 50)
@example(text="aA" * 50)
@example(text="a1" * 50)
@example(text="1 " * 50)
@example(text="é" * 50)
@example(text="a漢" * 50)
@example(text="😀" * 50)
def test_a_text_never_has_more_tokens_than_its_length_lets_expect(text: str) -> None:
    assert most_tokens(text) <= most_tokens_at_most(len(text), is_ascii=text.isascii())
    assert least_tokens(text) <= least_tokens_at_most(len(text), is_ascii=text.isascii())


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), limit=st.integers(0, 400))
def test_what_surely_fits_fits(texts: list[str], limit: int) -> None:
    request = ChatRequest(tuple(Message.user(text) for text in texts))
    if surely_fits(request, limit):
        assert prompt_tokens(request) <= limit
    assert surely_fits(request, 4 * sum(map(len, texts)) + (MESSAGE_TOKENS + 4) * len(texts) + 1)


@pytest.mark.parametrize(
    "request_",
    [
        ask(tools=(Tool("t", "word " * 200),)),
        ask(response_format={"type": "object", "title": "word " * 200}),
        ChatRequest((Message.user("What?", PNG),)),
        ChatRequest((Message.assistant(tool_calls=[ToolCall("c", "t", {}, "word " * 200)]), Message.tool("c", "ok"))),
    ],
)
def test_what_has_more_than_text_is_counted(request_: ChatRequest) -> None:
    assert not surely_fits(request_, prompt_tokens(request_) - 1)


def test_who_is_ill_is_suspected_until_it_is_well() -> None:
    clock = FakeClock()
    policies = Policies(breaker=BreakerPolicy(min_calls=2, open_seconds=30.0))
    made = generation(route("a"), route("b"), policies=policies)
    traffic = AdmissionControl(lambda: made, clock, lambda event: None, lambda: build_rate_counter(clock))
    candidate = plan(ask(), made).candidates[0]
    assert not traffic.suspects
    breaker = traffic._breaker(candidate.target)
    for _ in range(2):
        breaker.report(CallResult.BAD, clock.monotonic(), probe=False)
    assert set(traffic.suspects) == {("a", "a-model")}
    assert [c.route.name for c in plan(ask(), made, health=traffic).candidates] == ["b"]
    clock.advance(31.0)
    assert breaker.enter(clock.monotonic())
    assert set(traffic.suspects) == {("a", "a-model")}
    breaker.report(CallResult.GOOD, clock.monotonic(), probe=True)
    assert not traffic.suspects
    assert len(plan(ask(), made, health=traffic).candidates) == 2


def test_who_announced_a_pause_is_suspected_until_it_is_over() -> None:
    clock = FakeClock()
    made = generation(route("a"), route("b"))
    traffic = AdmissionControl(lambda: made, clock, lambda event: None, lambda: build_rate_counter(clock))
    traffic.limiter.announce(("b", "b-model"), 20.0)
    assert set(traffic.suspects) == {("b", "b-model")}
    assert [c.route.name for c in plan(ask(), made, health=traffic).candidates] == ["a"]
    clock.advance(21.0)
    assert not traffic.suspects
    assert len(plan(ask(), made, health=traffic).candidates) == 2


# --- copies that are written out --------------------------------------------------------------------------------------

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


def test_an_attempts_request_is_the_callers_but_for_what_the_call_decided() -> None:
    decided = {"deadline", "commit", "hedge_after", "cache", "deduplicate"}
    unset = dict.fromkeys(decided)
    expected = replace(FULL_REQUEST, model="other", timeout=8.0, chunk_timeout=9.0, **unset)  # type: ignore[arg-type]
    assert FULL_REQUEST.for_attempt("other", 8.0, 9.0) == expected
    told = {field.name for field in fields(ChatRequest)}
    assert all(getattr(FULL_REQUEST, name) not in (None, (), {}) for name in told)  # so that a forgotten one shows


def test_a_response_with_another_ledger_is_else_the_same() -> None:
    ledger = (Attempt("q"), Attempt("r"))
    assert FULL_RESPONSE.with_attempts(ledger) == replace(FULL_RESPONSE, attempts=ledger)
    empty = [f.name for f in fields(FULL_RESPONSE) if getattr(FULL_RESPONSE, f.name) in (None, "", ())]
    assert empty == ["replay"]


def test_a_kept_line_is_else_the_same() -> None:
    assert FULL_ATTEMPT.as_kept() == replace(FULL_ATTEMPT, kept=True)
    assert all(getattr(FULL_ATTEMPT, f.name) for f in fields(FULL_ATTEMPT) if f.name != "kept")


def test_what_a_conversation_holds_is_told_by_one_look() -> None:
    told = ChatRequest(
        (Message.user("é", PNG), Message.assistant("ab", tool_calls=[ToolCall("c", "t")]), Message.tool("c", "x", PNG))
    ).shape
    assert (told.attachments, told.has_calls, told.has_answers, told.has_replays) == ((PNG, PNG), True, True, False)
    assert (told.characters, told.is_ascii) == (4, False)
    plain = ask("ping").shape
    assert (plain.attachments, plain.has_calls, plain.has_answers, plain.is_ascii) == ((), False, False, True)
