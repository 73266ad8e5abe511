"""OpenAI Chat and the vendors that use the dialect: tools, results, attachments, schemas, reasoning and replay."""

import json
from dataclasses import replace
from typing import Any, Self

import pytest
from pydantic import BaseModel

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.errors import LLMError, MalformedResponseError
from faultmaven.domain.messages import Message
from faultmaven.domain.replay import Replay
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.llm.dialects.openai_chat import dialect as openai_chat
from faultmaven.infrastructure.llm.dialects.openai_chat.vendors import VENDORS

from .request_building import REQUEST, body_for, config_of, http_request_for
from .samples import json_body, reply_of

# openai-chat.md section 2 (4)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "d", SCHEMA)
RESTART = Tool("restart")
# section 2 (5)
CALL = ToolCall("call_1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}')
CALL_JSON = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
}
QUESTION = Message.user("Weather?")
CALL_MESSAGE = Message.assistant(tool_calls=[CALL])
RESULT = Message.tool("call_1", '{"c":7}')
IMAGE = Image.from_bytes(b"\x89PNG", "image/png")
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
MODELS = {"deepseek": "deepseek-v4-flash", "openai": "gpt-6.2-sol", "xai": "grok-4.7"}


class Out(BaseModel):
    a: int


class Tree(BaseModel):
    name: str
    below: list[Self]


