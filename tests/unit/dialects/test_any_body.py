"""Mutated replies and arbitrary text: a dialect returns a value or raises `LLMError`, and no other exception."""

import json
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultmaven.application.validation.request import build_chat_request
from faultmaven.domain.errors import InvalidRequestError, LLMError
from faultmaven.domain.messages import Message, Role
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects.protocol import Answer
from faultmaven.infrastructure.llm.dialects.registry import DIALECTS as ALL_FORMS
from faultmaven.infrastructure.llm.dialects.registry import dialect_for
from faultmaven.infrastructure.llm.dialects.shared.errors import build_error, parse_error_body, raise_for_status
from faultmaven.infrastructure.llm.dialects.shared.reading import parse_json

from .samples import DIALECTS, json_body, load, reply_of

few_examples = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

# Lone surrogates are two in a thousand of all characters. Without this list, hypothesis would rarely draw one.
ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud800\udfff\x00\u2028 é👩/?#"), max_size=12)
ODD_NUMBERS = st.sampled_from([10**20, -(10**400), 10**400, math.nan, math.inf, -math.inf, 1e308, -0.0, 2**63])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ODD_NUMBERS | ANY_TEXT
VALUES = st.recursive(LEAVES, lambda item: st.lists(item, max_size=4) | st.dictionaries(ANY_TEXT, item, max_size=4))


def _nested_value(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"content": value}
    return value


ODD_VALUES = VALUES | st.sampled_from([_nested_value(150), _nested_value(400), [[]], [{}], {"": {}}])


def _paths_in(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside `value`, and the empty path of `value` itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in items for path in _paths_in(item, (*prefix, key)))]


def _with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of `value` with `new` at `path`. An empty path replaces `value` itself."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, key: _with_value(value[key], rest, new)}
    return [*value[:key], _with_value(value[key], rest, new), *value[key + 1 :]]


def _without_value(value: Any, path: tuple[Any, ...]) -> Any:
    key, rest = path[0], path[1:]
    if rest:
        return _with_value(value, (key,), _without_value(value[key], rest))
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name != key}
    return [*value[:key], *value[key + 1 :]]


@st.composite
def mutated_bodies(draw: st.DrawFn, valid_bodies: list[bytes]) -> bytes:
    """Draw a valid body with values replaced, keys deleted, or bytes cut off or overwritten; or random bytes."""
    body = draw(st.sampled_from(valid_bodies))
    mutation = draw(st.sampled_from(["values", "values", "values", "cut", "bytes", "noise"]))
    if mutation == "values":
        value = json.loads(body)
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(_paths_in(value)))
            remove = bool(path) and draw(st.booleans())
            value = _without_value(value, path) if remove else _with_value(value, path, draw(ODD_VALUES))
        return json_body(value)
    if mutation == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if mutation == "bytes":
        start = draw(st.integers(0, len(body)))
        return body[:start] + draw(st.binary(min_size=1, max_size=8)) + body[start + draw(st.integers(0, 8)) :]
    return draw(st.binary(max_size=60) | VALUES.map(json_body) | st.sampled_from([b"[" * 9999, b'{"a":' * 9999]))


def _valid_bodies(kind: str, dialect: str) -> list[bytes]:
    bodies = [sample.reply.body for sample in load(kind) if sample.dialect.partition("/")[0] == dialect]
    return [body for body in bodies if body[:1] in (b"{", b"[") and b"\n" not in body]


