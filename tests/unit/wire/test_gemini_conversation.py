"""Gemini: what a conversation, its tools and its schema become, and what is read from an answer.

Samples are those of wire/gemini-generate-content.md, 2026-11-23; the section stands with each.
"""

import base64
import json
from dataclasses import replace
from typing import Any

import pydantic
import pytest

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.errors import MalformedResponseError, ProviderError
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.llm.wire import gemini_generate_content as gemini
from faultmaven.infrastructure.llm.wire.outcomes import with_ids
from faultmaven.infrastructure.llm.wire.protocol import Answer

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import json_body, reply_of

DIALECT = "gemini-generate-content"
MODEL = "gemini-3.8-flash"
DUMMY = "skip_thought_signature_validator"
WEATHER = Tool("get_weather", "d", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALL = ToolCall("c1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
# Section 2 (5), byte for byte, the result apart.
SIGNED_PART: dict[str, Any] = {
    "functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "Oslo"}},
    "thoughtSignature": "CrEB...",
}
BARE_PART = {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}
PIXEL = b"\x89PNG\r\n\x1a\n"


def _answer(*parts: dict[str, Any], reason: str = "STOP") -> Answer:
    body = {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, "finishReason": reason}]}
    answer = gemini.parse_response(reply_of(DIALECT, json_body(body)))
    return replace(answer, tool_calls=with_ids(answer.tool_calls))


def _message(answer: Answer, model: str = MODEL) -> Message:
    """Return the answer as the provider puts it into a conversation."""
    ids = tuple(call.id for call in answer.tool_calls)
    replay = Replay("acme", DIALECT, model, answer.turn, answer.content, ids) if answer.turn is not None else None
    parts = (answer.content,) if answer.content else ()
    return Message("assistant", parts, answer.tool_calls, replay=replay)


def _contents(*messages: Message, model: str = MODEL) -> Any:
    return body_for(DIALECT, ChatRequest(messages), model)["contents"]


def _refusal(request: ChatRequest, model: str = MODEL) -> str:
    return gemini.refusal(request, config_of(DIALECT), model)


# --- tools ---


def test_tools_are_declared() -> None:
    """Section 2 (4)."""
    body = body_for(DIALECT, replace(REQUEST, tools=(WEATHER,), tool_choice="auto"))
    wanted = json.loads(
        '{"tools":[{"functionDeclarations":[{"name":"get_weather","description":"d","parametersJsonSchema":'
        '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}],'
        '"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}'
    )
    assert {name: body[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("get_weather", {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ],
)
def test_tool_choice_is_a_mode(choice: str, config: dict[str, Any]) -> None:
    """Section 2 (4), modes."""
    body = body_for(DIALECT, replace(REQUEST, tools=(WEATHER,), tool_choice=choice))
    assert body["toolConfig"] == {"functionCallingConfig": config}


def test_unset_tool_choice_is_not_sent() -> None:
    """The vendor's default."""
    assert "toolConfig" not in body_for(DIALECT, replace(REQUEST, tools=(WEATHER,)))


@pytest.mark.parametrize("parameters", [{}, {"type": "object", "properties": {}, "additionalProperties": False}])
def test_tool_without_parameters_has_no_schema(parameters: dict[str, Any]) -> None:
    """An empty object is refused by some models."""
    body = body_for(DIALECT, replace(REQUEST, tools=(Tool("now", "", parameters),)))
    assert body["tools"] == [{"functionDeclarations": [{"name": "now"}]}]


def test_turn_goes_home_with_every_part_untouched() -> None:
    """Section 2 (5): thoughtSignature included, and the vendor's own id on the result."""
    answer = _answer(SIGNED_PART)
    told = _contents(Message.user("?"), _message(answer), Message.tool("c1", '{"c":7}'))
    assert told[1:] == json.loads(
        '[{"role":"model","parts":[{"functionCall":{"id":"c1","name":"get_weather","args":{"city":"Oslo"}},'
        '"thoughtSignature":"CrEB..."}]},{"role":"user","parts":[{"functionResponse":{"id":"c1",'
        '"name":"get_weather","response":{"output":{"c":7}}}}]}]'
    )


def test_id_of_ours_is_not_sent() -> None:
    """Section 2 (5): `id` may be missing; then results are matched by name and order, which is that of the calls."""
    parts: list[dict[str, Any]] = [
        {"functionCall": {"name": "a"}, "thoughtSignature": "S"},
        {"functionCall": {"name": "b", "args": {}}},
    ]
    answer = _answer(*parts)
    assert [call.id for call in answer.tool_calls] == ["call_1", "call_2"]
    told = _contents(_message(answer), Message.tool("call_2", "second"), Message.tool("call_1", "first"))
    assert told == [
        {"role": "model", "parts": parts},
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "a", "response": {"output": "first"}}},
                {"functionResponse": {"name": "b", "response": {"output": "second"}}},
            ],
        },
    ]


