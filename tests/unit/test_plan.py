"""Plans, chains and time shares: pure functions of values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.configuration import ConfigurationSnapshot, Route, build_chain
from faultmaven.application.planning.plan import Plan
from faultmaven.application.planning.planner import no_candidate_error, plan_request
from faultmaven.application.planning.requirements import required_features
from faultmaven.application.planning.time_shares import TimeShares
from faultmaven.domain.attachments import File, Image
from faultmaven.domain.capabilities import Capabilities
from faultmaven.domain.errors import ConfigurationError, InvalidRequestError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.tools import Tool
from faultmaven.testing import FakeProvider

TEXT_FEATURES = frozenset({"turns", "seed"})


def route(name: str, *models: str, confidence: float = 0.5, features: frozenset[str] = TEXT_FEATURES) -> Route:
    return Route(name, FakeProvider(), models or (f"{name}-model",), confidence=confidence, features=features)


def configure(
    *routes: Route, order: tuple[str, ...] = (), missing: dict[str, str] | None = None
) -> ConfigurationSnapshot:
    names = order or tuple(route.name for route in routes)
    return ConfigurationSnapshot({route.name: route for route in routes}, missing or {}, {"chat": names})


def make_request(text: str = "ping", **fields: object) -> ChatRequest:
    return replace(ChatRequest((Message.user(text),)), **fields)  # type: ignore[arg-type]


def candidates(planned: Plan) -> list[tuple[str, str | None]]:
    return [(candidate.route.name, candidate.model) for candidate in planned.candidates]


def test_equal_requests_make_equal_plans() -> None:
    configuration = configure(route("a"), route("b"))
    one, other = plan_request(make_request(), configuration), plan_request(make_request(deadline=120.0), configuration)
    assert one == replace(other)
    assert hash(one) == hash(replace(other))


def test_candidates_follow_the_chain_order() -> None:
    planned = plan_request(make_request(), configure(route("a"), route("b"), route("c"), order=("b", "c", "a")))
    assert candidates(planned) == [("b", None), ("c", None), ("a", None)]


def test_first_candidate_with_model_moves_to_front() -> None:
    planned = plan_request(make_request(model="m-b"), configure(route("a"), route("b", "own", "m-b"), route("c")))
    assert candidates(planned) == [("b", "m-b"), ("a", None), ("c", None)]


def test_unlisted_model_goes_only_to_primary() -> None:
    planned = plan_request(make_request(model="tomorrow"), configure(route("a"), route("b"), route("c")))
    assert candidates(planned) == [("a", "tomorrow"), ("b", None), ("c", None)]


def test_fallback_that_lists_model_also_gets_model() -> None:
    planned = plan_request(make_request(model="m"), configure(route("a", "m"), route("b"), route("c", "own", "m")))
    assert candidates(planned) == [("a", "m"), ("b", None), ("c", "m")]


def test_unconfigured_provider_is_skipped_with_reason() -> None:
    planned = plan_request(
        make_request(), configure(route("a"), order=("b", "a"), missing={"b": "B_API_KEY is not set"})
    )
    assert candidates(planned) == [("a", None)]
    assert [(skipped.name, skipped.reason) for skipped in planned.skipped] == [
        ("b", "named in the chain, but B_API_KEY is not set")
    ]


def test_empty_configuration_error_names_missing_settings() -> None:
    empty = ConfigurationSnapshot(
        {}, {"a": "A_API_KEY is not set"}, {"chat": ()}, not_configured="Set one of A_API_KEY."
    )
    error = no_candidate_error(plan_request(make_request(), empty), empty)
    assert isinstance(error, ConfigurationError)
    assert "Set one of A_API_KEY" in str(error)


def test_pinned_provider_is_the_only_candidate() -> None:
    assert candidates(plan_request(make_request(), configure(route("a"), route("b")), pinned="b")) == [("b", None)]


def test_unknown_pinned_provider_error_suggests_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'openai'"):
        plan_request(make_request(), configure(route("openai")), pinned="opnai")


def test_unknown_role_error_suggests_nearest_role() -> None:
    with pytest.raises(InvalidRequestError, match="did you mean 'synthesis'"):
        plan_request(make_request(), configure(route("a")), role="sinthesis")


def test_image_without_role_uses_multimodal_chain() -> None:
    vision = route("b", features=TEXT_FEATURES | {"images", "image addresses"})
    configuration = replace(configure(route("a"), vision), chains={"chat": ("a",), "multimodal": ("b",)})
    request = ChatRequest((Message.user("What is this?", Image.from_url("https://example.invalid/a.png")),))
    assert candidates(plan_request(request, configuration)) == [("b", None)]


def test_missing_feature_skips_provider_with_reason() -> None:
    planned = plan_request(
        make_request(tools=(Tool("t"),)), configure(route("a"), route("b", features=TEXT_FEATURES | {"tools"}))
    )
    assert candidates(planned) == [("b", None)]
    assert planned.skipped[0].reason == "does not support tools"


def test_feature_without_any_provider_is_refused() -> None:
    configuration = configure(route("a"))
    error = no_candidate_error(
        plan_request(make_request(response_format={"type": "object"}), configuration), configuration
    )
    assert isinstance(error, InvalidRequestError)
    assert "a: does not support schema" in str(error)


def test_plain_provider_is_skipped_for_missing_features() -> None:
    plain = route("plain", features=frozenset())
    conversation = ChatRequest((Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")))
    planned = plan_request(conversation, configure(plain, route("b")))
    assert planned.skipped[0].reason == "does not support assistant turns"
    assert (
        plan_request(make_request(stop=("END",)), configure(plain, route("b"))).skipped[0].reason
        == "does not support stop"
    )


def test_unsupported_hint_is_noted_without_skipping() -> None:
    planned = plan_request(make_request(seed=7), configure(route("plain", features=frozenset())))
    assert planned.candidates[0].notes == ("seed left out: plain does not support it",)


def test_request_deadline_overrides_configured_deadline() -> None:
    assert plan_request(make_request(deadline=5.0), configure(route("a"))).deadline == 5.0
    assert plan_request(make_request(), configure(route("a"))).deadline == 120.0


def test_candidate_timeout_depends_on_the_model() -> None:
    slow = replace(route("a", "thinker", "quick"), timeout_for={"thinker": 120.0, "quick": 30.0}.__getitem__)
    assert plan_request(make_request(), configure(slow)).candidates[0].timeout == 120.0
    assert plan_request(make_request(model="quick"), configure(slow)).candidates[0].timeout == 30.0


# DESIGN section 8: the remaining time, less 10 s (or an equal split, if less) for each of the next two candidates.
@pytest.mark.parametrize(
    ("remaining", "successors", "expected"),
    [(120, 0, 120), (120, 1, 110), (120, 2, 100), (120, 7, 100), (12, 2, 4), (30, 2, 10), (18, 1, 9), (40, 2, 20)],
)
def test_share_leaves_reserve_for_next_candidates(remaining: float, successors: int, expected: float) -> None:
    assert TimeShares(successors + 1).share_of(0, remaining) == pytest.approx(expected)


@given(remaining=st.floats(0.001, 1e6), successors=st.integers(0, 20))
def test_hung_candidate_leaves_next_two_a_reserve(remaining: float, successors: int) -> None:
    used = TimeShares(successors + 1).share_of(0, remaining)
    rest = remaining - used
    reserved_candidates = min(successors, 2)
    assert 0 < used <= remaining
    assert rest >= min(10.0, remaining / (reserved_candidates + 1)) * reserved_candidates - 1e-6


def test_chain_is_primary_then_rest_by_weight() -> None:
    routes = [route("low", confidence=0.1), route("high", confidence=0.9), route("mid", confidence=0.5)]
    assert build_chain(routes, None) == ("high", "mid", "low")
    assert build_chain(routes, "low") == ("low", "high", "mid")


def test_equal_weights_keep_schema_order() -> None:
    assert build_chain([route("b"), route("a"), route("c")], None) == ("b", "a", "c")


def test_explicit_chain_replaces_the_rest() -> None:
    routes = [route("a", confidence=0.9), route("b"), route("c")]
    assert build_chain(routes, None, ["c"]) == ("a", "c")
    assert build_chain(routes, "b", ["c", "b", "a"]) == ("b", "c", "a")


def test_strict_mode_keeps_only_the_primary() -> None:
    assert build_chain([route("a", confidence=0.9), route("b")], None, ["b"], strict=True) == ("a",)


def test_weights_below_threshold_are_planned_last() -> None:
    routes = [route("a", confidence=0.6), route("b", confidence=0.9)]
    assert build_chain(routes, None, ["a", "b"], threshold=0.8) == ("b", "a")


def test_chain_without_providers_is_empty() -> None:
    assert build_chain([], None) == ()


def test_unlisted_model_without_capable_primary_is_dropped() -> None:
    capable = route("b", features=TEXT_FEATURES | {"tools"})
    planned = plan_request(make_request(model="tomorrow", tools=(Tool("t"),)), configure(route("a"), capable))
    assert candidates(planned) == [("b", None)]


def test_planner_checks_features_of_requested_model() -> None:
    features_of = {"eye": TEXT_FEATURES | {"images"}, "blind": TEXT_FEATURES}
    mixed = replace(route("a", "eye", "blind"), capabilities_for=lambda model: Capabilities(features_of[model]))
    image_request = ChatRequest((Message.user("What?", Image.from_bytes(b"x", "image/png")),))
    assert candidates(plan_request(image_request, configure(mixed), role="chat")) == [("a", None)]
    refused = plan_request(replace(image_request, model="blind"), configure(mixed), role="chat")
    assert [(skipped.kind, skipped.reason, skipped.model) for skipped in refused.skipped] == [
        ("capability", "does not support images", "blind")
    ]


def test_primary_without_requested_model_uses_default_model() -> None:
    features_of = {"own": TEXT_FEATURES | {"tools"}, "m": frozenset[str]()}
    first = replace(route("a", "own"), capabilities_for=lambda model: Capabilities(features_of[model]))
    second = route("b", "m", features=TEXT_FEATURES | {"tools"})
    planned = plan_request(make_request(model="m", tools=(Tool("t"),)), configure(first, second))
    assert candidates(planned) == [("b", "m"), ("a", None)]


def test_incapable_lister_leaves_model_to_primary() -> None:
    first, second = route("a", features=TEXT_FEATURES | {"tools"}), route("b", "m")
    planned = plan_request(make_request(model="m", tools=(Tool("t"),)), configure(first, second))
    assert candidates(planned) == [("a", "m")]


def test_hint_notes_follow_model_features() -> None:
    reasoning = replace(
        route("a", "m"), capabilities_for={"m": Capabilities(TEXT_FEATURES | {"reasoning"})}.__getitem__
    )
    assert plan_request(make_request(reasoning="low", cache_prompt=True), configure(reasoning)).candidates[0].notes == (
        "cache_prompt left out: a does not support it",
    )


def test_vendor_check_of_sent_model_skips_candidate() -> None:
    checked: list[tuple[str | None, str]] = []

    def refusal(request: ChatRequest, model: str) -> str:
        checked.append((request.model, model))
        return "the schema at $ names no properties"

    first = replace(route("a", features=TEXT_FEATURES | {"schema"}), refusal_for=refusal)
    planned = plan_request(make_request(model="m", response_format="json"), configure(first))
    assert [(skipped.kind, skipped.reason) for skipped in planned.skipped] == [
        ("capability", "the schema at $ names no properties")
    ]
    assert checked == [("m", "m")]


def test_plain_prompt_needs_no_vendor_check() -> None:
    def refusal(request: ChatRequest, model: str) -> str:
        raise AssertionError("nothing in it can be refused")

    assert candidates(plan_request(make_request(), configure(replace(route("a"), refusal_for=refusal)))) == [
        ("a", None)
    ]
    prefilled = ChatRequest((Message.user("2+2?"), Message.assistant("The answer is")))
    with pytest.raises(AssertionError):
        plan_request(prefilled, configure(replace(route("a"), refusal_for=refusal)))


@pytest.mark.parametrize(
    ("part", "features"),
    [
        (Image.from_url("https://example.invalid/a.png"), ("images", "image addresses")),
        (Image.from_url("https://example.invalid/a.png", fetch=True), ("images",)),
        (Image.from_path("a.png"), ("images",)),
        (File.from_bytes(b"%PDF-"), ("files",)),
        (File.from_url("https://example.invalid/a.pdf"), ("files", "image addresses")),
    ],
)
def test_attachment_source_decides_required_features(part: Image | File, features: tuple[str, ...]) -> None:
    assert required_features(ChatRequest((Message.user("What?", part),))) == features


def test_prompt_tokens_are_counted_once_if_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[ChatRequest] = []

    def count(request: ChatRequest) -> int:
        counted.append(request)
        return 7

    monkeypatch.setattr("faultmaven.application.planning.planner.prompt_tokens", count)
    plan_request(make_request(), configure(route("a")))
    assert counted == []
    small = Capabilities(TEXT_FEATURES, context_window=100)
    limited = replace(route("a"), capabilities_for=lambda model: small, tokens_per_minute=1000)
    plan_request(make_request(), configure(limited))
    assert len(counted) == 1