ODD_REPLACEMENTS: list[Any] = [
    *(None, True, "", "x", "\ud800", -1, 0, 1.5, 10**20, 10**400, -(10**400), math.nan, math.inf, -math.inf),
    *([], [[]], [None], ["x"], [{}], {}, {"": {}}, {"text": 1}, _nested_value(150)),
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_answer_field_tolerates_odd_values(dialect: str) -> None:
    """Each value of each sample is replaced by each odd value, and removed. Exhaustive, not random."""
    for body in _valid_bodies("answers", dialect):
        for mutated in _mutations_of(json.loads(body)):
            _check_parsing(dialect, json_body(mutated))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_error_field_tolerates_odd_values(dialect: str) -> None:
    """The same for error replies, under 429, where the body decides most."""
    for body in _valid_bodies("errors", dialect):
        for mutated in _mutations_of(json.loads(body)):
            reply = reply_of(dialect, json_body(mutated), 429)
            _check_error(build_error(reply, parse_error_body(reply)))


def _mutations_of(value: Any) -> Iterator[Any]:
    for path in _paths_in(value):
        yield from (_with_value(value, path, odd) for odd in ODD_REPLACEMENTS)
        if path:
            yield _without_value(value, path)


def _check_parsing(dialect: str, body: bytes) -> None:
    try:
        answer = dialect_for(dialect).parse_response(reply_of(dialect, body))
    except LLMError as error:
        _check_error(error)
    else:
        _check_answer(answer)


@pytest.mark.parametrize("dialect", DIALECTS)
@few_examples
@given(data=st.data())
def test_mutated_answer_parses_or_raises_llm_error(dialect: str, data: st.DataObject) -> None:
    """Random mutations of every answer sample."""
    _check_parsing(dialect, data.draw(mutated_bodies(_valid_bodies("answers", dialect))))


@pytest.mark.parametrize("dialect", DIALECTS)
@few_examples
@given(data=st.data())
def test_mutated_model_list_parses_or_raises(dialect: str, data: st.DataObject) -> None:
    """Random mutations of every sample of the list route."""
    body = data.draw(mutated_bodies(_valid_bodies("models", dialect)))
    try:
        models = dialect_for(dialect).parse_models(reply_of(dialect, body))
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
@few_examples
@given(data=st.data(), status=st.integers(300, 599), headers=HEADERS)
def test_mutated_error_body_raises_llm_error(
    dialect: str, data: st.DataObject, status: int, headers: dict[str, str]
) -> None:
    """Random mutations of every error sample, under every status and every vendor's dialect."""
    variant = data.draw(st.sampled_from([variant for variant in ALL_FORMS if variant.partition("/")[0] == dialect]))
    reply = reply_of(variant, data.draw(mutated_bodies(_valid_bodies("errors", dialect))), status, headers)
    with pytest.raises(LLMError) as caught:
        raise_for_status(reply)
    _check_error(caught.value)
    _check_error(build_error(reply, parse_error_body(reply)))
    assert caught.value.status == status


def _check_answer(answer: Answer) -> None:
    assert isinstance(answer.content, str)
    answer.content.encode()  # raises if a lone surrogate is inside
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
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("prompt", ODD_PROMPTS)
def test_odd_prompt_text_is_sent_unchanged(dialect: str, prompt: str) -> None:
    """Every prompt that UTF-8 can encode is sent unchanged."""
    sent = dialect_for(dialect).build_request(build_chat_request(prompt), _config(dialect), "m")
    assert prompt in _strings(json.loads(sent.body))
    assert prompt in _strings(parse_json(sent.body))


@pytest.mark.parametrize("dialect", DIALECTS)
@few_examples
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4), model=ANY_TEXT)
def test_any_text_builds_request_or_is_refused(dialect: str, texts: list[str], model: str) -> None:
    """Without request validation, empty messages, odd model ids and lone surrogates raise typed errors only."""
    roles: tuple[Role, ...] = ("user", "assistant", "system", "user")
    request = ChatRequest(tuple(Message(role, (text,)) for role, text in zip(roles, texts, strict=False)))
    build = dialect_for(dialect).build_request
    refused = _refusal(lambda: build(request, _config(dialect), model))
    if refused is None:
        sent = build(request, _config(dialect), model)
        assert isinstance(json.loads(sent.body), dict)
        assert sent.url.isascii()
    else:
        assert not all(_is_encodable(text) for text in (*texts, model))
        assert refused.__context__ is None  # a UnicodeEncodeError holds the whole text


@few_examples
@given(prompt=ANY_TEXT, stop=ANY_TEXT, model=ANY_TEXT)
def test_request_validation_accepts_encodable_text_only(prompt: str, stop: str, model: str) -> None:
    """A lone surrogate is refused before any provider is called. All other characters are allowed."""
    if not prompt.strip() or not stop:
        return
    sendable = all(_is_encodable(text) for text in (prompt, stop, model))
    refused = _refusal(lambda: build_chat_request(prompt, model, options={"stop": stop}))
    assert (refused is None) is sendable
    if refused is not None:
        assert "lone surrogate" in str(refused)
        assert refused.__context__ is None


def test_surrogate_error_names_position_without_text() -> None:
    """The message names the turn and the position, and quotes no text of the prompt."""
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] holds a lone surrogate at character 6") as caught:
        build_chat_request([Message.system("ok"), Message.user("secret\udce9")])
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("number", [10**400, 10**5000, -(10**5000), math.inf, -math.inf, math.nan], ids=lambda _: "")
@pytest.mark.parametrize("name", ["temperature", "deadline"])
def test_request_validation_refuses_numbers_beyond_float(name: str, number: float) -> None:
    """An int beyond the range of float raises InvalidRequestError, not OverflowError."""
    arguments: dict[str, Any] = {"temperature": number} if name == "temperature" else {"options": {"deadline": number}}
    with pytest.raises(InvalidRequestError, match=f"{name} is"):
        build_chat_request("ping", **arguments)


def _refusal(call: Callable[[], object]) -> InvalidRequestError | None:
    try:
        call()
    except InvalidRequestError as error:
        return error
    return None


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
