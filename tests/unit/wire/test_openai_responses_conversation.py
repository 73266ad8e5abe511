"""OpenAI Responses: tools, results, images, schemas, reasoning and items that go home unchanged."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from faultmaven.domain.attachments import Image
from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.llm.wire import openai_responses as wire

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
OPENING = Message.user("Weather?")
RESULT = Message.tool("call_1", '{"c":7}')
PIXEL = Image.from_bytes(b"\x89PNG", "image/png")
# openai-responses.md 3
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "..."}


class Person(BaseModel):
    """Someone."""

    name: str
    age: int | None = None


def asked(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def input_of(*messages: Message, model: str | None = None) -> Any:
    return body_for(DIALECT, asked(*messages), model)["input"]


def answer_of(*output: Any) -> Any:
    return wire.parse_response(reply_of(DIALECT, json_body({"status": "completed", "output": output})))


def own_answer(model: str = MODEL) -> Message:
    replay = Replay("acme", DIALECT, model, [THOUGHT, FUNCTION_CALL], "", ("call_1",))
    return Message("assistant", (), (CALL,), replay=replay)


def test_tools_are_flat() -> None:
    """2 (4): `parameters` and `strict` are required keys, null allowed."""
    body = body_for(DIALECT, asked(tools=(WEATHER,)))
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
def test_tool_choice_is_a_word_or_a_function(choice: str, sent: Any) -> None:
    """2 (4)."""
    assert body_for(DIALECT, asked(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == sent


def test_call_and_result_are_items() -> None:
    """2 (5)."""
    assert input_of(OPENING, Message.assistant("I look.", tool_calls=[CALL]), RESULT) == [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"c":7}'},
    ]


def test_failed_result_says_so_and_shows_its_images_in_order() -> None:
    """2 (5): a string or a list of input parts; there is no flag for an error."""
    failed = Message.tool("call_1", "before", PIXEL, "after", error=True)
    assert input_of(OPENING, Message.assistant(tool_calls=[CALL]), failed)[-1]["output"] == [
        {"type": "input_text", "text": "Error: "},
        {"type": "input_text", "text": "before"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
        {"type": "input_text", "text": "after"},
    ]
    plain = Message.tool("call_1", "no such station", error=True)
    assert input_of(OPENING, Message.assistant(tool_calls=[CALL]), plain)[-1]["output"] == "Error: no such station"


def test_image_is_a_string_not_an_object() -> None:
    """2 (3)."""
    assert input_of(Message.user("What?", Image.from_url("https://x.invalid/a.png"), PIXEL)) == [
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
    assert body_for(DIALECT, asked(response_format=SCHEMA))["text"] == {
        "format": {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}
    }
    told = body_for(DIALECT, asked(response_format=Person))["text"]["format"]
    assert (told["name"], told["schema"]["required"]) == ("Person", ["name", "age"])


def test_schema_of_an_open_object_is_sent_as_it_is_with_a_note() -> None:
    """Strict mode takes no object of any names; without it the schema is a wish."""
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    sent = http_request_for(DIALECT, asked(response_format=schema))
    told = json.loads(sent.body)["text"]["format"]
    assert (told["strict"], told["schema"]) == (False, schema)
    assert any("strict" in note for note in sent.notes)


@pytest.mark.parametrize(("text", "is_added"), [("Say hi", True), ("Say hi as JSON", False)])
def test_any_json_needs_the_word_in_the_input(text: str, is_added: bool) -> None:
    """openai-chat.md 2 (6); the system text does not count as input here."""
    body = body_for(DIALECT, asked(Message.system("Write JSON."), Message.user(text), response_format="json"))
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
def test_reasoning_is_an_effort_with_a_summary(model: str, intent: Any, sent: Any, is_noted: bool) -> None:
    """2 (7): a summary only where the caller wants the model to think."""
    request = http_request_for(DIALECT, asked(reasoning=intent), model)
    assert json.loads(request.body).get("reasoning") == sent
    assert any("reasoning" in note for note in request.notes) is is_noted


@pytest.mark.parametrize(("model", "is_asked"), [(MODEL, True), ("gpt-4o", False)])
def test_encrypted_reasoning_is_asked_for_since_nothing_is_stored(model: str, is_asked: bool) -> None:
    """2 (7): stateless replay, with tools and without."""
    for request in (REQUEST, asked(tools=(WEATHER,))):
        body = body_for(DIALECT, request, model)
        assert body["store"] is False
        assert body.get("include") == (["reasoning.encrypted_content"] if is_asked else None)


def test_stream_is_one_field() -> None:
    """Everything else is as in a plain request."""
    plain = body_for(DIALECT, REQUEST)
    sent = wire.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert json.loads(sent.body) == {**plain, "stream": True}


def test_own_items_go_home_unchanged_and_in_order() -> None:
    """5, trap 3."""
    sent = http_request_for(DIALECT, asked(OPENING, own_answer(), RESULT))
    assert json.loads(sent.body)["input"][1:] == [
        THOUGHT,
        FUNCTION_CALL,
        {"type": "function_call_output", "call_id": "call_1", "output": '{"c":7}'},
    ]
    assert sent.notes == ()


@pytest.mark.parametrize("how", ["another model", "edited"])
def test_items_that_are_not_its_own_are_rebuilt_without_reasoning(how: str) -> None:
    """With a note."""
    message = own_answer("gpt-6-astra") if how == "another model" else replace(own_answer(), parts=("I look.",))
    sent = http_request_for(DIALECT, asked(OPENING, message, RESULT))
    kinds = [item.get("type") for item in json.loads(sent.body)["input"]]
    assert "reasoning" not in kinds
    assert kinds[-2:] == ["function_call", "function_call_output"]
    assert len(sent.notes) == 1


def test_items_of_an_answer_are_kept_where_one_is_opaque() -> None:
    """3, and what goes back of it."""
    answer = answer_of(THOUGHT, FUNCTION_CALL)
    assert answer.turn == [THOUGHT, FUNCTION_CALL]
    assert answer.stop_reason is StopReason.TOOL_CALLS
    assert answer_of(FUNCTION_CALL).turn is None


@pytest.mark.parametrize(
    "output",
    [
        [THOUGHT],  # "provided without its required following item"
        [{"id": "rs_1", "type": "reasoning", "summary": []}, FUNCTION_CALL],  # nothing is stored under this id
        [THOUGHT, FUNCTION_CALL, FUNCTION_CALL],  # one id for two calls
        [THOUGHT, {**FUNCTION_CALL, "call_id": None}],
    ],
    ids=["nothing follows", "no content", "one id twice", "no id"],
)
def test_items_that_would_be_refused_are_not_kept(output: list[Any]) -> None:
    """5, trap 3: then text and calls are what goes back."""
    assert answer_of(*output).turn is None


def test_reasoning_is_apart_from_the_answer() -> None:
    """3: summaries, and raw thinking where a server tells it."""
    thought = {
        **THOUGHT,
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "content": [{"type": "reasoning_text", "text": "Raw."}],
    }
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    answer = answer_of(thought, message)
    assert (answer.content, answer.reasoning) == ("Hi", "One.\n\nTwo.\n\nRaw.")


def test_broken_arguments_are_told() -> None:
    """The text stays."""
    (call,) = answer_of({**FUNCTION_CALL, "arguments": '{"city":'}).tool_calls
    assert (call.arguments, call.raw_arguments) == ({}, '{"city":')
    assert call.problem


def test_files_have_no_form_here() -> None:
    """The reference knows none."""
    assert "files" not in wire.FEATURES
    assert {"stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"} <= wire.FEATURES