def test_same_made_up_id_in_two_turns_names_each_turns_own_tool() -> None:
    """Both turns go home unchanged, and each has a `call_1`."""
    first = _message(_answer({"functionCall": {"name": "a"}, "thoughtSignature": "S"}))
    second = _message(_answer({"functionCall": {"name": "b"}, "thoughtSignature": "S"}))
    told = _contents(first, Message.tool("call_1", "1"), second, Message.tool("call_1", "2"))
    assert [told[place]["parts"][0]["functionResponse"]["name"] for place in (1, 3)] == ["a", "b"]


def test_failed_call_is_an_error() -> None:
    """Section 2 (5): `output` and `error` are the convention."""
    told = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", "no such city", error=True))
    assert told[1]["parts"][0]["functionResponse"]["response"] == {"error": "no such city"}


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
def test_output_is_parsed_where_it_is_an_object_or_a_list(text: str, output: Any) -> None:
    """A scalar stays text: 007 is no 7, and a NaN is no JSON."""
    told = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", text))
    assert told[1]["parts"][0]["functionResponse"]["response"] == {"output": output}


def test_image_of_a_result_stands_beside_it() -> None:
    """In the same user turn."""
    image = Image.from_bytes(PIXEL, "image/png")
    told = _contents(_message(_answer(SIGNED_PART)), Message.tool("c1", "seen", image))
    inline = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PIXEL).decode()}}
    assert [next(iter(part)) for part in told[1]["parts"]] == ["functionResponse", "inlineData"]
    assert told[1]["parts"][1] == inline


# --- signatures of others ---


def test_foreign_call_gets_the_documented_dummy() -> None:
    """Section 7, trap 5; the first call of the turn alone, and the note names it."""
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
def test_dummy_is_for_gemini_3_and_later(model: str, signed: bool) -> None:
    """Earlier models check nothing."""
    told = _contents(Message.assistant(tool_calls=[CALL]), Message.tool("c1", "7"), model=model)
    assert ("thoughtSignature" in told[0]["parts"][0]) is signed


def test_turn_of_another_model_is_rebuilt_and_noted() -> None:
    """Its signature stays behind."""
    request = ChatRequest((_message(_answer(SIGNED_PART), "gemini-3.7-flash"), Message.tool("c1", "7")))
    told = body_for(DIALECT, request)["contents"]
    assert told[0]["parts"] == [{**BARE_PART, "thoughtSignature": DUMMY}]
    assert "id" not in told[1]["parts"][0]["functionResponse"]
    assert any("gemini-3.7-flash" in note for note in http_request_for(DIALECT, request).notes)


def test_own_call_without_any_signature_gets_the_dummy() -> None:
    """A turn that is kept for its thoughts alone would be refused."""
    thought = {"text": "Hm", "thought": True}
    told = _contents(_message(_answer(thought, BARE_PART)), Message.tool("call_1", "7"))
    assert told[0]["parts"] == [thought, {**BARE_PART, "thoughtSignature": DUMMY}]


def test_broken_arguments_are_noted() -> None:
    """What is no object has no place in `args`."""
    broken = ToolCall("c1", "get_weather", {}, "{", "the arguments are no JSON")
    request = ChatRequest((Message.assistant(tool_calls=[broken]), Message.tool("c1", "7")))
    assert any("broken arguments" in note for note in http_request_for(DIALECT, request).notes)


# --- images and files ---


