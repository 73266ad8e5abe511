"""Anthropic Messages: tools, results, images, schemas, thinking, caching and replay of assistant messages."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, Field

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.dialects.anthropic import dialect as anthropic

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import json_body, reply_of

DIALECT = "anthropic-messages"
# anthropic-messages.md 2 (4)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "d", SCHEMA)
CALL = ToolCall("toolu_1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
# anthropic-messages.md 2 (5)
CONTENT: list[Any] = [
    {"type": "thinking", "thinking": "", "signature": "EqQB..."},
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
]
QUESTION = Message.user("Weather?")
RESULT = Message.tool("toolu_1", '{"c":7}')


def request_with(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def message_bodies(*messages: Message, model: str | None = None) -> Any:
    return body_for(DIALECT, request_with(*messages), model)["messages"]


def refusal_for(request: ChatRequest, model: str = "claude-sonnet-5-5") -> str:
    return anthropic.refusal(request, config_of(DIALECT), model)


def thinking_fields(model: str, **fields: Any) -> tuple[Any, WireRequest]:
    sent = http_request_for(DIALECT, request_with(**fields), model)
    body = json.loads(sent.body)
    return {name: body[name] for name in ("thinking", "output_config") if name in body}, sent


def replayed_answer(model: str = "claude-sonnet-5-5") -> Message:
    replay = Replay("acme", DIALECT, model, CONTENT, "", ("toolu_1",))
    return Message("assistant", (), (CALL,), replay=replay)


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, None),
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("get_weather", {"type": "tool", "name": "get_weather"}),
    ],
)
def test_tool_choice_is_sent_as_object(choice: str | None, written: Any) -> None:
    """Section 2 (4)."""
    body = body_for(DIALECT, request_with(tools=(WEATHER,), tool_choice=choice), "claude-haiku-4-5")
    assert body["tools"] == [{"name": "get_weather", "description": "d", "input_schema": SCHEMA}]
    assert body.get("tool_choice") == written


def test_tool_without_parameters_has_object_schema() -> None:
    """`input_schema` must be the schema of an object."""
    tools = body_for(DIALECT, request_with(tools=(Tool("ping"),)))["tools"]
    assert tools == [{"name": "ping", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"])
@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_refused_forced_tool_becomes_instruction(model: str, choice: str) -> None:
    """Section 2 (4): a 400 on these models; "use auto plus an instruction"."""
    sent = http_request_for(DIALECT, request_with(tools=(WEATHER,), tool_choice=choice), model)
    body = json.loads(sent.body)
    assert body["tool_choice"] == {"type": "auto"}
    assert body["system"].startswith("Call ")
    assert ("get_weather" in body["system"]) == (choice == "get_weather")
    assert [note.partition(" sent as ")[0] for note in sent.notes] == [f"tool_choice={choice!r}"]


def test_forced_tool_drops_thinking_budget() -> None:
    """Section 2 (4): forcing together with thinking is restricted on older models."""
    fields, sent = thinking_fields("claude-opus-4-5", reasoning="low", tools=(WEATHER,), tool_choice="required")
    assert fields == {}
    assert json.loads(sent.body)["tool_choice"] == {"type": "any"}
    assert any(note.startswith("thinking left out") for note in sent.notes)


def test_tool_instruction_is_compatible_with_thinking() -> None:
    """The request forces no tool, so that thinking stays allowed."""
    fields, sent = thinking_fields("claude-opus-5-5", reasoning="low", tools=(WEATHER,), tool_choice="required")
    assert fields["thinking"]["type"] == "adaptive"
    assert len(sent.notes) == 1


def test_parallel_tool_results_lead_one_user_message() -> None:
    """Section 2 (5): one user turn with all results first; trap 5: directly after the calls."""
    second = ToolCall("toolu_2", "get_weather", {"city": "Rom"})
    failed = Message.tool("toolu_2", "no such city", error=True)
    sent = message_bodies(
        QUESTION, Message.assistant("Both.", tool_calls=(CALL, second)), Message.user("Hurry"), RESULT, failed
    )
    assert sent == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Both."},
                {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "Rom"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": '{"c":7}'},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such city", "is_error": True},
                {"type": "text", "text": "Hurry"},
            ],
        },
    ]


def test_images_and_files_become_content_blocks() -> None:
    """Section 2 (3) and (5): base64 without a prefix, or a URL; PDFs are documents. Results may hold blocks too."""
    picture = Image.from_bytes(b"\x89PNG", "image/png")
    linked = Image.from_url("https://example.com/a.png")
    pdf = File.from_bytes(b"%PDF", "application/pdf", name="log.pdf")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    sent = message_bodies(
        Message.user(linked, pdf, "What is ", "this?"),
        Message.assistant(tool_calls=(CALL,)),
        Message.tool("toolu_1", "seen", picture),
    )
    assert sent[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
            "title": "log.pdf",
        },
        {"type": "text", "text": "What is this?"},
    ]
    assert sent[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "seen"}, image]}
    ]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((QUESTION, Message.assistant(tool_calls=(CALL,)), Message.user("And?")), "has no result"),
        ((QUESTION, Message.assistant(tool_calls=(CALL,))), "has no result"),
        ((QUESTION, RESULT), "belongs to no call"),
        ((QUESTION, Message.assistant(tool_calls=(CALL,)), RESULT, RESULT), "belongs to no call"),
        ((Message.user(File.from_bytes(b"a,b", "text/csv")),), "application/pdf"),
        ((Message.user(Image.from_bytes(b"x", "image/tiff")),), "image/png"),
        ((QUESTION, Message("assistant", (Image.from_bytes(b"x"),)), QUESTION), "assistant turn holds"),
    ],
)
def test_invalid_conversation_is_refused_before_sending(messages: tuple[Message, ...], words: str) -> None:
    """Sections 1, 2 (3) and 7, trap 5: the vendor would answer 400."""
    assert words in refusal_for(ChatRequest(messages))


def test_complete_tool_loop_is_not_refused() -> None:
    """The same messages with every result are valid."""
    assert (
        refusal_for(request_with(QUESTION, Message.assistant(tool_calls=(CALL,)), Message.user("Hurry"), RESULT)) == ""
    )


@pytest.mark.parametrize(
    ("model", "is_refused"),
    [("claude-opus-4-6", True), ("claude-sonnet-5-5", True), ("claude-opus-4-8", True), ("claude-haiku-4-5", False)],
)
def test_final_assistant_message_refused_since_4_6(model: str, is_refused: bool) -> None:
    """Section 2 (2): prefill."""
    request = request_with(QUESTION, Message.assistant("It is"), Message.user(""))
    assert bool(refusal_for(request, model)) == is_refused


def test_paused_assistant_message_is_resumable() -> None:
    """Section 3, pause_turn: occurs only with server tools and does not count as prefill."""
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    paused = Message("assistant", (), (), replay=Replay("acme", DIALECT, "claude-sonnet-5-5", [block]))
    assert refusal_for(request_with(QUESTION, paused)) == ""
    body = body_for(DIALECT, request_with(QUESTION, paused, cache_prompt=True))
    assert body["messages"][1] == {"role": "assistant", "content": [block]}


def test_replayed_message_is_sent_back_unchanged() -> None:
    """Trap 4: byte for byte."""
    sent = message_bodies(QUESTION, replayed_answer(), RESULT)
    assert sent[1] == {"role": "assistant", "content": CONTENT}


def test_thinking_of_other_model_is_dropped() -> None:
    """Trap 4: thinking is tied to the model that produced it. A note reports the loss."""
    sent = http_request_for(DIALECT, request_with(QUESTION, replayed_answer(), RESULT), "claude-opus-5-5")
    assert json.loads(sent.body)["messages"][1]["content"] == CONTENT[1:]
    assert sent.notes == ("data that only acme (claude-sonnet-5-5) accepts is left out of earlier turns",)


@pytest.mark.parametrize(("model", "is_kept"), [("claude-sonnet-5-5", False), ("claude-opus-4-6", True)])
def test_thinking_after_edited_answer_is_dropped(model: str, is_kept: bool) -> None:
    """Trap 4: not after editing history, on the 5.5 models and Fable 5.1."""
    edited = Message("assistant", ("new",), replay=Replay("acme", DIALECT, model, CONTENT[:1], "old"))
    sent = http_request_for(DIALECT, request_with(QUESTION, edited, QUESTION, replayed_answer(model), RESULT), model)
    content = json.loads(sent.body)["messages"][3]["content"]
    assert content == (CONTENT if is_kept else CONTENT[1:])
    assert any("later answers" in note for note in sent.notes) != is_kept


def test_broken_arguments_are_sent_as_empty_object() -> None:
    """Trap 5: `input` must be an object."""
    broken = ToolCall("toolu_1", "get_weather", {}, '{"city":', "the arguments are not JSON")
    sent = http_request_for(DIALECT, request_with(QUESTION, Message.assistant(tool_calls=(broken,)), RESULT))
    assert json.loads(sent.body)["messages"][1]["content"][0]["input"] == {}
    assert len(sent.notes) == 1


class Diagnosis(BaseModel):
    cause: str
    score: int = Field(ge=0, le=10)


class Tree(BaseModel):
    leaves: "list[Tree]"


def test_schema_is_closed_and_keeps_effort() -> None:
    """Section 2 (6) and (7): `output_config` holds both. Keywords that the vendor refuses are left out and noted."""
    sent = http_request_for(DIALECT, request_with(response_format=Diagnosis, reasoning="low"))
    config = json.loads(sent.body)["output_config"]
    assert config["effort"] == "low"
    assert config["format"]["type"] == "json_schema"
    schema = config["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["cause", "score"]
    assert schema["properties"]["score"] == {"title": "Score", "type": "integer"}
    assert [note for note in sent.notes if "schema" in note] == list(sent.notes)


@pytest.mark.parametrize("schema", [{"type": "object", "additionalProperties": True}, Tree])
def test_schema_that_cannot_be_closed_is_refused(schema: Any) -> None:
    """Section 2 (6), `additionalProperties: false`; a recursive schema has no such form."""
    assert refusal_for(request_with(response_format=schema))


def test_json_mode_becomes_system_instruction() -> None:
    """Section 2 (6): no plain json_object mode."""
    sent = http_request_for(
        DIALECT, request_with(Message.system("Be terse."), *REQUEST.messages, response_format="json")
    )
    body = json.loads(sent.body)
    assert body["system"] == "Be terse.\n\nAnswer with one JSON object and nothing else."
    assert "output_config" not in body
    assert len(sent.notes) == 1


ADAPTIVE = {"type": "adaptive"}
ADAPTIVE_WITH_SUMMARY = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "intent", "expected", "notes"),
    [
        # anthropic-messages.md 2 (7), the table
        ("claude-opus-5-5", "high", {"thinking": ADAPTIVE_WITH_SUMMARY, "output_config": {"effort": "high"}}, 0),
        ("claude-opus-5-5", "off", {}, 1),
        ("claude-opus-5-5", 0, {}, 1),
        ("claude-opus-5-5", 3000, {"thinking": ADAPTIVE_WITH_SUMMARY, "output_config": {"effort": "medium"}}, 1),
        ("claude-sonnet-5-5", "low", {"thinking": ADAPTIVE_WITH_SUMMARY, "output_config": {"effort": "low"}}, 0),
        ("claude-sonnet-5-5", "off", {"thinking": {"type": "between_tools"}}, 1),
        ("claude-haiku-5-5", "off", {}, 1),
        ("claude-opus-5", "off", {"thinking": {"type": "disabled"}}, 0),
        ("claude-fable-5-1", "medium", {"thinking": ADAPTIVE, "output_config": {"effort": "medium"}}, 0),
        ("claude-opus-4-6", "low", {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}, 0),
        ("claude-opus-4-6", 2000, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, 0),
        ("claude-haiku-4-5", "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}, 0),
        ("claude-haiku-4-5", "off", {}, 0),
        ("claude-haiku-4-5", 0, {}, 0),
        ("claude-sonnet-5-5", None, {}, 0),
        ("qwen3", "high", {}, 1),
    ],
)
def test_reasoning_uses_form_of_the_model(model: str, intent: Any, expected: Any, notes: int) -> None:
    """A reasoning intent without a form for the model is noted."""
    fields, sent = thinking_fields(model, reasoning=intent)
    assert fields == expected
    assert len(sent.notes) == notes


@pytest.mark.parametrize(
    ("intent", "max_tokens", "budget", "limit", "notes"),
    [
        (500, None, 1024, 8192, 1),
        ("high", None, 16384, 24576, 1),
        (100_000, None, 48000, 64000, 2),  # the model's own output limit
        (3000, 4000, 3000, 4000, 0),
        (5000, 4000, 3000, 4000, 1),
        (1024, 1024, None, 1024, 1),
    ],
)
def test_thinking_budget_stays_within_documented_bounds(
    intent: Any, max_tokens: int | None, budget: int | None, limit: int, notes: int
) -> None:
    """Section 2 (7): `>= 1024 and < max_tokens`. The caller's own limit stays unchanged."""
    fields, sent = thinking_fields("claude-haiku-4-5", reasoning=intent, max_tokens=max_tokens)
    assert fields.get("thinking", {}).get("budget_tokens") == budget
    assert json.loads(sent.body)["max_tokens"] == limit
    assert len(sent.notes) == notes