def request_with(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def body_of(vendor: str, request: ChatRequest, model: str | None = None) -> Any:
    return body_for(f"openai-chat/{vendor}", request, model or MODELS.get(vendor, "m"))


def notes_of(vendor: str, request: ChatRequest, model: str | None = None) -> tuple[str, ...]:
    return http_request_for(f"openai-chat/{vendor}", request, model or MODELS.get(vendor, "m")).notes


def refusal_for(vendor: str, request: ChatRequest, **fields: Any) -> str:
    return openai_chat.refusal(request, config_of(f"openai-chat/{vendor}", **fields), MODELS.get(vendor, "m"))


def replayed_answer(vendor: str, turn: Any, text: str = "") -> Message:
    calls = (CALL,) if "tool_calls" in turn else ()
    replay = Replay("acme", f"openai-chat/{vendor}", MODELS.get(vendor, "m"), turn, text, tuple(c.id for c in calls))
    return Message("assistant", (text,) if text else (), calls, replay=replay)


# --- streams ---


@pytest.mark.parametrize("vendor", [name for name in VENDORS if name])
def test_stream_request_includes_usage_option(vendor: str) -> None:
    """Section 4; 9.2: Mistral's types have no `stream_options`, and Mistral always reports usage (9.3)."""
    sent = http_request_for(f"openai-chat/{vendor}", REQUEST, "m")
    plain = json.loads(sent.body)
    config = config_of(f"openai-chat/{vendor}")
    body = json.loads(openai_chat.build_request(REQUEST, config, "m", stream=True).body)
    options = {} if vendor == "mistral" else {"stream_options": {"include_usage": True}}
    assert body == {**plain, "stream": True, **options}


# --- tools ---


def test_tools_match_documented_function_form() -> None:
    """Section 2 (4): a tool without parameters has an empty object schema."""
    body = body_of("groq", request_with(tools=(WEATHER, RESTART)))
    assert body["tools"] == [
        {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "restart", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("get_weather", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
def test_tool_choice_is_string_or_function(choice: str, written: Any) -> None:
    assert body_of("groq", request_with(tools=(WEATHER, RESTART), tool_choice=choice))["tool_choice"] == written
    assert refusal_for("groq", request_with(tools=(WEATHER, RESTART), tool_choice=choice)) == ""


@pytest.mark.parametrize("vendor", ["llamacpp", "lmstudio"])
def test_unsupported_named_choice_sends_one_tool(vendor: str) -> None:
    """Section 9.2: these vendors accept auto, none and required only."""
    request = request_with(tools=(WEATHER, RESTART), tool_choice="restart")
    body = body_of(vendor, request)
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["restart"], "required")
    assert any(
        "tool_choice='restart' sent as 'required' with this tool alone" in note for note in notes_of(vendor, request)
    )


def test_ollama_refuses_forced_tool_choice() -> None:
    """Section 9.2, Ollama /v1: `tool_choice` is ignored. No call can be forced; `none` works by sending no tools."""
    assert "ignores tool_choice" in refusal_for("ollama", request_with(tools=(WEATHER,), tool_choice="required"))
    assert "ignores tool_choice" in refusal_for("ollama", request_with(tools=(WEATHER,), tool_choice="get_weather"))
    request = request_with(tools=(WEATHER,), tool_choice="none")
    assert refusal_for("ollama", request) == ""
    assert "tools" not in body_of("ollama", request)
    assert any(note.startswith("tools left out") for note in notes_of("ollama", request))


def test_tool_result_follows_tool_call() -> None:
    """Section 2 (5)."""
    messages = body_of("groq", request_with(QUESTION, CALL_MESSAGE, RESULT, tools=(WEATHER,)))["messages"]
    assert messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [CALL_JSON]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"c":7}'},
    ]


def test_broken_arguments_are_sent_back_unchanged() -> None:
    broken = Message.assistant(tool_calls=[ToolCall("call_1", "f", {}, '{"city":', "the arguments are not JSON")])
    messages = body_of("groq", request_with(QUESTION, broken, RESULT))["messages"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"city":'


def test_failed_tool_result_has_error_prefix() -> None:
    failed = Message.tool("call_1", "no such station", error=True)
    assert (
        body_of("groq", request_with(QUESTION, CALL_MESSAGE, failed))["messages"][-1]["content"]
        == "Error: no such station"
    )


def test_result_images_follow_in_user_message() -> None:
    """Section 2 (5): a tool message takes a string or text parts, and one message per id follows the calls."""
    second = replace(CALL, id="call_2")
    conversation = (
        QUESTION,
        Message.assistant(tool_calls=[CALL, second]),
        Message.tool("call_1", "a graph", IMAGE),
        Message.tool("call_2", "7"),
        Message.user("So?"),
    )
    messages = body_of("groq", request_with(*conversation))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert messages[2]["content"] == "a graph"
    assert messages[4]["content"] == [{"type": "text", "text": "Of the result of call_1:"}, IMAGE_PART]
    assert any("tool results" in note for note in notes_of("groq", request_with(*conversation)))


def test_mistral_call_ids_have_nine_characters() -> None:
    """Mistral's server requires this form. Call and result have the same id, and a retry repeats the id."""
    request = request_with(QUESTION, CALL_MESSAGE, RESULT)
    messages = body_of("mistral", request)["messages"]
    generated_id = messages[1]["tool_calls"][0]["id"]
    assert generated_id.isalnum()
    assert len(generated_id) == 9
    assert messages[2]["tool_call_id"] == generated_id
    assert body_of("mistral", request)["messages"] == messages


# --- images and files ---


def test_images_and_files_become_content_parts() -> None:
    """Section 2 (3)."""
    report = File.from_bytes(b"%PDF", "application/pdf", name="r.pdf")
    address = Image.from_url("https://example.com/a.png")
    body = body_of("openai", request_with(Message.user("What is this?", address, IMAGE, report)))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        IMAGE_PART,
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "r.pdf"}},
    ]


def test_unsupported_attachments_are_refused() -> None:
    """Section 9.2: Ollama /v1 refuses image URLs; only OpenAI's types have files (2 (3)), as data."""
    address, fetched = (Image.from_url("https://example.com/a.png", fetch=fetch) for fetch in (False, True))
    report = File.from_bytes(b"%PDF", "application/pdf")
    assert "no image addresses" in refusal_for("ollama", request_with(Message.user(address)))
    assert refusal_for("ollama", request_with(Message.user(fetched))) == ""
    assert refusal_for("ollama", request_with(Message.user(IMAGE))) == ""
    assert "no files" in refusal_for("groq", request_with(Message.user(report)))
    assert refusal_for("openai", request_with(Message.user(report))) == ""
    assert "file addresses" in refusal_for(
        "openai", request_with(Message.user(File.from_url("https://example.com/a.pdf")))
    )