def test_attachments_are_inline_or_addresses() -> None:
    """Section 2 (3)."""
    told = _contents(
        Message.user(
            "What is this?",
            Image.from_bytes(PIXEL, "image/png"),
            Image.from_url("https://a.invalid/b.JPG?x=1.png"),
            File.from_bytes(b"%PDF-", "application/pdf"),
            Image.from_url("https://generativelanguage.googleapis.com/v1beta/files/abc", "image/png"),
        )
    )
    assert told[0]["parts"] == [
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


def test_guessed_type_and_lost_name_are_noted() -> None:
    """Nothing is left out in silence."""
    file = File.from_bytes(b"%PDF-", "application/pdf", name="report.pdf")
    notes = http_request_for(DIALECT, ChatRequest((Message.user(Image.from_url("https://a.invalid/x"), file),))).notes
    assert any("image/jpeg" in note for note in notes)
    assert any("names of files" in note for note in notes)
    assert not any("report" in note or "a.invalid" in note for note in notes)


@pytest.mark.parametrize(
    ("message", "model", "refused"),
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
def test_attachment_that_cannot_be_carried_is_refused(message: Message, model: str, refused: str) -> None:
    """Section 2 (3): Gemini 2.0 fetches nothing; ai.google.dev, image formats, 2026-11."""
    told = _refusal(ChatRequest((message,)), model)
    assert refused in told
    assert bool(told) is bool(refused)


# --- structured output ---


class Place(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    city: str


class Trip(pydantic.BaseModel):
    start: Place
    note: str = ""


class Node(pydantic.BaseModel):
    inner: "Node | None" = None


def test_json_alone_is_the_mime_type() -> None:
    """Section 2 (6)."""
    body = body_for(DIALECT, replace(REQUEST, response_format="json"))
    assert body["generationConfig"] == {"responseMimeType": "application/json"}


def test_schema_is_sent_without_references() -> None:
    """Section 2 (6); what is dropped is noted."""
    request = replace(REQUEST, response_format=Trip)
    config = body_for(DIALECT, request)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    place = config["responseJsonSchema"]["properties"]["start"]
    assert place["properties"] == {"city": {"title": "City", "type": "string"}}
    told = json.dumps(config)  # pydantic wrote the inner model as a reference
    assert not any(word in told for word in ("$ref", "$defs", "additionalProperties"))
    assert [note for note in http_request_for(DIALECT, request).notes if "additionalProperties" in note]


def test_recursive_schema_is_refused_by_name() -> None:
    """As the answer's form and as a tool's parameters."""
    assert "Node" in _refusal(replace(REQUEST, response_format=Node))
    assert "Node" in _refusal(replace(REQUEST, tools=(Tool("t", "", Node.model_json_schema()),)))


@pytest.mark.parametrize(
    ("model", "choice", "refused"),
    [("gemini-2.5-pro", None, True), ("gemini-2.5-pro", "none", False), (MODEL, None, False)],
)
def test_format_beside_tools_is_for_gemini_3(model: str, choice: str | None, refused: bool) -> None:
    """Gemini 2.5 answers 400 unless the mode is NONE (github.com/google/adk-python/issues/5735)."""
    request = replace(REQUEST, tools=(WEATHER,), tool_choice=choice, response_format=Trip)
    assert bool(_refusal(request, model)) is refused


# --- reasoning ---


@pytest.mark.parametrize(
    ("model", "asked", "config", "noted"),
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
def test_reasoning_is_said_as_the_model_takes_it(model: str, asked: Any, config: Any, noted: str) -> None:
    """Section 2 (7): levels from Gemini 3 on, budgets in 2.5, never both."""
    request = replace(REQUEST, reasoning=asked)
    sent = body_for(DIALECT, request, model).get("generationConfig", {})
    assert sent.get("thinkingConfig") == config
    notes = http_request_for(DIALECT, request, model).notes
    assert bool(notes) is bool(noted)
    assert noted in " ".join(notes)


# --- answers ---


def test_thoughts_are_apart_and_the_turn_is_kept() -> None:
    """Section 3, first sample."""
    parts: list[dict[str, Any]] = [
        {"text": "Thinking summary", "thought": True},
        {"text": "Hi", "thoughtSignature": "CrEB..."},
    ]
    answer = _answer(*parts)
    assert (answer.content, answer.reasoning, answer.turn) == ("Hi", "Thinking summary", parts)


def test_plain_turn_is_not_kept() -> None:
    """Text and calls say everything there."""
    assert _answer({"text": "Hi"}, BARE_PART).turn is None


def test_part_of_another_kind_goes_back() -> None:
    """An image, or code that Gemini ran: no text and no call of ours."""
    parts: list[dict[str, Any]] = [{"text": "Hi"}, {"executableCode": {"language": "PYTHON", "code": "1"}}]
    assert _answer(*parts).turn == parts


@pytest.mark.parametrize("arguments", ["{", [1], 7])
def test_arguments_that_are_no_object_are_a_problem(arguments: Any) -> None:
    """Such a call must not be carried out."""
    call = _answer({"functionCall": {"name": "a", "args": arguments}}).tool_calls[0]
    assert call.problem
    assert call.arguments == {}


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"])
def test_malformed_answer_may_be_asked_again(reason: str) -> None:
    """Section 3, table: a failed call that may be retried once."""
    with pytest.raises(MalformedResponseError) as caught:
        _answer(reason=reason)
    assert (caught.value.code, caught.value.retryable) == (reason, True)
    assert "URL" not in str(caught.value)


@pytest.mark.parametrize("reason", ["UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"])
def test_failed_answer_is_not_asked_again(reason: str) -> None:
    """Section 3, table: the others are not."""
    with pytest.raises(ProviderError) as caught:
        _answer({"text": "Hm", "thought": True}, reason=reason)
    assert (caught.value.code, caught.value.retryable, caught.value.elsewhere) == (reason, False, True)


def test_failed_answer_with_text_is_an_answer() -> None:
    """What came is not thrown away."""
    answer = _answer({"text": "Hi"}, reason="MALFORMED_FUNCTION_CALL")
    assert (answer.content, answer.stop_reason) == ("Hi", StopReason.UNKNOWN)


def test_stream_has_its_own_route() -> None:
    """Section 1."""
    sent = gemini.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert sent.url.endswith("/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse")
    assert sent.body == http_request_for(DIALECT, REQUEST).body