def test_lowered_budget_leaves_room_for_answer() -> None:
    """`min_output_tokens` is reserved for the visible answer."""
    fields, _ = thinking_fields("claude-haiku-4-5", reasoning="high", max_tokens=4000, min_output_tokens=2500)
    assert fields["thinking"]["budget_tokens"] == 1500


def test_thinking_drops_temperature_with_note() -> None:
    """Section 1: sampling works on 4.6 with thinking off."""
    sent = http_request_for(DIALECT, request_with(reasoning="low", temperature=0.5), "claude-opus-4-6")
    assert "temperature" not in json.loads(sent.body)
    assert [note.partition(":")[0] for note in sent.notes] == ["temperature left out"]
    assert body_for(DIALECT, request_with(reasoning="off", temperature=0.5), "claude-opus-4-6")["temperature"] == 0.5


CACHE_MARK = {"cache_control": {"type": "ephemeral"}}


def test_prompt_cache_sets_two_marks() -> None:
    """Section 2 (8): on the system text, and on the last message."""
    request = request_with(Message.system("Be terse."), *REQUEST.messages, tools=(WEATHER,), cache_prompt=True)
    body = body_for(DIALECT, request)
    assert body["system"] == [{"type": "text", "text": "Be terse.", **CACHE_MARK}]
    assert "cache_control" not in body["tools"][0]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi", **CACHE_MARK}]}]


