"""Whatever bytes come: an answer or one of our errors, never a KeyError. Whatever text goes: a request or our error."""

import json
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultmaven.application.validation.request import chat_request
from faultmaven.domain.errors import InvalidRequestError, LLMError
from faultmaven.domain.messages import Message, Role
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects.protocol import Answer
from faultmaven.infrastructure.llm.dialects.registry import DIALECTS as ALL_FORMS
from faultmaven.infrastructure.llm.dialects.registry import wire_for
from faultmaven.infrastructure.llm.dialects.shared.errors import raise_for_status, read_error, vendor_error
from faultmaven.infrastructure.llm.dialects.shared.reading import parse_json

from .samples import DIALECTS, json_body, load, reply_of

few = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# Lone surrogates are two in a thousand of all characters: named here, or they would hardly ever be tried.
ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud800\udfff\x00\u2028 é👩/?#"), max_size=12)
ODD_NUMBERS = st.sampled_from([10**20, -(10**400), 10**400, math.nan, math.inf, -math.inf, 1e308, -0.0, 2**63])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ODD_NUMBERS | ANY_TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4))


def _deep(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"content": value}
    return value


ODD_VALUES = VALUES | st.sampled_from([_deep(150), _deep(400), [[]], [{}], {"": {}}])


def _places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside `value`, its own included."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, inner in inside for place in _places(inner, (*here, key)))]


def _changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return `value` with what is at `place` replaced; the whole of it when `place` is empty."""
    if not place:
        return new
    key, rest = place[0], place[1:]
    if isinstance(value, dict):
        return {**value, key: _changed(value[key], rest, new)}
    return [*value[:key], _changed(value[key], rest, new), *value[key + 1 :]]


def _without(value: Any, place: tuple[Any, ...]) -> Any:
    key, rest = place[0], place[1:]
    if rest:
        return _changed(value, (key,), _without(value[key], rest))
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != key}
    return [*value[:key], *value[key + 1 :]]


@st.composite
def broken_bodies(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """A good body with values replaced, keys deleted, bytes cut off or overwritten."""
    body = draw(st.sampled_from(good))
    how = draw(st.sampled_from(["values", "values", "values", "cut", "bytes", "noise"]))
    if how == "values":
        value = json.loads(body)
        for _ in range(draw(st.integers(1, 3))):
            place = draw(st.sampled_from(_places(value)))
            remove = bool(place) and draw(st.booleans())
            value = _without(value, place) if remove else _changed(value, place, draw(ODD_VALUES))
        return json_body(value)
    if how == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if how == "bytes":
        at = draw(st.integers(0, len(body)))
        return body[:at] + draw(st.binary(min_size=1, max_size=8)) + body[at + draw(st.integers(0, 8)) :]
    return draw(st.binary(max_size=60) | VALUES.map(json_body) | st.sampled_from([b"[" * 9999, b'{"a":' * 9999]))


def _good(kind: str, dialect: str) -> list[bytes]:
    bodies = [sample.reply.body for sample in load(kind) if sample.dialect.partition("/")[0] == dialect]
    return [body for body in bodies if body[:1] in (b"{", b"[") and b"\n" not in body]


ODD_ANYWHERE: list[Any] = [
    *(None, True, "", "x", "\ud800", -1, 0, 1.5, 10**20, 10**400, -(10**400), math.nan, math.inf, -math.inf),
    *([], [[]], [None], ["x"], [{}], {}, {"": {}}, {"text": 1}, _deep(150)),
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_place_of_every_answer_may_hold_anything_or_nothing(dialect: str) -> None:
    """Each value of each sample, replaced by each odd value and taken out: without luck."""
    for body in _good("answers", dialect):
        for broken in _broken_everywhere(json.loads(body)):
            _check_reading(dialect, json_body(broken))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_place_of_every_error_may_hold_anything_or_nothing(dialect: str) -> None:
    """The same for errors, under a status where the body decides most."""
    for body in _good("errors", dialect):
        for broken in _broken_everywhere(json.loads(body)):
            reply = reply_of(dialect, json_body(broken), 429)
            _check_error(vendor_error(reply, read_error(reply)))


def _broken_everywhere(value: Any) -> Iterator[Any]:
    for place in _places(value):
        yield from (_changed(value, place, odd) for odd in ODD_ANYWHERE)
        if place:
            yield _without(value, place)


def _check_reading(dialect: str, body: bytes) -> None:
    try:
        answer = wire_for(dialect).parse_response(reply_of(dialect, body))
    except LLMError as error:
        _check_error(error)
    else:
        _check_answer(answer)


@pytest.mark.parametrize("dialect", DIALECTS)
@few
@given(data=st.data())
def test_any_body_is_an_answer_or_our_error(dialect: str, data: st.DataObject) -> None:
    """Every mutation of every sample."""
    _check_reading(dialect, data.draw(broken_bodies(_good("answers", dialect))))


@pytest.mark.parametrize("dialect", DIALECTS)
@few
@given(data=st.data())
def test_any_list_of_models_is_names_or_our_error(dialect: str, data: st.DataObject) -> None:
    """Every mutation of every list."""
    body = data.draw(broken_bodies(_good("models", dialect)))
    try:
        models = wire_for(dialect).parse_models(reply_of(dialect, body))
    except LLMError as error:
        _check_error(error)
    else:
        assert all(isinstance(model, str) for model in models)


HEADER_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
DELAYS = (
    st.integers().map(str)
    | st.floats().map(str)
    | st.sampled_from(
        ["Mon, 23 Nov 2026 22:00:30 GMT", "Mon, 23 Nov 2026 22:00:30 -0000", "Mon, 23 Nov 0000 1:1:1 +99"]
    )
    | HEADER_VALUES
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "retry-after": DELAYS,
        "retry-after-ms": DELAYS,
        "date": DELAYS,
        "x-request-id": HEADER_VALUES,
        "content-type": HEADER_VALUES,
        "x-ratelimit-remaining-requests": DELAYS,
        "x-ratelimit-reset-requests": DELAYS,
        "x-ratelimit-reset": DELAYS,
        "x-should-retry": st.sampled_from(["true", "false"]) | HEADER_VALUES,
    },
)


@pytest.mark.parametrize("dialect", DIALECTS)
@few
@given(data=st.data(), status=st.integers(300, 599), headers=HEADERS)
def test_any_error_body_is_our_error(dialect: str, data: st.DataObject, status: int, headers: dict[str, str]) -> None:
    """Every mutation of every error, under every status and in every vendor's form."""
    form = data.draw(st.sampled_from([form for form in ALL_FORMS if form.partition("/")[0] == dialect]))
    reply = reply_of(form, data.draw(broken_bodies(_good("errors", dialect))), status, headers)
    with pytest.raises(LLMError) as caught:
        raise_for_status(reply)
    _check_error(caught.value)
    _check_error(vendor_error(reply, read_error(reply)))
    assert caught.value.status == status


