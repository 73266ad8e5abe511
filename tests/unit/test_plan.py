"""Plans and shares: pure functions over values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.configuration import ConfigurationSnapshot, Route, chain
from faultmaven.application.planning.plan import Plan
from faultmaven.application.planning.planner import nobody, plan
from faultmaven.application.planning.requirements import needs
from faultmaven.application.planning.time_shares import TimeShares
from faultmaven.domain.attachments import File, Image
from faultmaven.domain.capabilities import Capabilities
from faultmaven.domain.errors import ConfigurationError, InvalidRequestError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.tools import Tool
from faultmaven.testing import FakeProvider

TEXT = frozenset({"turns", "seed"})


def route(name: str, *models: str, confidence: float = 0.5, features: frozenset[str] = TEXT) -> Route:
    return Route(name, FakeProvider(), models or (f"{name}-model",), confidence=confidence, features=features)


def generation(
    *routes: Route, order: tuple[str, ...] = (), missing: dict[str, str] | None = None
) -> ConfigurationSnapshot:
    names = order or tuple(entry.name for entry in routes)
    return ConfigurationSnapshot({entry.name: entry for entry in routes}, missing or {}, {"chat": names})


def ask(text: str = "ping", **fields: object) -> ChatRequest:
    return replace(ChatRequest((Message.user(text),)), **fields)  # type: ignore[arg-type]


def order_of(planned: Plan) -> list[tuple[str, str | None]]:
    return [(candidate.route.name, candidate.model) for candidate in planned.candidates]


def test_a_plan_is_a_value() -> None:
    routes = generation(route("a"), route("b"))
    one, other = plan(ask(), routes), plan(ask(deadline=120.0), routes)
    assert one == replace(other)
    assert hash(one) == hash(replace(other))


def test_candidates_stand_in_the_order_of_the_chain() -> None:
    planned = plan(ask(), generation(route("a"), route("b"), route("c"), order=("b", "c", "a")))
    assert order_of(planned) == [("b", None), ("c", None), ("a", None)]


def test_the_first_candidate_that_lists_the_model_moves_to_the_front() -> None:
    planned = plan(ask(model="m-b"), generation(route("a"), route("b", "own", "m-b"), route("c")))
    assert order_of(planned) == [("b", "m-b"), ("a", None), ("c", None)]


def test_a_model_nobody_lists_goes_to_the_primary_unchanged_and_to_nobody_else() -> None:
    planned = plan(ask(model="tomorrow"), generation(route("a"), route("b"), route("c")))
    assert order_of(planned) == [("a", "tomorrow"), ("b", None), ("c", None)]


def test_a_fallback_that_lists_the_model_gets_it_too() -> None:
    planned = plan(ask(model="m"), generation(route("a", "m"), route("b"), route("c", "own", "m")))
    assert order_of(planned) == [("a", "m"), ("b", None), ("c", "m")]


def test_a_provider_that_is_not_configured_is_skipped_with_the_reason() -> None:
    planned = plan(ask(), generation(route("a"), order=("b", "a"), missing={"b": "B_API_KEY is not set"}))
    assert order_of(planned) == [("a", None)]
    assert [(entry.name, entry.reason) for entry in planned.skipped] == [
        ("b", "named in the chain, but B_API_KEY is not set")
    ]


def test_nothing_configured_is_a_configuration_error_that_says_what_to_set() -> None:
    empty = ConfigurationSnapshot(
        {}, {"a": "A_API_KEY is not set"}, {"chat": ()}, not_configured="Set one of A_API_KEY."
    )
    error = nobody(plan(ask(), empty), empty)
    assert isinstance(error, ConfigurationError)
    assert "Set one of A_API_KEY" in str(error)


def test_a_pinned_provider_stands_alone() -> None:
    assert order_of(plan(ask(), generation(route("a"), route("b")), pinned="b")) == [("b", None)]


def test_a_pinned_unknown_provider_is_named_with_its_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'openai'"):
        plan(ask(), generation(route("openai")), pinned="opnai")


def test_an_unknown_role_is_named_with_its_nearest() -> None:
    with pytest.raises(InvalidRequestError, match="did you mean 'synthesis'"):
        plan(ask(), generation(route("a")), role="sinthesis")


def test_an_image_without_a_role_uses_multimodal() -> None:
    seeing = route("b", features=TEXT | {"images", "image addresses"})
    current = replace(generation(route("a"), seeing), chains={"chat": ("a",), "multimodal": ("b",)})
    request = ChatRequest((Message.user("What is this?", Image.from_url("https://example.invalid/a.png")),))
    assert order_of(plan(request, current)) == [("b", None)]


def test_a_need_that_a_provider_does_not_take_skips_it_with_the_reason() -> None:
    planned = plan(ask(tools=(Tool("t"),)), generation(route("a"), route("b", features=TEXT | {"tools"})))
    assert order_of(planned) == [("b", None)]
    assert planned.skipped[0].reason == "does not take tools"


def test_a_need_that_nobody_takes_is_refused_before_sending() -> None:
    current = generation(route("a"))
    error = nobody(plan(ask(response_format={"type": "object"}), current), current)
    assert isinstance(error, InvalidRequestError)
    assert "a: does not take schema" in str(error)


def test_a_class_of_the_guides_form_is_skipped_for_assistant_turns_and_stop_words() -> None:
    plain = route("plain", features=frozenset())
    talk = ChatRequest((Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")))
    planned = plan(talk, generation(plain, route("b")))
    assert planned.skipped[0].reason == "does not take assistant turns"
    assert plan(ask(stop=("END",)), generation(plain, route("b"))).skipped[0].reason == "does not take stop"


def test_a_hint_that_a_provider_does_not_take_is_noted_and_does_not_skip_it() -> None:
    planned = plan(ask(seed=7), generation(route("plain", features=frozenset())))
    assert planned.candidates[0].notes == ("seed left out: plain does not take it",)


def test_the_requests_deadline_stands_over_the_configured_one() -> None:
    assert plan(ask(deadline=5.0), generation(route("a"))).deadline == 5.0
    assert plan(ask(), generation(route("a"))).deadline == 120.0


def test_a_model_that_reasons_gets_its_own_time() -> None:
    slow = replace(route("a", "thinker", "quick"), timeout_for={"thinker": 120.0, "quick": 30.0}.__getitem__)
    assert plan(ask(), generation(slow)).candidates[0].timeout == 120.0
    assert plan(ask(model="quick"), generation(slow)).candidates[0].timeout == 30.0


# The rule of DESIGN section 8: what remains, less 10 s (or an equal split, if less) for each of the next two.
@pytest.mark.parametrize(
    ("remaining", "successors", "expected"),
    [(120, 0, 120), (120, 1, 110), (120, 2, 100), (120, 7, 100), (12, 2, 4), (30, 2, 10), (18, 1, 9), (40, 2, 20)],
)
def test_a_share_leaves_its_successors_a_reserve(remaining: float, successors: int, expected: float) -> None:
    assert TimeShares(successors + 1).of(0, remaining) == pytest.approx(expected)


@given(remaining=st.floats(0.001, 1e6), successors=st.integers(0, 20))
def test_a_hung_candidate_always_leaves_the_next_two_an_equal_split_or_ten_seconds(
    remaining: float, successors: int
) -> None:
    used = TimeShares(successors + 1).of(0, remaining)
    left = remaining - used
    behind = min(successors, 2)
    assert 0 < used <= remaining
    assert left >= min(10.0, remaining / (behind + 1)) * behind - 1e-6


def test_a_chain_is_the_primary_then_the_rest_by_weight() -> None:
    routes = [route("low", confidence=0.1), route("high", confidence=0.9), route("mid", confidence=0.5)]
    assert chain(routes, None) == ("high", "mid", "low")
    assert chain(routes, "low") == ("low", "high", "mid")


def test_equal_weights_keep_schema_order() -> None:
    assert chain([route("b"), route("a"), route("c")], None) == ("b", "a", "c")


def test_an_explicit_chain_replaces_the_rest() -> None:
    routes = [route("a", confidence=0.9), route("b"), route("c")]
    assert chain(routes, None, ["c"]) == ("a", "c")
    assert chain(routes, "b", ["c", "b", "a"]) == ("b", "c", "a")


def test_strict_mode_keeps_only_the_primary() -> None:
    assert chain([route("a", confidence=0.9), route("b")], None, ["b"], strict=True) == ("a",)


def test_weights_below_the_threshold_are_planned_last() -> None:
    routes = [route("a", confidence=0.6), route("b", confidence=0.9)]
    assert chain(routes, None, ["a", "b"], threshold=0.8) == ("b", "a")


def test_nobody_available_is_an_empty_chain() -> None:
    assert chain([], None) == ()


def test_an_unlisted_model_goes_to_nobody_when_the_primary_cannot_take_the_request() -> None:
    fit = route("b", features=TEXT | {"tools"})
    planned = plan(ask(model="tomorrow", tools=(Tool("t"),)), generation(route("a"), fit))
    assert order_of(planned) == [("b", None)]


def test_the_features_are_those_of_the_model_that_would_be_asked() -> None:
    sees = {"eye": TEXT | {"images"}, "blind": TEXT}
    mixed = replace(route("a", "eye", "blind"), capabilities_for=lambda model: Capabilities(sees[model]))
    picture = ChatRequest((Message.user("What?", Image.from_bytes(b"x", "image/png")),))
    assert order_of(plan(picture, generation(mixed), role="chat")) == [("a", None)]
    refused = plan(replace(picture, model="blind"), generation(mixed), role="chat")
    assert [(entry.kind, entry.reason, entry.model) for entry in refused.skipped] == [
        ("capability", "does not take images", "blind")
    ]


def test_a_primary_whose_requested_model_another_one_lists_is_judged_by_its_own_model() -> None:
    takes = {"own": TEXT | {"tools"}, "m": frozenset[str]()}
    first = replace(route("a", "own"), capabilities_for=lambda model: Capabilities(takes[model]))
    second = route("b", "m", features=TEXT | {"tools"})
    planned = plan(ask(model="m", tools=(Tool("t"),)), generation(first, second))
    assert order_of(planned) == [("b", "m"), ("a", None)]


def test_a_lister_that_cannot_carry_the_request_leaves_the_model_to_the_primary() -> None:
    first, second = route("a", features=TEXT | {"tools"}), route("b", "m")
    planned = plan(ask(model="m", tools=(Tool("t"),)), generation(first, second))
    assert order_of(planned) == [("a", "m")]


def test_a_hint_is_noted_by_the_features_of_the_model() -> None:
    thinks = replace(route("a", "m"), capabilities_for={"m": Capabilities(TEXT | {"reasoning"})}.__getitem__)
    assert plan(ask(reasoning="low", cache_prompt=True), generation(thinks)).candidates[0].notes == (
        "cache_prompt left out: a does not take it",
    )


def test_a_refusal_skips_with_its_reason_and_is_asked_with_the_model_that_would_be_sent() -> None:
    asked: list[tuple[str | None, str]] = []

    def refusal(request: ChatRequest, model: str) -> str:
        asked.append((request.model, model))
        return "the schema at $ names no properties"

    first = replace(route("a", features=TEXT | {"schema"}), refusal_for=refusal)
    planned = plan(ask(model="m", response_format="json"), generation(first))
    assert [(entry.kind, entry.reason) for entry in planned.skipped] == [
        ("capability", "the schema at $ names no properties")
    ]
    assert asked == [("m", "m")]


def test_a_plain_question_is_not_held_against_any_refusal() -> None:
    def refusal(request: ChatRequest, model: str) -> str:
        raise AssertionError("nothing in it can be refused")

    assert order_of(plan(ask(), generation(replace(route("a"), refusal_for=refusal)))) == [("a", None)]
    prefilled = ChatRequest((Message.user("2+2?"), Message.assistant("The answer is")))
    with pytest.raises(AssertionError):
        plan(prefilled, generation(replace(route("a"), refusal_for=refusal)))


@pytest.mark.parametrize(
    ("part", "needed"),
    [
        (Image.from_url("https://example.invalid/a.png"), ("images", "image addresses")),
        (Image.from_url("https://example.invalid/a.png", fetch=True), ("images",)),
        (Image.from_path("a.png"), ("images",)),
        (File.from_bytes(b"%PDF-"), ("files",)),
        (File.from_url("https://example.invalid/a.pdf"), ("files", "image addresses")),
    ],
)
def test_an_attachment_needs_what_carries_it(part: Image | File, needed: tuple[str, ...]) -> None:
    assert needs(ChatRequest((Message.user("What?", part),))) == needed


def test_the_prompt_is_counted_once_and_only_where_somebody_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[ChatRequest] = []

    def count(request: ChatRequest) -> int:
        counted.append(request)
        return 7

    monkeypatch.setattr("faultmaven.application.planning.planner.prompt_tokens", count)
    plan(ask(), generation(route("a")))
    assert counted == []
    small = Capabilities(TEXT, context_window=100)
    limited = replace(route("a"), capabilities_for=lambda model: small, tokens_per_minute=1000)
    plan(ask(), generation(limited))
    assert len(counted) == 1