def test_prompt_cache_without_system_marks_last_tool() -> None:
    """Section 2 (8): a tool block accepts the mark."""
    body = body_for(DIALECT, request_with(tools=(WEATHER, Tool("ping")), cache_prompt=True))
    assert ["cache_control" in tool for tool in body["tools"]] == [False, True]


@pytest.mark.parametrize("cache_prompt", [None, False])
def test_prompt_cache_is_off_by_default(cache_prompt: bool | None) -> None:
    """A mark costs money: cache writes are dearer."""
    request = request_with(Message.system("Be terse."), *REQUEST.messages, tools=(WEATHER,), cache_prompt=cache_prompt)
    assert b"cache_control" not in http_request_for(DIALECT, request).body


def test_stream_flag_is_sent_for_streams() -> None:
    """Section 4."""
    sent = anthropic.build_request(REQUEST, config_of(DIALECT), "claude-sonnet-5-5", stream=True)
    assert json.loads(sent.body)["stream"] is True
    assert "stream" not in body_for(DIALECT, REQUEST)


# anthropic-messages.md section 3
ANSWER = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5",'
    b'"content":[{"type":"thinking","thinking":"","signature":"EqQB..."},{"type":"text","text":"Hi","citations":null}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,'
    b'"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
    b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
    b'"output_tokens":30,"output_tokens_details":{"thinking_tokens":20},"service_tier":"standard"}}'
)


