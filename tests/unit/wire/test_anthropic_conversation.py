"""Anthropic Messages: tools, results, images, schemas, thinking, caching and turns that go home unchanged."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, Field

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.wire import anthropic_messages as wire

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
OPENING = Message.user("Weather?")
RESULT = Message.tool("toolu_1", '{"c":7}')


def asked(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def messages_of(*messages: Message, model: str | None = None) -> Any:
    return body_for(DIALECT, asked(*messages), model)["messages"]


def refused(request: ChatRequest, model: str = "claude-sonnet-5-5") -> str:
    return wire.refusal(request, config_of(DIALECT), model)


def thinking_of(model: str, **fields: Any) -> tuple[Any, WireRequest]:
    sent = http_request_for(DIALECT, asked(**fields), model)
    body = json.loads(sent.body)
    return {name: body[name] for name in ("thinking", "output_config") if name in body}, sent


def own_answer(model: str = "claude-sonnet-5-5") -> Message:
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
def test_tool_choice_is_an_object(choice: str | None, written: Any) -> None:
    """Section 2 (4)."""
    body = body_for(DIALECT, asked(tools=(WEATHER,), tool_choice=choice), "claude-haiku-4-5")
    assert body["tools"] == [{"name": "get_weather", "description": "d", "input_schema": SCHEMA}]
    assert body.get("tool_choice") == written


def test_tool_without_parameters_has_an_objects_schema() -> None:
    """`input_schema` is a schema of an object."""
    tools = body_for(DIALECT, asked(tools=(Tool("ping"),)))["tools"]
    assert tools == [{"name": "ping", "input_schema": {"type": "object", "properties": {}}}]


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"])
@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_forced_tool_becomes_an_instruction_where_it_is_refused(model: str, choice: str) -> None:
    """Section 2 (4): a 400 on these; "use auto plus an instruction"."""
    sent = http_request_for(DIALECT, asked(tools=(WEATHER,), tool_choice=choice), model)
    body = json.loads(sent.body)
    assert body["tool_choice"] == {"type": "auto"}
    assert body["system"].startswith("Call ")
    assert ("get_weather" in body["system"]) == (choice == "get_weather")
    assert [note.partition(" sent as ")[0] for note in sent.notes] == [f"tool_choice={choice!r}"]


def test_forced_tool_leaves_a_thinking_budget_out() -> None:
    """Section 2 (4): forcing together with thinking is restricted on older models."""
    told, sent = thinking_of("claude-opus-4-5", reasoning="low", tools=(WEATHER,), tool_choice="required")
    assert told == {}
    assert json.loads(sent.body)["tool_choice"] == {"type": "any"}
    assert any(note.startswith("thinking left out") for note in sent.notes)


def test_instruction_to_call_a_tool_goes_together_with_thinking() -> None:
    """Nothing is forced then."""
    told, sent = thinking_of("claude-opus-5-5", reasoning="low", tools=(WEATHER,), tool_choice="required")
    assert told["thinking"]["type"] == "adaptive"
    assert len(sent.notes) == 1


def test_results_of_parallel_calls_come_first_in_one_turn() -> None:
    """Section 2 (5): one user turn with all results first; trap 5: the very next one."""
    second = ToolCall("toolu_2", "get_weather", {"city": "Rom"})
    failed = Message.tool("toolu_2", "no such city", error=True)
    sent = messages_of(
        OPENING, Message.assistant("Both.", tool_calls=(CALL, second)), Message.user("Hurry"), RESULT, failed
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


def test_images_and_files_are_blocks_in_turns_and_results() -> None:
    """Section 2 (3) and (5): base64 without a prefix, or an address; PDFs are documents."""
    picture = Image.from_bytes(b"\x89PNG", "image/png")
    linked = Image.from_url("https://example.com/a.png")
    pdf = File.from_bytes(b"%PDF", "application/pdf", name="log.pdf")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    sent = messages_of(
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
        ((OPENING, Message.assistant(tool_calls=(CALL,)), Message.user("And?")), "has no result"),
        ((OPENING, Message.assistant(tool_calls=(CALL,))), "has no result"),
        ((OPENING, RESULT), "answers no call"),
        ((OPENING, Message.assistant(tool_calls=(CALL,)), RESULT, RESULT), "answers no call"),
        ((Message.user(File.from_bytes(b"a,b", "text/csv")),), "application/pdf"),
        ((Message.user(Image.from_bytes(b"x", "image/tiff")),), "image/png"),
        ((OPENING, Message("assistant", (Image.from_bytes(b"x"),)), OPENING), "assistant's turn holds"),
    ],
)
def test_conversation_that_would_be_a_400_is_refused(messages: tuple[Message, ...], words: str) -> None:
    """Sections 1, 2 (3) and 7, trap 5."""
    assert words in refused(ChatRequest(messages))


def test_whole_tool_loop_is_not_refused() -> None:
    """The same with every result there."""
    assert refused(asked(OPENING, Message.assistant(tool_calls=(CALL,)), Message.user("Hurry"), RESULT)) == ""


@pytest.mark.parametrize(
    ("model", "is_refused"),
    [("claude-opus-4-6", True), ("claude-sonnet-5-5", True), ("claude-opus-4-8", True), ("claude-haiku-4-5", False)],
)
def test_final_assistant_turn_is_refused_from_4_6_on(model: str, is_refused: bool) -> None:
    """Section 2 (2): prefill."""
    request = asked(OPENING, Message.assistant("It is"), Message.user(""))
    assert bool(refused(request, model)) == is_refused


def test_paused_turn_goes_back_to_be_continued() -> None:
    """Section 3, pause_turn: only with server tools; that is no prefill."""
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    paused = Message("assistant", (), (), replay=Replay("acme", DIALECT, "claude-sonnet-5-5", [block]))
    assert refused(asked(OPENING, paused)) == ""
    body = body_for(DIALECT, asked(OPENING, paused, cache_prompt=True))
    assert body["messages"][1] == {"role": "assistant", "content": [block]}


def test_own_turn_goes_back_unchanged() -> None:
    """Trap 4: byte for byte."""
    sent = messages_of(OPENING, own_answer(), RESULT)
    assert sent[1] == {"role": "assistant", "content": CONTENT}


def test_other_models_thinking_stays_behind() -> None:
    """Trap 4: tied to the model that produced it. The note says so."""
    sent = http_request_for(DIALECT, asked(OPENING, own_answer(), RESULT), "claude-opus-5-5")
    assert json.loads(sent.body)["messages"][1]["content"] == CONTENT[1:]
    assert sent.notes == ("what acme (claude-sonnet-5-5) wants back of its turns is left out here",)


@pytest.mark.parametrize(("model", "is_kept"), [("claude-sonnet-5-5", False), ("claude-opus-4-6", True)])
def test_thinking_after_an_edited_answer_stays_out_where_it_is_bound(model: str, is_kept: bool) -> None:
    """Trap 4: not after editing history, on the 5.5 models and Fable 5.1."""
    edited = Message("assistant", ("new",), replay=Replay("acme", DIALECT, model, CONTENT[:1], "old"))
    sent = http_request_for(DIALECT, asked(OPENING, edited, OPENING, own_answer(model), RESULT), model)
    content = json.loads(sent.body)["messages"][3]["content"]
    assert content == (CONTENT if is_kept else CONTENT[1:])
    assert any("answers after it" in note for note in sent.notes) != is_kept


def test_broken_arguments_go_back_as_an_object() -> None:
    """Trap 5: `input` is an object."""
    broken = ToolCall("toolu_1", "get_weather", {}, '{"city":', "the arguments are no JSON")
    sent = http_request_for(DIALECT, asked(OPENING, Message.assistant(tool_calls=(broken,)), RESULT))
    assert json.loads(sent.body)["messages"][1]["content"][0]["input"] == {}
    assert len(sent.notes) == 1


class Verdict(BaseModel):
    cause: str
    score: int = Field(ge=0, le=10)


class Tree(BaseModel):
    leaves: "list[Tree]"


def test_schema_is_closed_and_stands_beside_the_effort() -> None:
    """Section 2 (6) and (7): both in `output_config`. What structured outputs refuse is left out and noted."""
    sent = http_request_for(DIALECT, asked(response_format=Verdict, reasoning="low"))
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
    """Section 2 (6), `additionalProperties: false`; a recursive one has no form."""
    assert refused(asked(response_format=schema))


def test_json_mode_is_an_instruction() -> None:
    """Section 2 (6): no plain json_object mode."""
    sent = http_request_for(DIALECT, asked(Message.system("Be terse."), *REQUEST.messages, response_format="json"))
    body = json.loads(sent.body)
    assert body["system"] == "Be terse.\n\nAnswer with one JSON object and nothing else."
    assert "output_config" not in body
    assert len(sent.notes) == 1


ADAPTIVE = {"type": "adaptive"}
SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "intent", "told", "notes"),
    [
        # anthropic-messages.md 2 (7), the table
        ("claude-opus-5-5", "high", {"thinking": SHOWN, "output_config": {"effort": "high"}}, 0),
        ("claude-opus-5-5", "off", {}, 1),
        ("claude-opus-5-5", 0, {}, 1),
        ("claude-opus-5-5", 3000, {"thinking": SHOWN, "output_config": {"effort": "medium"}}, 1),
        ("claude-sonnet-5-5", "low", {"thinking": SHOWN, "output_config": {"effort": "low"}}, 0),
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
def test_reasoning_is_told_as_the_model_takes_it(model: str, intent: Any, told: Any, notes: int) -> None:
    """An intent that cannot be said is noted."""
    fields, sent = thinking_of(model, reasoning=intent)
    assert fields == told
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
def test_budget_lies_between_1024_and_the_limit(
    intent: Any, max_tokens: int | None, budget: int | None, limit: int, notes: int
) -> None:
    """Section 2 (7): `>= 1024 and < max_tokens`. The caller's own limit stands."""
    fields, sent = thinking_of("claude-haiku-4-5", reasoning=intent, max_tokens=max_tokens)
    assert fields.get("thinking", {}).get("budget_tokens") == budget
    assert json.loads(sent.body)["max_tokens"] == limit
    assert len(sent.notes) == notes


