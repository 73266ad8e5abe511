"""Gemini: requests with conversations, tools, attachments and schemas, and parsed answers.

Samples are those of wire/gemini-generate-content.md, 2026-11-23. Each test names the section.
"""

import base64
import json
from dataclasses import replace
from typing import Any

import pydantic
import pytest

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.errors import MalformedResponseError, ProviderError
from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.llm.dialects.gemini import dialect as gemini
from faultmaven.infrastructure.llm.dialects.protocol import Answer
from faultmaven.infrastructure.llm.dialects.shared.outcomes import with_unique_ids

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import json_body, reply_of

DIALECT = "gemini-generate-content"
MODEL = "gemini-3.8-flash"
DUMMY = "skip_thought_signature_validator"
WEATHER = Tool("get_weather", "d", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALL = ToolCall("c1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
# Section 2 (5), byte for byte, except for the result.
SIGNED_PART: dict[str, Any] = {
    "functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "Oslo"}},
    "thoughtSignature": "CrEB...",
}
BARE_PART = {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}
PIXEL = b"\x89PNG\r\n\x1a\n"


def _answer(*parts: dict[str, Any], reason: str = "STOP") -> Answer:
    body = {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, "finishReason": reason}]}
    answer = gemini.parse_response(reply_of(DIALECT, json_body(body)))
    return replace(answer, tool_calls=with_unique_ids(answer.tool_calls))


def _message(answer: Answer, model: str = MODEL) -> Message:
    """Return `answer` as the message that the provider adds to a conversation."""
    ids = tuple(call.id for call in answer.tool_calls)
    replay = Replay("acme", DIALECT, model, answer.turn, answer.content, ids) if answer.turn is not None else None
    parts = (answer.content,) if answer.content else ()
    return Message("assistant", parts, answer.tool_calls, replay=replay)


def _contents(*messages: Message, model: str = MODEL) -> Any:
    return body_for(DIALECT, ChatRequest(messages), model)["contents"]


def _refusal(request: ChatRequest, model: str = MODEL) -> str:
    return gemini.refusal(request, config_of(DIALECT), model)


# --- tools ---


def test_tools_become_function_declarations() -> None:
    """Section 2 (4)."""
    body = body_for(DIALECT, replace(REQUEST, tools=(WEATHER,), tool_choice="auto"))
    expected = json.loads(
        '{"tools":[{"functionDeclarations":[{"name":"get_weather","description":"d","parametersJsonSchema":'
        '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}],'
        '"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}'
    )
    assert {name: body[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("get_weather", {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ],
)
def test_tool_choice_becomes_calling_mode(choice: str, config: dict[str, Any]) -> None:
    """Section 2 (4), modes."""
    body = body_for(DIALECT, replace(REQUEST, tools=(WEATHER,), tool_choice=choice))
    assert body["toolConfig"] == {"functionCallingConfig": config}


def test_unset_tool_choice_is_omitted() -> None:
    """The vendor's default applies."""
    assert "toolConfig" not in body_for(DIALECT, replace(REQUEST, tools=(WEATHER,)))


@pytest.mark.parametrize("parameters", [{}, {"type": "object", "properties": {}, "additionalProperties": False}])
def test_tool_without_parameters_has_no_schema(parameters: dict[str, Any]) -> None:
    """Some models refuse an empty object schema."""
    body = body_for(DIALECT, replace(REQUEST, tools=(Tool("now", "", parameters),)))
    assert body["tools"] == [{"functionDeclarations": [{"name": "now"}]}]


def test_replayed_parts_are_sent_back_unchanged() -> None:
    """Section 2 (5): thoughtSignature included, and the vendor's own id on the result."""
    answer = _answer(SIGNED_PART)
    contents = _contents(Message.user("?"), _message(answer), Message.tool("c1", '{"c":7}'))
    assert contents[1:] == json.loads(
        '[{"role":"model","parts":[{"functionCall":{"id":"c1","name":"get_weather","args":{"city":"Oslo"}},'
        '"thoughtSignature":"CrEB..."}]},{"role":"user","parts":[{"functionResponse":{"id":"c1",'
        '"name":"get_weather","response":{"output":{"c":7}}}}]}]'
    )


def test_generated_call_id_is_not_sent() -> None:
    """Section 2 (5): `id` may be missing. Then the vendor matches results by name and by the order of the calls."""
    parts: list[dict[str, Any]] = [
        {"functionCall": {"name": "a"}, "thoughtSignature": "S"},
        {"functionCall": {"name": "b", "args": {}}},
    ]
    answer = _answer(*parts)
    assert [call.id for call in answer.tool_calls] == ["call_1", "call_2"]
    contents = _contents(_message(answer), Message.tool("call_2", "second"), Message.tool("call_1", "first"))
    assert contents == [
        {"role": "model", "parts": parts},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "a", "response": {"output": "first"}}},
                {"functionResponse": {"name": "b", "response": {"output": "second"}}},
            ],
        },
    ]