def test_signed_thinking_is_kept_for_replay() -> None:
    """Section 3 and trap 4: the whole content, unchanged."""
    answer = anthropic.parse_response(reply_of(DIALECT, ANSWER))
    assert (answer.content, answer.reasoning) == ("Hi", "")
    assert answer.turn == json.loads(ANSWER)["content"]


def answer_of(*content: Any, stop: str = "end_turn") -> Any:
    body = {**json.loads(ANSWER), "content": list(content), "stop_reason": stop}
    return anthropic.parse_response(reply_of(DIALECT, json_body(body)))


def test_thinking_is_separate_from_content() -> None:
    """Section 3, block types."""
    thought = {"type": "thinking", "thinking": "Simple.", "signature": "EqQB..."}
    answer = answer_of(thought, {"type": "text", "text": "Hi"})
    assert (answer.content, answer.reasoning) == ("Hi", "Simple.")


@pytest.mark.parametrize(
    "block", [{"type": "redacted_thinking", "data": "abc"}, {"type": "novelty", "x": [1]}], ids=["redacted", "unknown"]
)
def test_opaque_blocks_are_kept_for_replay(block: Any) -> None:
    """Section 3: ignore unknown types but keep them for replay."""
    text = {"type": "text", "text": "Hi"}
    assert answer_of(block, text).turn == [block, text]


def test_answers_without_signature_need_no_replay() -> None:
    """Trap 9: other hosts send no signature; the vendor refuses unsigned thinking in a later request."""
    assert answer_of({"type": "text", "text": "Hi"}).turn is None
    assert answer_of({"type": "thinking", "thinking": "a"}, {"type": "text", "text": "Hi"}).turn is None


def test_calls_without_id_get_numbered_ids() -> None:
    """The content kept for replay has the same ids."""
    call = {"type": "tool_use", "name": "ping", "input": {}}
    answer = answer_of(CONTENT[0], call, call, stop="tool_use")
    assert [call.id for call in answer.tool_calls] == ["call_0", "call_1"]
    assert [block.get("id") for block in answer.turn] == [None, "call_0", "call_1"]
    assert answer.stop_reason is StopReason.TOOL_CALLS


def test_parsed_answer_replays_into_next_request() -> None:
    """`build_request` sends the content that `parse_response` kept."""
    answer = answer_of(*CONTENT, stop="tool_use")
    replay = Replay("acme", DIALECT, "claude-sonnet-5-5", answer.turn, answer.content, ("toolu_1",))
    turn = Message("assistant", (), answer.tool_calls, replay=replay)
    request = replace(request_with(QUESTION, turn, RESULT), cache_prompt=True)
    assert body_for(DIALECT, request)["messages"][1]["content"] == CONTENT
