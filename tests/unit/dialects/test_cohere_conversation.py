"""Cohere v2 Chat: tools, results, images, schemas, thinking and replay of assistant messages."""

import json
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.attachments import Image
from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.llm.dialects.cohere import dialect as cohere

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import json_body, reply_of

DIALECT = "cohere-v2-chat"
MODEL = "command-a-plus-05-2026"
# cohere-v2-chat.md 2 (4) and (5)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "d", SCHEMA)
CLOCK = Tool("clock")
CALL = ToolCall("get_weather_ab12", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
TOOL_CALL = {
    "id": "get_weather_ab12",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
}
TURN = {"role": "assistant", "tool_plan": "I will look it up.", "tool_calls": [TOOL_CALL]}
QUESTION = Message.user("Weather?")
RESULT = Message.tool("get_weather_ab12", '{"c":7}')
PIXEL = Image.from_bytes(b"\x89PNG", "image/png")


def request_with(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def message_bodies(*messages: Message) -> Any:
    return body_for(DIALECT, request_with(*messages))["messages"]


def refusal_for(**fields: Any) -> str:
    return cohere.refusal(request_with(**fields), config_of(DIALECT), MODEL)


def answer_of(message: Any, reason: str = "COMPLETE") -> Any:
    return cohere.parse_response(reply_of(DIALECT, json_body({"finish_reason": reason, "message": message})))


def replayed_answer() -> Message:
    replay = Replay("acme", DIALECT, MODEL, TURN, "", ("get_weather_ab12",))
    return Message("assistant", (), (CALL,), replay=replay)


def test_tools_use_openai_function_form() -> None:
    """2 (4): a tool without parameters has an empty object; `auto` is the default and is not sent."""
    body = body_for(DIALECT, request_with(tools=(WEATHER, CLOCK), tool_choice="auto"))
    assert body["tools"] == [
        {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(("choice", "sent"), [("required", "REQUIRED"), ("none", "NONE")])
def test_tool_choice_is_sent_in_upper_case(choice: str, sent: str) -> None:
    """7, trap 3."""
    assert body_for(DIALECT, request_with(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == sent


def test_named_tool_choice_sends_one_tool() -> None:
    """2 (4): no form for a specific tool; a note reports the change."""
    sent = http_request_for(DIALECT, request_with(tools=(CLOCK, WEATHER), tool_choice="get_weather"))
    body = json.loads(sent.body)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["get_weather"]
    assert body["tool_choice"] == "REQUIRED"
    assert any("get_weather" in note for note in sent.notes)


def test_call_and_result_match_document() -> None:
    """2 (5): text before calls is sent as `tool_plan`; the content of a result may be a plain string."""
    assert message_bodies(QUESTION, Message.assistant("I will look it up.", tool_calls=[CALL]), RESULT) == [
        {"role": "user", "content": "Weather?"},
        TURN,
        {"role": "tool", "tool_call_id": "get_weather_ab12", "content": '{"c":7}'},
    ]


def test_failed_tool_result_has_error_prefix() -> None:
    """The dialect has no flag for a failed result."""
    failed = Message.tool("get_weather_ab12", "no such station", error=True)
    messages = message_bodies(QUESTION, Message.assistant(tool_calls=[CALL]), failed)
    assert messages[1] == {"role": "assistant", "tool_calls": [TOOL_CALL]}
    assert messages[2]["content"] == "Error: no such station"


def test_result_images_follow_in_user_message() -> None:
    """2 (5): the parts of a result are text and documents only."""
    request = request_with(
        QUESTION, Message.assistant(tool_calls=[CALL]), Message.tool("get_weather_ab12", "see", PIXEL)
    )
    sent = http_request_for(DIALECT, request)
    *_, result, images = json.loads(sent.body)["messages"]
    assert (result["role"], result["content"]) == ("tool", "see")
    assert images["role"] == "user"
    assert images["content"][-1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    assert any("images" in note for note in sent.notes)


def test_images_are_sent_as_url_parts() -> None:
    """2 (3): a URL, or bytes as a data URL."""
    assert message_bodies(Message.user("What?", Image.from_url("https://x.invalid/a.png"), PIXEL)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        }
    ]


def test_schema_is_nested_in_json_object() -> None:
    """2 (6); 7, trap 2."""
    body = body_for(DIALECT, request_with(response_format=SCHEMA))
    assert body["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    assert body["messages"] == [{"role": "user", "content": "Say hi"}]


@pytest.mark.parametrize(("text", "is_added"), [("Say hi", True), ("Say hi as json", False)])
def test_json_mode_adds_instruction_when_missing(text: str, is_added: bool) -> None:
    """2 (6): needs an explicit request for JSON in the prompt when no schema is given."""
    body = body_for(DIALECT, request_with(Message.system("Be terse."), Message.user(text), response_format="json"))
    assert body["response_format"] == {"type": "json_object"}
    system = "Be terse.\n\nAnswer with a JSON object." if is_added else "Be terse."
    assert body["messages"][0] == {"role": "system", "content": system}


def test_schema_with_tools_is_refused() -> None:
    """2 (6): not together with `tools`."""
    assert "tools" in refusal_for(tools=(WEATHER,), response_format=SCHEMA)
    assert refusal_for(tools=(WEATHER,)) == refusal_for(response_format=SCHEMA) == ""


@pytest.mark.parametrize(
    ("intent", "thinking_type", "has_budget"),
    [("off", "disabled", False), ("low", "enabled", True), ("high", "enabled", None), (1234, "enabled", True)],
)
def test_reasoning_becomes_thinking_with_token_budget(intent: Any, thinking_type: str, has_budget: bool | None) -> None:
    """2 (7)."""
    thinking = body_for(DIALECT, request_with(reasoning=intent))["thinking"]
    assert thinking["type"] == thinking_type
    assert has_budget is None or ("token_budget" in thinking) is has_budget
    assert intent != 1234 or thinking["token_budget"] == 1234


def test_reasoning_for_plain_model_is_noted() -> None:
    """2 (7): only reasoning-capable models accept `thinking`."""
    sent = http_request_for(DIALECT, request_with(reasoning="high"), "command-r7b-12-2024")
    assert "thinking" not in json.loads(sent.body)
    assert any("reasoning" in note for note in sent.notes)
    assert "thinking" not in body_for(DIALECT, REQUEST)


def test_stream_request_adds_one_field() -> None:
    """All other fields equal those of a plain request."""
    sent = cohere.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert json.loads(sent.body) == {**body_for(DIALECT, REQUEST), "stream": True}


def test_replayed_message_is_sent_back_unchanged() -> None:
    """The tool plan is included."""
    sent = http_request_for(DIALECT, request_with(QUESTION, replayed_answer(), RESULT))
    assert json.loads(sent.body)["messages"][1] == TURN
    assert sent.notes == ()


def test_edited_replay_is_rebuilt_with_note() -> None:
    """An edited message no longer equals the vendor's own."""
    sent = http_request_for(DIALECT, request_with(QUESTION, replace(replayed_answer(), parts=("Mine.",)), RESULT))
    assert json.loads(sent.body)["messages"][1] == {**TURN, "tool_plan": "Mine."}
    assert len(sent.notes) == 1


def test_answer_with_plan_or_thinking_keeps_turn() -> None:
    """3: null members are left out."""
    null_members = {"content": None, "citations": None}
    assert answer_of({**TURN, **null_members}, "TOOL_CALL").turn == TURN
    blocks = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    answer = answer_of({"role": "assistant", "content": blocks, "tool_plan": None, "tool_calls": None})
    assert answer.turn == {"role": "assistant", "content": blocks}
    assert (answer.content, answer.reasoning, answer.stop_reason) == ("Hi", "Hm", StopReason.STOP)
    assert answer_of({"role": "assistant", "content": blocks[1:]}).turn is None


def test_turn_without_unique_call_ids_is_dropped() -> None:
    """Tool results could not refer to the calls."""
    assert answer_of({**TURN, "tool_calls": [{**TOOL_CALL, "id": ""}]}, "TOOL_CALL").turn is None
    assert answer_of({**TURN, "tool_calls": [TOOL_CALL, TOOL_CALL]}, "TOOL_CALL").turn is None


def test_broken_arguments_are_reported_as_problem() -> None:
    """`raw_arguments` keeps the text."""
    broken = {**TOOL_CALL, "function": {"name": "get_weather", "arguments": "{city"}}
    (call,) = answer_of({**TURN, "tool_calls": [broken]}, "TOOL_CALL").tool_calls
    assert (call.arguments, call.raw_arguments) == ({}, "{city")
    assert call.problem


def test_features_match_the_document() -> None:
    """No files; caching is automatic (2 (8))."""
    supported = {"seed", "stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"}
    assert supported <= cohere.FEATURES
    assert "files" not in cohere.FEATURES