def test_repeated_generated_id_keeps_tool_names() -> None:
    """Both assistant messages are sent back unchanged, and each has a `call_1`."""
    first = _message(_answer({"functionCall": {"name": "a"}, "thoughtSignature": "S"}))
    second = _message(_answer({"functionCall": {"name": "b"}, "thoughtSignature": "S"}))
    contents = _contents(first, Message.tool("call_1", "1"), second, Message.tool("call_1", "2"))
    assert [contents[place]["parts"][0]["functionResponse"]["name"] for place in (1, 3)] == ["a", "b"]


def test_failed_tool_result_uses_error_key() -> None:
    """Section 2 (5): `output` and `error` are the convention."""
    contents = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", "no such city", error=True))
    assert contents[1]["parts"][0]["functionResponse"]["response"] == {"error": "no such city"}


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("7", "7"),
        ("[1]", [1]),
        ("", ""),
        ('{"a":NaN}', '{"a":NaN}'),
        ("{", "{"),
    ],
)
def test_tool_output_parses_json_containers_only(text: str, output: Any) -> None:
    """A scalar stays text: 007 is not 7, and NaN is not JSON."""
    contents = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", text))
    assert contents[1]["parts"][0]["functionResponse"]["response"] == {"output": output}


def test_result_image_follows_function_response() -> None:
    """Both are parts of the same user turn."""
    image = Image.from_bytes(PIXEL, "image/png")
    contents = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", "seen", image))
    inline = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PIXEL).decode()}}
    assert [next(iter(part)) for part in contents[1]["parts"]] == ["functionResponse", "inlineData"]
    assert contents[1]["parts"][1] == inline


# --- calls without a signature ---


def test_call_of_other_provider_has_dummy_signature() -> None:
    """Section 7, trap 5; only the first call of the turn, with a note."""
    calls = Message.assistant("Let me look.", tool_calls=[CALL, ToolCall("c2", "now")])
    request = ChatRequest((Message.user("?"), calls, Message.tool("c1", "7"), Message.tool("c2", "8")))
    assert body_for(DIALECT, request)["contents"][1]["parts"] == [
        {"text": "Let me look."},
        {**BARE_PART, "thoughtSignature": DUMMY},
        {"functionCall": {"name": "now", "args": {}}},
    ]
    assert [note for note in http_request_for(DIALECT, request).notes if DUMMY in note]


@pytest.mark.parametrize(
    ("model", "signed"),
    [("gemini-2.5-pro", False), ("models/gemini-3.1-pro-preview", True), ("gemini-4-argon", True), ("gemma-3", False)],
)
def test_dummy_signature_requires_gemini_3(model: str, signed: bool) -> None:
    """Earlier models check no signatures."""
    contents = _contents(Message.assistant(tool_calls=[CALL]), Message.tool("c1", "7"), model=model)
    assert ("thoughtSignature" in contents[0]["parts"][0]) is signed


def test_replay_of_other_model_is_rebuilt() -> None:
    """The signature is left out, with a note."""
    request = ChatRequest((_message(_answer(SIGNED_PART), "gemini-3.7-flash"), Message.tool("c1", "7")))
    contents = body_for(DIALECT, request)["contents"]
    assert contents[0]["parts"] == [{**BARE_PART, "thoughtSignature": DUMMY}]
    assert "id" not in contents[1]["parts"][0]["functionResponse"]
    assert any("gemini-3.7-flash" in note for note in http_request_for(DIALECT, request).notes)


def test_own_call_without_signature_has_dummy() -> None:
    """The vendor would refuse a turn that is kept only for thoughts."""
    thought = {"text": "Hm", "thought": True}
    contents = _contents(_message(_answer(thought, BARE_PART)), Message.tool("call_1", "7"))
    assert contents[0]["parts"] == [thought, {**BARE_PART, "thoughtSignature": DUMMY}]


def test_broken_call_arguments_are_noted() -> None:
    """`args` accepts objects only."""
    broken = ToolCall("c1", "get_weather", {}, "{", "the arguments are not JSON")
    request = ChatRequest((Message.assistant(tool_calls=[broken]), Message.tool("c1", "7")))
    assert any("broken arguments" in note for note in http_request_for(DIALECT, request).notes)