def _check_answer(answer: Answer) -> None:
    assert isinstance(answer.content, str)
    answer.content.encode()  # no lone surrogate gets in
    assert isinstance(answer.stop_reason, StopReason)
    assert isinstance(answer.model, str)
    for call in answer.tool_calls:
        assert isinstance(call.raw_arguments, str)
        assert isinstance(call.arguments, dict)
    if answer.usage is not None:
        counts: list[Any] = [getattr(answer.usage, name) for name in answer.usage.__slots__]
        assert all(count is None or (type(count) is int and 0 <= count <= 10**15) for count in counts)


def _check_error(error: LLMError) -> None:
    assert error.retry_after is None or (math.isfinite(error.retry_after) and error.retry_after >= 0)
    assert len(error.vendor_message) <= 600
    assert "\n" not in str(error)
    repr(error).encode()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


ODD_PROMPTS = [
    "line\u2028separator\u2029",
    "emoji 👩‍👩‍👧 and ﷽",
    "a NUL \x00 inside",
    "\ufeffBOM",
    '"quotes" \\ and {braces}',
    "\u202eright to left",
    "</script><!-- -->",
]


def _config(dialect: str) -> ProviderConfig:
    return ProviderConfig("acme", "key-of-acme", "https://acme.invalid/v1", dialect=dialect)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for inner in inside for text in _strings(inner)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("prompt", ODD_PROMPTS)
def test_odd_text_arrives_unchanged(dialect: str, prompt: str) -> None:
    """Whatever can be encoded is sent as it is."""
    sent = wire_for(dialect).build_request(chat_request(prompt), _config(dialect), "m")
    assert prompt in _strings(json.loads(sent.body))
    assert prompt in _strings(parse_json(sent.body))


@pytest.mark.parametrize("dialect", DIALECTS)
@few
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4), model=ANY_TEXT)
def test_any_text_is_a_request_or_refused_by_type(dialect: str, texts: list[str], model: str) -> None:
    """Past the door too: empty turns, odd model ids and lone surrogates never raise anything untyped."""
    roles: tuple[Role, ...] = ("user", "assistant", "system", "user")
    request = ChatRequest(tuple(Message(role, (text,)) for role, text in zip(roles, texts, strict=False)))
    build = wire_for(dialect).build_request
    refused = _refusal(lambda: build(request, _config(dialect), model))
    if refused is None:
        sent = build(request, _config(dialect), model)
        assert isinstance(json.loads(sent.body), dict)
        assert sent.url.isascii()
    else:
        assert not all(_is_text(text) for text in (*texts, model))
        assert refused.__context__ is None  # a UnicodeEncodeError holds the whole text


@few
@given(prompt=ANY_TEXT, stop=ANY_TEXT, model=ANY_TEXT)
def test_door_lets_through_only_what_can_be_encoded(prompt: str, stop: str, model: str) -> None:
    """A lone surrogate is refused before anybody is asked; nothing else about the characters matters."""
    if not prompt.strip() or not stop:
        return
    sendable = all(_is_text(text) for text in (prompt, stop, model))
    refused = _refusal(lambda: chat_request(prompt, model, options={"stop": stop}))
    assert (refused is None) is sendable
    if refused is not None:
        assert "lone surrogate" in str(refused)
        assert refused.__context__ is None


def test_door_says_where_the_surrogate_is_without_the_text() -> None:
    """The turn and the position, nothing of what was written."""
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] holds a lone surrogate at character 6") as caught:
        chat_request([Message.system("ok"), Message.user("secret\udce9")])
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("number", [10**400, 10**5000, -(10**5000), math.inf, -math.inf, math.nan], ids=lambda _: "")
@pytest.mark.parametrize("name", ["temperature", "deadline"])
def test_door_refuses_numbers_beyond_a_float(name: str, number: float) -> None:
    """An int that no float holds is a wrong number, not an OverflowError."""
    arguments: dict[str, Any] = {"temperature": number} if name == "temperature" else {"options": {"deadline": number}}
    with pytest.raises(InvalidRequestError, match=f"{name} is"):
        chat_request("ping", **arguments)


def _refusal(call: Callable[[], object]) -> InvalidRequestError | None:
    try:
        call()
    except InvalidRequestError as error:
        return error
    return None


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
