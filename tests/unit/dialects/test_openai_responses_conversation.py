"""OpenAI Responses: tools, results, images, schemas, reasoning and replay of output items."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from faultmaven.domain.attachments import Image
from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.llm.dialects.openai_responses import dialect as openai_responses

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import FUNCTION_CALL, json_body, reply_of

DIALECT = "openai-responses"
MODEL = "gpt-6.2-sol"
# openai-responses.md 2 (4)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "d", SCHEMA)
CALL = ToolCall("call_1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
QUESTION = Message.user("Weather?")
RESULT = Message.tool("call_1", '{"c":7}')
PIXEL = Image.from_bytes(b"\x89PNG", "image/png")
# openai-responses.md 3
REASONING_ITEM = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "..."}


class Person(BaseModel):
    """Schema with an optional field."""

    name: str
    age: int | None = None


def request_with(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def input_items(*messages: Message, model: str | None = None) -> Any:
    return body_for(DIALECT, request_with(*messages), model)["input"]


def answer_of(*output: Any) -> Any:
    return openai_responses.parse_response(reply_of(DIALECT, json_body({"status": "completed", "output": output})))


def replayed_answer(model: str = MODEL) -> Message:
    replay = Replay("acme", DIALECT, model, [REASONING_ITEM, FUNCTION_CALL], "", ("call_1",))
    return Message("assistant", (), (CALL,), replay=replay)


def test_tools_are_sent_as_flat_objects() -> None:
    """2 (4): `parameters` and `strict` are required keys, null allowed."""
    body = body_for(DIALECT, request_with(tools=(WEATHER,)))
    assert body["tools"] == [
        {"type": "function", "name": "get_weather", "description": "d", "parameters": SCHEMA, "strict": None}
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("get_weather", {"type": "function", "name": "get_weather"}),
    ],
)
def test_tool_choice_is_string_or_function(choice: str, sent: Any) -> None:
    """2 (4)."""
    assert body_for(DIALECT, request_with(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == sent


def test_call_and_result_become_input_items() -> None:
    """2 (5)."""
    assert input_items(QUESTION, Message.assistant("I look.", tool_calls=[CALL]), RESULT) == [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"c":7}'},
    ]


def test_failed_result_has_prefix_and_images() -> None:
    """2 (5): a string or a list of input parts in order; the dialect has no flag for an error."""
    failed = Message.tool("call_1", "before", PIXEL, "after", error=True)
    assert input_items(QUESTION, Message.assistant(tool_calls=[CALL]), failed)[-1]["output"] == [
        {"type": "input_text", "text": "Error: "},
        {"type": "input_text", "text": "before"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
        {"type": "input_text", "text": "after"},
    ]
    plain = Message.tool("call_1", "no such station", error=True)
    assert input_items(QUESTION, Message.assistant(tool_calls=[CALL]), plain)[-1]["output"] == "Error: no such station"


def test_image_url_is_a_plain_string() -> None:
    """2 (3): not an object, unlike OpenAI Chat."""
    assert input_items(Message.user("What?", Image.from_url("https://x.invalid/a.png"), PIXEL)) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What?"},
                {"type": "input_image", "image_url": "https://x.invalid/a.png", "detail": "auto"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
            ],
        }
    ]


def test_schema_is_strict_and_not_nested() -> None:
    """2 (6)."""
    assert body_for(DIALECT, request_with(response_format=SCHEMA))["text"] == {
        "format": {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}
    }
    sent_format = body_for(DIALECT, request_with(response_format=Person))["text"]["format"]
    assert (sent_format["name"], sent_format["schema"]["required"]) == ("Person", ["name", "age"])


def test_open_object_schema_is_sent_without_strict() -> None:
    """Strict mode refuses objects with arbitrary keys; without strict mode the vendor does not enforce the schema."""
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    sent = http_request_for(DIALECT, request_with(response_format=schema))
    sent_format = json.loads(sent.body)["text"]["format"]
    assert (sent_format["strict"], sent_format["schema"]) == (False, schema)
    assert any("strict" in note for note in sent.notes)


@pytest.mark.parametrize(("text", "is_added"), [("Say hi", True), ("Say hi as JSON", False)])
def test_json_mode_requires_word_in_input(text: str, is_added: bool) -> None:
    """openai-chat.md 2 (6); the system text does not count as input in this dialect."""
    body = body_for(DIALECT, request_with(Message.system("Write JSON."), Message.user(text), response_format="json"))
    assert body["text"] == {"format": {"type": "json_object"}}
    assert (body["input"][0]["role"] == "developer") is is_added
    assert ("JSON" in body["input"][0]["content"]) is True


@pytest.mark.parametrize(
    ("model", "intent", "sent", "is_noted"),
    [
        (MODEL, "low", {"effort": "low", "summary": "auto"}, False),
        (MODEL, "off", None, True),
        ("gpt-6-astra", "off", {"effort": "none"}, False),
        (MODEL, 4096, {"effort": "medium", "summary": "auto"}, True),
        ("gpt-4o", "high", None, True),
        (MODEL, None, None, False),
    ],
)
def test_reasoning_becomes_effort_with_summary(model: str, intent: Any, sent: Any, is_noted: bool) -> None:
    """2 (7): a summary is requested only if the caller asks for reasoning."""
    request = http_request_for(DIALECT, request_with(reasoning=intent), model)
    assert json.loads(request.body).get("reasoning") == sent
    assert any("reasoning" in note for note in request.notes) is is_noted


@pytest.mark.parametrize(("model", "is_included"), [(MODEL, True), ("gpt-4o", False)])
def test_encrypted_reasoning_is_requested_without_storage(model: str, is_included: bool) -> None:
    """2 (7): stateless replay, with tools and without."""
    for request in (REQUEST, request_with(tools=(WEATHER,))):
        body = body_for(DIALECT, request, model)
        assert body["store"] is False
        assert body.get("include") == (["reasoning.encrypted_content"] if is_included else None)


def test_stream_request_adds_one_field() -> None:
    """All other fields equal those of a plain request."""
    plain = body_for(DIALECT, REQUEST)
    sent = openai_responses.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert json.loads(sent.body) == {**plain, "stream": True}


def test_replayed_items_are_sent_back_in_order() -> None:
    """5, trap 3: unchanged and in order."""
    sent = http_request_for(DIALECT, request_with(QUESTION, replayed_answer(), RESULT))
    assert json.loads(sent.body)["input"][1:] == [
        REASONING_ITEM,
        FUNCTION_CALL,
        {"type": "function_call_output", "call_id": "call_1", "output": '{"c":7}'},
    ]
    assert sent.notes == ()


@pytest.mark.parametrize("difference", ["other model", "edited"])
def test_other_model_or_edited_items_lose_reasoning(difference: str) -> None:
    """The items are rebuilt from text and calls, with a note."""
    message = (
        replayed_answer("gpt-6-astra")
        if difference == "other model"
        else replace(replayed_answer(), parts=("I look.",))
    )
    sent = http_request_for(DIALECT, request_with(QUESTION, message, RESULT))
    kinds = [item.get("type") for item in json.loads(sent.body)["input"]]
    assert "reasoning" not in kinds
    assert kinds[-2:] == ["function_call", "function_call_output"]
    assert len(sent.notes) == 1


def test_answer_with_opaque_item_keeps_items() -> None:
    """3: the kept items are sent back in the next request."""
    answer = answer_of(REASONING_ITEM, FUNCTION_CALL)
    assert answer.turn == [REASONING_ITEM, FUNCTION_CALL]
    assert answer.stop_reason is StopReason.TOOL_CALLS
    assert answer_of(FUNCTION_CALL).turn is None


@pytest.mark.parametrize(
    "output",
    [
        [REASONING_ITEM],  # vendor: "provided without its required following item"
        [{"id": "rs_1", "type": "reasoning", "summary": []}, FUNCTION_CALL],  # the vendor stores no item under this id
        [REASONING_ITEM, FUNCTION_CALL, FUNCTION_CALL],  # one id for two calls
        [REASONING_ITEM, {**FUNCTION_CALL, "call_id": None}],
    ],
    ids=["no following item", "no encrypted content", "repeated call id", "no call id"],
)
def test_items_refused_on_replay_are_dropped(output: list[Any]) -> None:
    """5, trap 3: text and calls are sent back instead."""
    assert answer_of(*output).turn is None


def test_reasoning_is_separate_from_content() -> None:
    """3: summaries, and raw thinking if a server sends any."""
    reasoning_item = {
        **REASONING_ITEM,
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "content": [{"type": "reasoning_text", "text": "Raw."}],
    }
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    answer = answer_of(reasoning_item, message)
    assert (answer.content, answer.reasoning) == ("Hi", "One.\n\nTwo.\n\nRaw.")


def test_broken_arguments_are_reported_as_problem() -> None:
    """`raw_arguments` keeps the text."""
    (call,) = answer_of({**FUNCTION_CALL, "arguments": '{"city":'}).tool_calls
    assert (call.arguments, call.raw_arguments) == ({}, '{"city":')
    assert call.problem


def test_files_are_no_supported_feature() -> None:
    """The vendor's reference documents no form for files."""
    supported = {"stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"}
    assert "files" not in openai_responses.FEATURES
    assert supported <= openai_responses.FEATURES