# --- images and files ---


def test_attachments_are_inline_data_or_uris() -> None:
    """Section 2 (3)."""
    contents = _contents(
        Message.user(
            "What is this?",
            Image.from_bytes(PIXEL, "image/png"),
            Image.from_url("https://a.invalid/b.JPG?x=1.png"),
            File.from_bytes(b"%PDF-", "application/pdf"),
            Image.from_url("https://generativelanguage.googleapis.com/v1beta/files/abc", "image/png"),
        )
    )
    assert contents[0]["parts"] == [
        {"text": "What is this?"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://a.invalid/b.JPG?x=1.png"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {
            "fileData": {
                "mimeType": "image/png",
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
            }
        },
    ]


def test_guessed_type_and_dropped_name_are_noted() -> None:
    """Every loss has a note, without private data."""
    file = File.from_bytes(b"%PDF-", "application/pdf", name="report.pdf")
    notes = http_request_for(DIALECT, ChatRequest((Message.user(Image.from_url("https://a.invalid/x"), file),))).notes
    assert any("image/jpeg" in note for note in notes)
    assert any("names of files" in note for note in notes)
    assert not any("report" in note or "a.invalid" in note for note in notes)


@pytest.mark.parametrize(
    ("message", "model", "expected"),
    [
        (Message.user(Image.from_url("https://a.invalid/x.png")), "gemini-2.0-flash", "addresses"),
        (Message.user(Image.from_url("https://a.invalid/x.png", fetch=True)), "gemini-2.0-flash", ""),
        (
            Message.user(Image.from_url("https://generativelanguage.googleapis.com/v1beta/files/abc")),
            "gemini-2.0-flash",
            "",
        ),
        (Message.user(Image.from_url("https://a.invalid/x.png")), MODEL, ""),
        (Message.user(Image.from_url("https://a.invalid/x.gif")), MODEL, "GIF"),
        (Message.user(Image.from_bytes(b"GIF89a", "image/gif")), MODEL, "GIF"),
        (Message("system", ("x", Image.from_bytes(PIXEL, "image/png"))), MODEL, "system"),
    ],
)
def test_unsupported_attachment_is_refused(message: Message, model: str, expected: str) -> None:
    """Section 2 (3): Gemini 2.0 fetches nothing; ai.google.dev, image formats, 2026-11."""
    refusal = _refusal(ChatRequest((message,)), model)
    assert expected in refusal
    assert bool(refusal) is bool(expected)


# --- structured output ---