def test_images_in_system_message_are_dropped() -> None:
    request = request_with(Message("system", ("Look.", IMAGE)), QUESTION)
    assert body_of("groq", request)["messages"][0] == {"role": "system", "content": "Look."}
    assert any("system turns left out" in note for note in notes_of("groq", request))


# --- structured output ---

OUT_SCHEMA = {
    "properties": {"a": {"title": "A", "type": "integer"}},
    "required": ["a"],
    "title": "Out",
    "type": "object",
}


def test_openai_schema_uses_strict_mode() -> None:
    """Section 2 (6)."""
    sent_format = body_of("openai", request_with(response_format=Out))["response_format"]
    strict_schema = {**OUT_SCHEMA, "additionalProperties": False}
    assert sent_format == {
        "type": "json_schema",
        "json_schema": {"name": "Out", "strict": True, "schema": strict_schema},
    }


def test_recursive_schema_has_object_at_root() -> None:
    schema = body_of("openai", request_with(response_format=Tree))["response_format"]["json_schema"]["schema"]
    assert (schema["type"], "$ref" in schema, "Tree" in schema["$defs"]) == ("object", False, True)


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {"type": "integer"}}, {"type": "object", "additionalProperties": True}]
)
def test_strict_mode_is_off_for_unfit_schema(schema: Any) -> None:
    request = request_with(response_format=schema)
    sent_format = body_of("openai", request)["response_format"]["json_schema"]
    assert (sent_format["strict"], sent_format["schema"]) == (False, schema)
    assert any("without strict mode" in note for note in notes_of("openai", request))


@pytest.mark.parametrize(
    ("vendor", "sent_format"),
    [
        ("groq", {"type": "json_schema", "json_schema": {"name": "Out", "schema": OUT_SCHEMA}}),
        ("llamacpp", {"type": "json_object", "schema": OUT_SCHEMA}),
        ("tgi", {"type": "json_object", "value": OUT_SCHEMA}),
        ("deepseek", {"type": "json_object"}),
    ],
)
def test_schema_uses_form_of_the_vendor(vendor: str, sent_format: Any) -> None:
    """Section 9.2, response_format."""
    assert body_of(vendor, request_with(response_format=Out))["response_format"] == sent_format


@pytest.mark.parametrize(
    ("fields", "model"),
    [({}, "m:hf-inference"), ({"base_url": "https://router.huggingface.co/hf-inference/models/m/v1"}, "m")],
)
def test_hugging_face_inference_uses_tgi_form(fields: Any, model: str) -> None:
    """huggingface.md section 2: hf-inference and TGI want structured output under `value`."""
    body = body_for("openai-chat/huggingface", request_with(response_format=Out), model, **fields)
    assert body["response_format"] == {"type": "json_object", "value": OUT_SCHEMA}
    plain = body_for("openai-chat/huggingface", request_with(response_format=Out), "m:groq")
    assert plain["response_format"]["type"] == "json_schema"


def test_deepseek_schema_is_in_system_message() -> None:
    """Section 9.2: text and json_object only."""
    request = request_with(Message.system("Be terse."), QUESTION, response_format=Out)
    first = body_of("deepseek", request)["messages"][0]
    assert first["role"] == "system"
    assert first["content"].startswith("Be terse.\n\n")
    assert json.dumps(OUT_SCHEMA, separators=(",", ":")) in first["content"]
    assert notes_of("deepseek", request)