def test_lowered_budget_leaves_room_for_the_answer() -> None:
    """`min_output_tokens` is for the visible answer."""
    fields, _ = thinking_of("claude-haiku-4-5", reasoning="high", max_tokens=4000, min_output_tokens=2500)
    assert fields["thinking"]["budget_tokens"] == 1500


def test_temperature_and_thinking_do_not_go_together() -> None:
    """Section 1: sampling works on 4.6 with thinking off."""
    sent = http_request_for(DIALECT, asked(reasoning="low", temperature=0.5), "claude-opus-4-6")
    assert "temperature" not in json.loads(sent.body)
    assert [note.partition(":")[0] for note in sent.notes] == ["temperature left out"]
    assert body_for(DIALECT, asked(reasoning="off", temperature=0.5), "claude-opus-4-6")["temperature"] == 0.5


MARK = {"cache_control": {"type": "ephemeral"}}


def test_prompt_cache_gets_two_marks() -> None:
    """Section 2 (8): on the system text, and on the last turn."""
    request = asked(Message.system("Be terse."), *REQUEST.messages, tools=(WEATHER,), cache_prompt=True)
    body = body_for(DIALECT, request)
    assert body["system"] == [{"type": "text", "text": "Be terse.", **MARK}]
    assert "cache_control" not in body["tools"][0]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi", **MARK}]}]