class Place(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    city: str


class Trip(pydantic.BaseModel):
    start: Place
    note: str = ""


class Node(pydantic.BaseModel):
    inner: "Node | None" = None


def test_json_mode_sets_response_mime_type() -> None:
    """Section 2 (6)."""
    body = body_for(DIALECT, replace(REQUEST, response_format="json"))
    assert body["generationConfig"] == {"responseMimeType": "application/json"}


def test_schema_is_sent_without_references() -> None:
    """Section 2 (6): dropped keywords are noted."""
    request = replace(REQUEST, response_format=Trip)
    config = body_for(DIALECT, request)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    place = config["responseJsonSchema"]["properties"]["start"]
    assert place["properties"] == {"city": {"title": "City", "type": "string"}}
    schema_text = json.dumps(config)  # pydantic writes the inner model as a reference
    assert not any(word in schema_text for word in ("$ref", "$defs", "additionalProperties"))
    assert [note for note in http_request_for(DIALECT, request).notes if "additionalProperties" in note]


def test_recursive_schema_is_refused_by_name() -> None:
    """As response format and as parameters of a tool."""
    assert "Node" in _refusal(replace(REQUEST, response_format=Node))
    assert "Node" in _refusal(replace(REQUEST, tools=(Tool("t", "", Node.model_json_schema()),)))


@pytest.mark.parametrize(
    ("model", "choice", "is_refused"),
    [("gemini-2.5-pro", None, True), ("gemini-2.5-pro", "none", False), (MODEL, None, False)],
)
def test_schema_with_tools_requires_gemini_3(model: str, choice: str | None, is_refused: bool) -> None:
    """Gemini 2.5 answers 400 unless the mode is NONE (github.com/google/adk-python/issues/5735)."""
    request = replace(REQUEST, tools=(WEATHER,), tool_choice=choice, response_format=Trip)
    assert bool(_refusal(request, model)) is is_refused


# --- reasoning ---


@pytest.mark.parametrize(
    ("model", "intent", "config", "noted"),
    [
        (MODEL, "low", {"includeThoughts": True, "thinkingLevel": "LOW"}, ""),
        (MODEL, "off", None, "left out"),
        (MODEL, 9000, {"includeThoughts": True, "thinkingLevel": "HIGH"}, "'high'"),
        ("gemini-3.6-flash", "off", {"thinkingLevel": "MINIMAL"}, "MINIMAL"),
        ("gemini-3.5-flash-lite", "off", {"thinkingLevel": "MINIMAL"}, "MINIMAL"),
        ("models/gemini-3.1-pro-preview", "off", None, "left out"),
        ("gemini-3-pro-preview", "medium", None, "left out"),
        ("gemini-4-argon", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}, ""),
        ("gemini-2.5-flash", "off", {"thinkingBudget": 0}, ""),
        ("gemini-2.5-flash", 0, {"thinkingBudget": 0}, ""),
        ("gemini-2.5-flash", "medium", {"includeThoughts": True, "thinkingBudget": 8192}, ""),
        ("gemini-2.5-flash", 100_000, {"includeThoughts": True, "thinkingBudget": 24_576}, "24576"),
        ("gemini-2.5-pro", "off", None, "left out"),
        ("gemini-2.5-pro", 0, {"includeThoughts": True, "thinkingBudget": 128}, "128"),
        ("gemini-2.5-pro", 4000, {"includeThoughts": True, "thinkingBudget": 4000}, ""),
        ("gemini-2.0-flash", "high", None, "left out"),
        ("gemma-3-27b", "high", None, "left out"),
    ],
)
def test_reasoning_uses_form_of_the_model(model: str, intent: Any, config: Any, noted: str) -> None:
    """Section 2 (7): levels since Gemini 3, budgets in 2.5, never both."""
    request = replace(REQUEST, reasoning=intent)
    sent = body_for(DIALECT, request, model).get("generationConfig", {})
    assert sent.get("thinkingConfig") == config
    notes = http_request_for(DIALECT, request, model).notes
    assert bool(notes) is bool(noted)
    assert noted in " ".join(notes)


# --- answers ---


def test_thoughts_are_separate_and_kept() -> None:
    """Section 3, first sample."""
    parts: list[dict[str, Any]] = [
        {"text": "Thinking summary", "thought": True},
        {"text": "Hi", "thoughtSignature": "CrEB..."},
    ]
    answer = _answer(*parts)
    assert (answer.content, answer.reasoning, answer.turn) == ("Hi", "Thinking summary", parts)


def test_plain_answer_keeps_no_turn() -> None:
    """Text and calls are complete without `turn`."""
    assert _answer({"text": "Hi"}, BARE_PART).turn is None


def test_unknown_part_kind_is_kept() -> None:
    """For example an image, or code that Gemini ran: neither text nor a tool call."""
    parts: list[dict[str, Any]] = [{"text": "Hi"}, {"executableCode": {"language": "PYTHON", "code": "1"}}]
    assert _answer(*parts).turn == parts


@pytest.mark.parametrize("arguments", ["{", [1], 7])
def test_non_object_arguments_are_a_problem(arguments: Any) -> None:
    """Such a call must not be executed."""
    call = _answer({"functionCall": {"name": "a", "args": arguments}}).tool_calls[0]
    assert call.problem
    assert call.arguments == {}


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"])
def test_malformed_answer_reason_is_retryable(reason: str) -> None:
    """Section 3, table: a failed call that may be retried once."""
    with pytest.raises(MalformedResponseError) as caught:
        _answer(reason=reason)
    assert (caught.value.code, caught.value.retryable) == (reason, True)
    assert "URL" not in str(caught.value)


@pytest.mark.parametrize("reason", ["UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"])
def test_other_failure_reasons_are_not_retryable(reason: str) -> None:
    """Section 3, table: the other reasons of failure."""
    with pytest.raises(ProviderError) as caught:
        _answer({"text": "Hm", "thought": True}, reason=reason)
    assert (caught.value.code, caught.value.retryable, caught.value.elsewhere) == (reason, False, True)


def test_failure_reason_with_text_keeps_answer() -> None:
    """Text that came before the reason is kept."""
    answer = _answer({"text": "Hi"}, reason="MALFORMED_FUNCTION_CALL")
    assert (answer.content, answer.stop_reason) == ("Hi", StopReason.UNKNOWN)


def test_stream_request_has_separate_route() -> None:
    """Section 1."""
    sent = gemini.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert sent.url.endswith("/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse")
    assert sent.body == http_request_for(DIALECT, REQUEST).body