def test_json_mode_adds_word_when_missing() -> None:
    """Section 2 (6): the word JSON must occur in the messages."""
    body = body_of("groq", request_with(response_format="json"))
    assert body["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert notes_of("groq", request_with(response_format="json"))
    with_word = request_with(Message.user("Answer in json"), response_format="json")
    assert [message["role"] for message in body_of("groq", with_word)["messages"]] == ["user"]
    assert notes_of("groq", with_word) == ()


def test_lm_studio_json_mode_becomes_schema() -> None:
    """Section 9.2: json_object -> 400."""
    sent_format = body_of("lmstudio", request_with(response_format="json"))["response_format"]
    assert (sent_format["type"], sent_format["json_schema"]["schema"]) == ("json_schema", {"type": "object"})


def test_tgi_refuses_schema_with_tools() -> None:
    """Section 9.2: not together with response_format."""
    assert "together with tools" in refusal_for("tgi", request_with(tools=(WEATHER,), response_format=Out))
    assert refusal_for("groq", request_with(tools=(WEATHER,), response_format=Out)) == ""


# --- reasoning ---


@pytest.mark.parametrize(
    ("vendor", "intent", "fields"),
    [
        ("openai", "low", {"reasoning_effort": "low"}),
        ("groq", "off", {"reasoning_effort": "none"}),
        ("deepseek", "off", {"thinking": {"type": "disabled"}}),
        ("deepseek", "high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("openrouter", "high", {"reasoning": {"effort": "high"}}),
        ("openrouter", 1024, {"reasoning": {"max_tokens": 1024}}),
        ("together", "off", {"reasoning": {"enabled": False}}),
        ("fireworks", 4096, {"reasoning_effort": 4096}),
        ("fireworks", 0, {"reasoning_effort": "none"}),
        ("vllm", 4096, {"thinking_token_budget": 4096}),
        ("llamacpp", "off", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("ollama", "off", {"reasoning_effort": "none"}),
        ("huggingface", "low", {"reasoning_effort": "low"}),
    ],
)
def test_reasoning_uses_form_of_the_vendor(vendor: str, intent: Any, fields: Any) -> None:
    """Section 9.2, reasoning control."""
    request = request_with(reasoning=intent)
    assert body_of(vendor, request) == {**body_of(vendor, request_with()), **fields}
    assert notes_of(vendor, request) == ()


@pytest.mark.parametrize(("vendor", "intent"), [("xai", "off"), ("openai", "off"), ("tgi", "high"), ("nvidia", "low")])
def test_unsupported_reasoning_intent_is_noted(vendor: str, intent: str) -> None:
    """Section 9.2: grok-4.7 cannot be off; section 8: gpt-6.2 neither; TGI and NIM have no such parameter."""
    assert body_of(vendor, request_with(reasoning=intent)) == body_of(vendor, request_with())
    assert [note.partition(" left out")[0] for note in notes_of(vendor, request_with(reasoning=intent))] == [
        f"reasoning={intent!r}"
    ]


# --- reasoning in later requests ---

DEEPSEEK_TURN = {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [CALL_JSON]}


def test_deepseek_reasoning_is_sent_back() -> None:
    """Section 9.2, resending history."""
    request = request_with(QUESTION, replayed_answer("deepseek", DEEPSEEK_TURN), RESULT, tools=(WEATHER,))
    body = body_of("deepseek", request)
    assert body["messages"][1] == DEEPSEEK_TURN
    assert "thinking" not in body
    assert notes_of("deepseek", request) == ()


@pytest.mark.parametrize(
    "answer",
    [
        CALL_MESSAGE,
        replace(replayed_answer("deepseek", DEEPSEEK_TURN), parts=("edited",)),
        replayed_answer("groq", DEEPSEEK_TURN),
    ],
    ids=["without replay", "edited", "of another vendor"],
)
def test_deepseek_calls_without_reasoning_disable_thinking(answer: Message) -> None:
    """Section 9.2: in thinking mode 400, when a turn of a tool conversation lacks `reasoning_content`."""
    request = request_with(QUESTION, answer, RESULT, tools=(WEATHER,), reasoning="high")
    body = body_of("deepseek", request)
    assert body["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in body
    assert "reasoning_content" not in body["messages"][1]
    assert any(note.startswith("reasoning turned off") for note in notes_of("deepseek", request))


def test_deepseek_plain_history_keeps_thinking() -> None:
    """The vendor's rule is for tool conversations only."""
    assert "thinking" not in body_of(
        "deepseek", request_with(QUESTION, Message.assistant("Rain."), Message.user("Sure?"))
    )


def test_other_vendor_receives_text_and_calls() -> None:
    request = request_with(QUESTION, replayed_answer("deepseek", DEEPSEEK_TURN), RESULT)
    assert body_of("groq", request)["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL_JSON],
    }
    assert any("left out of earlier turns" in note for note in notes_of("groq", request))


# --- answers ---


def answer_of(vendor: str, message: dict[str, Any], reason: str | None = "stop") -> Any:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return openai_chat.parse_response(reply_of(f"openai-chat/{vendor}", json_body({"model": "m", "choices": [choice]})))


def test_tool_calls_override_finish_reason() -> None:
    """Section 3: a forced tool reports stop."""
    answer = answer_of("openai", {"content": None, "tool_calls": [CALL_JSON]})
    assert (answer.tool_calls, answer.stop_reason, answer.content) == ((CALL,), StopReason.TOOL_CALLS, "")
    assert answer.turn is None


@pytest.mark.parametrize("ids", [("null", "null"), (None, None), ("0", "0")])
def test_every_tool_call_has_unique_id(ids: tuple[Any, Any]) -> None:
    """Section 9.3, TGI; 9.5, Mistral: the default is the string "null", and arguments may be an object."""
    calls = [{"id": call_id, "function": {"name": "f", "arguments": {"x": 1}}} for call_id in ids]
    answer = answer_of("mistral", {"content": "", "tool_calls": calls})
    assert [call.arguments for call in answer.tool_calls] == [{"x": 1}, {"x": 1}]
    assert len({call.id for call in answer.tool_calls} - {"", "null"}) == 2


@pytest.mark.parametrize("calls", [None, []])
def test_answer_without_calls_stops_normally(calls: Any) -> None:
    """Section 7 (3)."""
    assert answer_of("openai", {"content": "Hi", "tool_calls": calls}).stop_reason is StopReason.STOP


@pytest.mark.parametrize(
    ("vendor", "message"),
    [
        ("deepseek", {"content": "Hi", "reasoning_content": "Hmm."}),
        ("nvidia", {"content": "Hi", "reasoning_content": None, "reasoning": "Hmm."}),
        ("groq", {"content": "Hi", "reasoning": "Hmm."}),
        (
            "mistral",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]},
                    {"type": "text", "text": "Hi"},
                ]
            },
        ),
    ],
)
def test_reasoning_is_separate_from_content(vendor: str, message: dict[str, Any]) -> None:
    """Section 9.2, reasoning text in replies."""
    answer = answer_of(vendor, message)
    assert (answer.content, answer.reasoning) == ("Hi", "Hmm.")
    assert (answer.turn is not None) == (vendor == "deepseek")


def test_openrouter_reasoning_details_are_sent_back() -> None:
    """Section 9.2: `reasoning_details` should go back unchanged in tool loops."""
    details = [{"type": "reasoning.text", "text": "Hm", "signature": "S1", "index": 0}]
    answer = answer_of("openrouter", {"content": "Hi", "reasoning": "Hm", "reasoning_details": details})
    request = request_with(QUESTION, replayed_answer("openrouter", answer.turn, "Hi"), Message.user("Sure?"))
    assert body_of("openrouter", request)["messages"][1]["reasoning_details"] == details


def test_kept_turn_has_generated_call_ids() -> None:
    call_without_id = {"function": {"name": "f", "arguments": "{}"}}
    answer = answer_of("deepseek", {"content": None, "reasoning_content": "Hm.", "tool_calls": [call_without_id]})
    assert answer.turn["tool_calls"][0]["id"] == answer.tool_calls[0].id != ""


def test_content_of_wrong_type_is_malformed() -> None:
    with pytest.raises(MalformedResponseError):
        answer_of("openai", {"content": 7})


def test_failure_finish_reason_raises_error() -> None:
    with pytest.raises(LLMError):
        answer_of("openrouter", {"content": ""}, "error")