def test_prompt_cache_marks_the_last_tool_where_there_is_no_system_text() -> None:
    """Section 2 (8): a tool block takes the mark."""
    body = body_for(DIALECT, asked(tools=(WEATHER, Tool("ping")), cache_prompt=True))
    assert ["cache_control" in tool for tool in body["tools"]] == [False, True]


@pytest.mark.parametrize("cache_prompt", [None, False])
def test_nothing_is_marked_unasked(cache_prompt: bool | None) -> None:
    """A mark costs: cache writes are dearer."""
    request = asked(Message.system("Be terse."), *REQUEST.messages, tools=(WEATHER,), cache_prompt=cache_prompt)
    assert b"cache_control" not in http_request_for(DIALECT, request).body


def test_stream_is_asked_for() -> None:
    """Section 4."""
    sent = wire.build_request(REQUEST, config_of(DIALECT), "claude-sonnet-5-5", stream=True)
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


def test_signed_thinking_makes_the_turn_one_that_goes_back() -> None:
    """Section 3 and trap 4: the whole content, unchanged."""
    answer = wire.parse_response(reply_of(DIALECT, ANSWER))
    assert (answer.content, answer.reasoning) == ("Hi", "")
    assert answer.turn == json.loads(ANSWER)["content"]


def answer_of(*content: Any, stop: str = "end_turn") -> Any:
    body = {**json.loads(ANSWER), "content": list(content), "stop_reason": stop}
    return wire.parse_response(reply_of(DIALECT, json_body(body)))


def test_thinking_is_apart_from_the_answer() -> None:
    """Section 3, block types."""
    thought = {"type": "thinking", "thinking": "Simple.", "signature": "EqQB..."}
    answer = answer_of(thought, {"type": "text", "text": "Hi"})
    assert (answer.content, answer.reasoning) == ("Hi", "Simple.")


@pytest.mark.parametrize(
    "block", [{"type": "redacted_thinking", "data": "abc"}, {"type": "novelty", "x": [1]}], ids=["redacted", "unknown"]
)
def test_opaque_blocks_are_kept(block: Any) -> None:
    """Section 3: ignore unknown types but keep them for replay."""
    text = {"type": "text", "text": "Hi"}
    assert answer_of(block, text).turn == [block, text]


def test_plain_answers_and_unsigned_thinking_need_no_replay() -> None:
    """Trap 9: other hosts send no signature; what has none is refused when it comes back."""
    assert answer_of({"type": "text", "text": "Hi"}).turn is None
    assert answer_of({"type": "thinking", "thinking": "a"}, {"type": "text", "text": "Hi"}).turn is None


def test_calls_without_an_id_get_one_by_their_place() -> None:
    """The turn that goes back has the same ids."""
    call = {"type": "tool_use", "name": "ping", "input": {}}
    answer = answer_of(CONTENT[0], call, call, stop="tool_use")
    assert [made.id for made in answer.tool_calls] == ["call_0", "call_1"]
    assert [block.get("id") for block in answer.turn] == [None, "call_0", "call_1"]
    assert answer.stop_reason is StopReason.TOOL_CALLS


def test_answer_goes_back_through_its_message() -> None:
    """What `parse_response` keeps is what `build_request` sends."""
    answer = answer_of(*CONTENT, stop="tool_use")
    replay = Replay("acme", DIALECT, "claude-sonnet-5-5", answer.turn, answer.content, ("toolu_1",))
    turn = Message("assistant", (), answer.tool_calls, replay=replay)
    request = replace(asked(OPENING, turn, RESULT), cache_prompt=True)
    assert body_for(DIALECT, request)["messages"][1]["content"] == CONTENT
