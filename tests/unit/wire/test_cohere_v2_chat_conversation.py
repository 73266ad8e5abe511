"""Cohere v2 Chat: tools, results, images, schemas, thinking and turns that go home unchanged."""

import json
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.attachments import Image
from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.llm.wire import cohere_v2_chat as wire

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
OPENING = Message.user("Weather?")
RESULT = Message.tool("get_weather_ab12", '{"c":7}')
PIXEL = Image.from_bytes(b"\x89PNG", "image/png")


def asked(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def messages_of(*messages: Message) -> Any:
    return body_for(DIALECT, asked(*messages))["messages"]


def refused(**fields: Any) -> str:
    return wire.refusal(asked(**fields), config_of(DIALECT), MODEL)


def answer_of(message: Any, reason: str = "COMPLETE") -> Any:
    return wire.parse_response(reply_of(DIALECT, json_body({"finish_reason": reason, "message": message})))


def own_answer() -> Message:
    replay = Replay("acme", DIALECT, MODEL, TURN, "", ("get_weather_ab12",))
    return Message("assistant", (), (CALL,), replay=replay)


def test_tools_have_openais_shape() -> None:
    """2 (4); one without parameters takes an empty object; auto is said by leaving the choice out."""
    body = body_for(DIALECT, asked(tools=(WEATHER, CLOCK), tool_choice="auto"))
    assert body["tools"] == [
        {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(("choice", "sent"), [("required", "REQUIRED"), ("none", "NONE")])
def test_tool_choice_is_upper_case(choice: str, sent: str) -> None:
    """7, trap 3."""
    assert body_for(DIALECT, asked(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == sent


def test_one_tool_by_name_is_sent_alone() -> None:
    """2 (4): no specific-tool form; the note says so."""
    sent = http_request_for(DIALECT, asked(tools=(CLOCK, WEATHER), tool_choice="get_weather"))
    body = json.loads(sent.body)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["get_weather"]
    assert body["tool_choice"] == "REQUIRED"
    assert any("get_weather" in note for note in sent.notes)


def test_call_and_result_are_the_documents() -> None:
    """2 (5): what is said before calls is their plan; a result's content may be a plain string."""
    assert messages_of(OPENING, Message.assistant("I will look it up.", tool_calls=[CALL]), RESULT) == [
        {"role": "user", "content": "Weather?"},
        TURN,
        {"role": "tool", "tool_call_id": "get_weather_ab12", "content": '{"c":7}'},
    ]


def test_failed_result_says_so() -> None:
    """There is no flag for it."""
    failed = Message.tool("get_weather_ab12", "no such station", error=True)
    told = messages_of(OPENING, Message.assistant(tool_calls=[CALL]), failed)
    assert told[1] == {"role": "assistant", "tool_calls": [TOOL_CALL]}
    assert told[2]["content"] == "Error: no such station"


def test_images_of_results_follow_in_a_user_turn() -> None:
    """2 (5): a result's parts are text and documents only."""
    request = asked(OPENING, Message.assistant(tool_calls=[CALL]), Message.tool("get_weather_ab12", "see", PIXEL))
    sent = http_request_for(DIALECT, request)
    *_, result, behind = json.loads(sent.body)["messages"]
    assert (result["role"], result["content"]) == ("tool", "see")
    assert behind["role"] == "user"
    assert behind["content"][-1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    assert any("images" in note for note in sent.notes)


def test_image_is_bytes_or_an_address() -> None:
    """2 (3)."""
    assert messages_of(Message.user("What?", Image.from_url("https://x.invalid/a.png"), PIXEL)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        }
    ]


def test_schema_sits_inside_json_object() -> None:
    """2 (6); 7, trap 2."""
    body = body_for(DIALECT, asked(response_format=SCHEMA))
    assert body["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    assert body["messages"] == [{"role": "user", "content": "Say hi"}]


@pytest.mark.parametrize(("text", "is_added"), [("Say hi", True), ("Say hi as json", False)])
def test_any_json_is_asked_for_in_words_too(text: str, is_added: bool) -> None:
    """2 (6): needs an explicit request for JSON in the prompt when no schema is given."""
    body = body_for(DIALECT, asked(Message.system("Be terse."), Message.user(text), response_format="json"))
    assert body["response_format"] == {"type": "json_object"}
    system = "Be terse.\n\nAnswer with a JSON object." if is_added else "Be terse."
    assert body["messages"][0] == {"role": "system", "content": system}


def test_schema_and_tools_are_refused_together() -> None:
    """2 (6): not together with `tools`."""
    assert "tools" in refused(tools=(WEATHER,), response_format=SCHEMA)
    assert refused(tools=(WEATHER,)) == refused(response_format=SCHEMA) == ""


@pytest.mark.parametrize(
    ("intent", "kind", "has_budget"),
    [("off", "disabled", False), ("low", "enabled", True), ("high", "enabled", None), (1234, "enabled", True)],
)
def test_reasoning_is_thinking_with_a_budget(intent: Any, kind: str, has_budget: bool | None) -> None:
    """2 (7)."""
    thinking = body_for(DIALECT, asked(reasoning=intent))["thinking"]
    assert thinking["type"] == kind
    assert has_budget is None or ("token_budget" in thinking) is has_budget
    assert intent != 1234 or thinking["token_budget"] == 1234


def test_reasoning_of_a_model_that_has_none_is_left_out_with_a_note() -> None:
    """2 (7): for reasoning-capable models."""
    sent = http_request_for(DIALECT, asked(reasoning="high"), "command-r7b-12-2024")
    assert "thinking" not in json.loads(sent.body)
    assert any("reasoning" in note for note in sent.notes)
    assert "thinking" not in body_for(DIALECT, REQUEST)


def test_stream_is_one_field() -> None:
    """Everything else is as in a plain request."""
    sent = wire.build_request(REQUEST, config_of(DIALECT), MODEL, stream=True)
    assert json.loads(sent.body) == {**body_for(DIALECT, REQUEST), "stream": True}


def test_own_turn_goes_home_unchanged() -> None:
    """With its plan."""
    sent = http_request_for(DIALECT, asked(OPENING, own_answer(), RESULT))
    assert json.loads(sent.body)["messages"][1] == TURN
    assert sent.notes == ()


def test_edited_turn_is_rebuilt_with_a_note() -> None:
    """It is no longer the vendor's."""
    sent = http_request_for(DIALECT, asked(OPENING, replace(own_answer(), parts=("Mine.",)), RESULT))
    assert json.loads(sent.body)["messages"][1] == {**TURN, "tool_plan": "Mine."}
    assert len(sent.notes) == 1


def test_turn_is_kept_where_it_has_a_plan_or_thinking() -> None:
    """3; null members are left out."""
    nothing = {"content": None, "citations": None}
    assert answer_of({**TURN, **nothing}, "TOOL_CALL").turn == TURN
    blocks = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    answer = answer_of({"role": "assistant", "content": blocks, "tool_plan": None, "tool_calls": None})
    assert answer.turn == {"role": "assistant", "content": blocks}
    assert (answer.content, answer.reasoning, answer.stop_reason) == ("Hi", "Hm", StopReason.STOP)
    assert answer_of({"role": "assistant", "content": blocks[1:]}).turn is None


def test_turn_whose_calls_have_no_ids_is_not_kept() -> None:
    """The results would not find them."""
    assert answer_of({**TURN, "tool_calls": [{**TOOL_CALL, "id": ""}]}, "TOOL_CALL").turn is None
    assert answer_of({**TURN, "tool_calls": [TOOL_CALL, TOOL_CALL]}, "TOOL_CALL").turn is None


def test_broken_arguments_are_told() -> None:
    """The text stays."""
    broken = {**TOOL_CALL, "function": {"name": "get_weather", "arguments": "{city"}}
    (call,) = answer_of({**TURN, "tool_calls": [broken]}, "TOOL_CALL").tool_calls
    assert (call.arguments, call.raw_arguments) == ({}, "{city")
    assert call.problem


def test_features_are_what_the_document_has() -> None:
    """No files; caching is automatic (2 (8))."""
    carried = {"seed", "stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"}
    assert carried <= wire.FEATURES
    assert "files" not in wire.FEATURES
