"""OpenAI Chat and its vendors: tools, results, images, files, schemas, reasoning and turns that go home unchanged."""

import json
from dataclasses import replace
from typing import Any, Self

import pytest
from pydantic import BaseModel

from faultmaven.domain.attachments import File, Image
from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.errors import LLMError, MalformedResponseError
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.llm.wire import openai_chat as wire
from faultmaven.infrastructure.llm.wire.openai_chat_vendors import VENDORS

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
WRITTEN_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
}
OPENING = Message.user("Weather?")
CALLING = Message.assistant(tool_calls=[CALL])
RESULT = Message.tool("call_1", '{"c":7}')
PICTURE = Image.from_bytes(b"\x89PNG", "image/png")
PICTURE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
MODELS = {"deepseek": "deepseek-v4-flash", "openai": "gpt-6.2-sol", "xai": "grok-4.7"}


class Out(BaseModel):
    a: int


class Tree(BaseModel):
    name: str
    below: list[Self]


def asked(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(messages or REQUEST.messages, **fields)


def body_of(vendor: str, request: ChatRequest, model: str | None = None) -> Any:
    return body_for(f"openai-chat/{vendor}", request, model or MODELS.get(vendor, "m"))


def notes_of(vendor: str, request: ChatRequest, model: str | None = None) -> tuple[str, ...]:
    return http_request_for(f"openai-chat/{vendor}", request, model or MODELS.get(vendor, "m")).notes


def refused(vendor: str, request: ChatRequest, **fields: Any) -> str:
    return wire.refusal(request, config_of(f"openai-chat/{vendor}", **fields), MODELS.get(vendor, "m"))


def own_answer(vendor: str, turn: Any, text: str = "") -> Message:
    calls = (CALL,) if "tool_calls" in turn else ()
    replay = Replay("acme", f"openai-chat/{vendor}", MODELS.get(vendor, "m"), turn, text, tuple(c.id for c in calls))
    return Message("assistant", (text,) if text else (), calls, replay=replay)


# --- streams ---


@pytest.mark.parametrize("vendor", [name for name in VENDORS if name])
def test_a_stream_asks_for_its_counts(vendor: str) -> None:
    """Section 4; 9.2: Mistral's types have no `stream_options`, and it always counts (9.3)."""
    sent = http_request_for(f"openai-chat/{vendor}", REQUEST, "m")
    plain = json.loads(sent.body)
    config = config_of(f"openai-chat/{vendor}")
    body = json.loads(wire.build_request(REQUEST, config, "m", stream=True).body)
    options = {} if vendor == "mistral" else {"stream_options": {"include_usage": True}}
    assert body == {**plain, "stream": True, **options}


# --- tools ---


def test_tools_as_the_document_has_them() -> None:
    """Section 2 (4); one without parameters takes an empty object."""
    body = body_of("groq", asked(tools=(WEATHER, RESTART)))
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
def test_choices(choice: str, written: Any) -> None:
    assert body_of("groq", asked(tools=(WEATHER, RESTART), tool_choice=choice))["tool_choice"] == written
    assert refused("groq", asked(tools=(WEATHER, RESTART), tool_choice=choice)) == ""


@pytest.mark.parametrize("vendor", ["llamacpp", "lmstudio"])
def test_a_choice_by_name_where_there_is_none(vendor: str) -> None:
    """Section 9.2: auto, none, required."""
    request = asked(tools=(WEATHER, RESTART), tool_choice="restart")
    body = body_of(vendor, request)
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["restart"], "required")
    assert any("'restart' is the only tool offered" in note for note in notes_of(vendor, request))


def test_ollama_ignores_choices() -> None:
    """Section 9.2, Ollama /v1: ignored. No call can be demanded; none can be had by offering no tool."""
    assert "ignores tool_choice" in refused("ollama", asked(tools=(WEATHER,), tool_choice="required"))
    assert "ignores tool_choice" in refused("ollama", asked(tools=(WEATHER,), tool_choice="get_weather"))
    request = asked(tools=(WEATHER,), tool_choice="none")
    assert refused("ollama", request) == ""
    assert "tools" not in body_of("ollama", request)
    assert any(note.startswith("tools left out") for note in notes_of("ollama", request))


def test_a_result_follows_its_call() -> None:
    """Section 2 (5)."""
    messages = body_of("groq", asked(OPENING, CALLING, RESULT, tools=(WEATHER,)))["messages"]
    assert messages[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [WRITTEN_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"c":7}'},
    ]


def test_broken_arguments_go_back_as_they_came() -> None:
    broken = Message.assistant(tool_calls=[ToolCall("call_1", "f", {}, '{"city":', "the arguments are no JSON")])
    messages = body_of("groq", asked(OPENING, broken, RESULT))["messages"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"city":'


def test_a_failed_result_says_so() -> None:
    failed = Message.tool("call_1", "no such station", error=True)
    assert body_of("groq", asked(OPENING, CALLING, failed))["messages"][-1]["content"] == "Error: no such station"


def test_images_of_results_follow_all_results_in_a_user_turn() -> None:
    """Section 2 (5): a tool message takes a string or text parts, and one message per id follows the calls."""
    second = replace(CALL, id="call_2")
    turns = (
        OPENING,
        Message.assistant(tool_calls=[CALL, second]),
        Message.tool("call_1", "a graph", PICTURE),
        Message.tool("call_2", "7"),
        Message.user("So?"),
    )
    messages = body_of("groq", asked(*turns))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert messages[2]["content"] == "a graph"
    assert messages[4]["content"] == [{"type": "text", "text": "Of the result of call_1:"}, PICTURE_PART]
    assert any("tool results" in note for note in notes_of("groq", asked(*turns)))


def test_mistral_gets_ids_of_nine_characters() -> None:
    """The form that Mistral's server demands; both ends agree, and a retry says the same."""
    request = asked(OPENING, CALLING, RESULT)
    messages = body_of("mistral", request)["messages"]
    made = messages[1]["tool_calls"][0]["id"]
    assert made.isalnum()
    assert len(made) == 9
    assert messages[2]["tool_call_id"] == made
    assert body_of("mistral", request)["messages"] == messages


# --- images and files ---


def test_images_and_files_of_a_user() -> None:
    """Section 2 (3)."""
    report = File.from_bytes(b"%PDF", "application/pdf", name="r.pdf")
    address = Image.from_url("https://example.com/a.png")
    body = body_of("openai", asked(Message.user("What is this?", address, PICTURE, report)))
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        PICTURE_PART,
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "r.pdf"}},
    ]


def test_what_a_vendor_cannot_see_is_refused() -> None:
    """Section 9.2: Ollama /v1 refuses image addresses; files stand in OpenAI's types only (2 (3)), as data."""
    address, fetched = (Image.from_url("https://example.com/a.png", fetch=fetch) for fetch in (False, True))
    report = File.from_bytes(b"%PDF", "application/pdf")
    assert "no image addresses" in refused("ollama", asked(Message.user(address)))
    assert refused("ollama", asked(Message.user(fetched))) == ""
    assert refused("ollama", asked(Message.user(PICTURE))) == ""
    assert "no files" in refused("groq", asked(Message.user(report)))
    assert refused("openai", asked(Message.user(report))) == ""
    assert "addresses of files" in refused("openai", asked(Message.user(File.from_url("https://example.com/a.pdf"))))


def test_images_have_no_place_in_system_turns() -> None:
    request = asked(Message("system", ("Look.", PICTURE)), OPENING)
    assert body_of("groq", request)["messages"][0] == {"role": "system", "content": "Look."}
    assert any("system turns left out" in note for note in notes_of("groq", request))


# --- structured output ---

OUT = {"properties": {"a": {"title": "A", "type": "integer"}}, "required": ["a"], "title": "Out", "type": "object"}


def test_openais_strict_form() -> None:
    """Section 2 (6)."""
    described = body_of("openai", asked(response_format=Out))["response_format"]
    strict_schema = {**OUT, "additionalProperties": False}
    assert described == {
        "type": "json_schema",
        "json_schema": {"name": "Out", "strict": True, "schema": strict_schema},
    }


def test_a_model_that_holds_itself_gets_an_object_at_its_root() -> None:
    schema = body_of("openai", asked(response_format=Tree))["response_format"]["json_schema"]["schema"]
    assert (schema["type"], "$ref" in schema, "Tree" in schema["$defs"]) == ("object", False, True)


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {"type": "integer"}}, {"type": "object", "additionalProperties": True}]
)
def test_a_schema_that_strict_mode_refuses_is_sent_without_it(schema: Any) -> None:
    request = asked(response_format=schema)
    described = body_of("openai", request)["response_format"]["json_schema"]
    assert (described["strict"], described["schema"]) == (False, schema)
    assert any("without strict mode" in note for note in notes_of("openai", request))


@pytest.mark.parametrize(
    ("vendor", "described"),
    [
        ("groq", {"type": "json_schema", "json_schema": {"name": "Out", "schema": OUT}}),
        ("llamacpp", {"type": "json_object", "schema": OUT}),
        ("tgi", {"type": "json_object", "value": OUT}),
        ("deepseek", {"type": "json_object"}),
    ],
)
def test_each_vendors_form_of_a_schema(vendor: str, described: Any) -> None:
    """Section 9.2, response_format."""
    assert body_of(vendor, asked(response_format=Out))["response_format"] == described


@pytest.mark.parametrize(
    ("fields", "model"),
    [({}, "m:hf-inference"), ({"base_url": "https://router.huggingface.co/hf-inference/models/m/v1"}, "m")],
)
def test_hugging_faces_own_servers_are_tgi(fields: Any, model: str) -> None:
    """huggingface.md section 2: hf-inference and TGI want structured output under `value`."""
    body = body_for("openai-chat/huggingface", asked(response_format=Out), model, **fields)
    assert body["response_format"] == {"type": "json_object", "value": OUT}
    plain = body_for("openai-chat/huggingface", asked(response_format=Out), "m:groq")
    assert plain["response_format"]["type"] == "json_schema"


def test_deepseek_is_told_the_schema() -> None:
    """Section 9.2: text and json_object only."""
    request = asked(Message.system("Be terse."), OPENING, response_format=Out)
    first = body_of("deepseek", request)["messages"][0]
    assert first["role"] == "system"
    assert first["content"].startswith("Be terse.\n\n")
    assert json.dumps(OUT, separators=(",", ":")) in first["content"]
    assert notes_of("deepseek", request)


def test_json_mode_demands_the_word() -> None:
    """Section 2 (6): the word JSON must occur in the messages."""
    told = body_of("groq", asked(response_format="json"))
    assert told["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in told["messages"]] == ["system", "user"]
    assert notes_of("groq", asked(response_format="json"))
    said = asked(Message.user("Answer in json"), response_format="json")
    assert [message["role"] for message in body_of("groq", said)["messages"]] == ["user"]
    assert notes_of("groq", said) == ()


def test_lm_studio_has_no_json_mode() -> None:
    """Section 9.2: json_object -> 400."""
    described = body_of("lmstudio", asked(response_format="json"))["response_format"]
    assert (described["type"], described["json_schema"]["schema"]) == ("json_schema", {"type": "object"})


def test_tgi_takes_no_schema_beside_tools() -> None:
    """Section 9.2: not together with response_format."""
    assert "together with tools" in refused("tgi", asked(tools=(WEATHER,), response_format=Out))
    assert refused("groq", asked(tools=(WEATHER,), response_format=Out)) == ""


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
def test_how_much_to_think(vendor: str, intent: Any, fields: Any) -> None:
    """Section 9.2, reasoning control."""
    request = asked(reasoning=intent)
    assert body_of(vendor, request) == {**body_of(vendor, asked()), **fields}
    assert notes_of(vendor, request) == ()


@pytest.mark.parametrize(("vendor", "intent"), [("xai", "off"), ("openai", "off"), ("tgi", "high"), ("nvidia", "low")])
def test_an_intent_without_a_form_is_noted(vendor: str, intent: str) -> None:
    """Section 9.2: grok-4.7 cannot be off; section 8: gpt-6.2 neither; TGI and NIM have no such parameter."""
    assert body_of(vendor, asked(reasoning=intent)) == body_of(vendor, asked())
    assert [note.partition(" left out")[0] for note in notes_of(vendor, asked(reasoning=intent))] == [
        f"reasoning={intent!r}"
    ]


# --- what vendors want back ---

DEEPSEEK_TURN = {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [WRITTEN_CALL]}


def test_deepseek_gets_its_reasoning_back() -> None:
    """Section 9.2, resending history."""
    request = asked(OPENING, own_answer("deepseek", DEEPSEEK_TURN), RESULT, tools=(WEATHER,))
    body = body_of("deepseek", request)
    assert body["messages"][1] == DEEPSEEK_TURN
    assert "thinking" not in body
    assert notes_of("deepseek", request) == ()


@pytest.mark.parametrize(
    "answer",
    [CALLING, replace(own_answer("deepseek", DEEPSEEK_TURN), parts=("edited",)), own_answer("groq", DEEPSEEK_TURN)],
    ids=["another's", "edited", "from another vendor"],
)
def test_deepseek_does_not_think_over_calls_without_its_reasoning(answer: Message) -> None:
    """Section 9.2: in thinking mode 400, when a turn of a tool conversation comes without its `reasoning_content`."""
    request = asked(OPENING, answer, RESULT, tools=(WEATHER,), reasoning="high")
    body = body_of("deepseek", request)
    assert body["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in body
    assert "reasoning_content" not in body["messages"][1]
    assert any(note.startswith("reasoning turned off") for note in notes_of("deepseek", request))


def test_deepseek_thinks_over_plain_turns_of_others() -> None:
    """The demand is one of tool conversations."""
    assert "thinking" not in body_of("deepseek", asked(OPENING, Message.assistant("Rain."), Message.user("Sure?")))


def test_another_vendor_gets_the_text_and_the_calls() -> None:
    request = asked(OPENING, own_answer("deepseek", DEEPSEEK_TURN), RESULT)
    assert body_of("groq", request)["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [WRITTEN_CALL],
    }
    assert any("left out here" in note for note in notes_of("groq", request))


# --- answers ---


def answer_of(vendor: str, message: dict[str, Any], reason: str | None = "stop") -> Any:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return wire.parse_response(reply_of(f"openai-chat/{vendor}", json_body({"model": "m", "choices": [choice]})))


def test_calls_decide_over_the_reason() -> None:
    """Section 3: a forced tool reports stop."""
    answer = answer_of("openai", {"content": None, "tool_calls": [WRITTEN_CALL]})
    assert (answer.tool_calls, answer.stop_reason, answer.content) == ((CALL,), StopReason.TOOL_CALLS, "")
    assert answer.turn is None


@pytest.mark.parametrize("ids", [("null", "null"), (None, None), ("0", "0")])
def test_every_call_has_an_id_of_its_own(ids: tuple[Any, Any]) -> None:
    """Section 9.3, TGI; 9.5, Mistral: the default is the string "null", and arguments may be an object."""
    calls = [{"id": told, "function": {"name": "f", "arguments": {"x": 1}}} for told in ids]
    answer = answer_of("mistral", {"content": "", "tool_calls": calls})
    assert [call.arguments for call in answer.tool_calls] == [{"x": 1}, {"x": 1}]
    assert len({call.id for call in answer.tool_calls} - {"", "null"}) == 2


@pytest.mark.parametrize("calls", [None, []])
def test_no_calls(calls: Any) -> None:
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
def test_reasoning_stands_apart(vendor: str, message: dict[str, Any]) -> None:
    """Section 9.2, reasoning text in."""
    answer = answer_of(vendor, message)
    assert (answer.content, answer.reasoning) == ("Hi", "Hmm.")
    assert (answer.turn is not None) == (vendor == "deepseek")


def test_openrouters_details_come_back_unchanged() -> None:
    """Section 9.2: `reasoning_details` should go back unchanged in tool loops."""
    details = [{"type": "reasoning.text", "text": "Hm", "signature": "S1", "index": 0}]
    answer = answer_of("openrouter", {"content": "Hi", "reasoning": "Hm", "reasoning_details": details})
    request = asked(OPENING, own_answer("openrouter", answer.turn, "Hi"), Message.user("Sure?"))
    assert body_of("openrouter", request)["messages"][1]["reasoning_details"] == details


def test_an_own_turn_has_the_ids_that_its_results_have() -> None:
    nameless = {"function": {"name": "f", "arguments": "{}"}}
    answer = answer_of("deepseek", {"content": None, "reasoning_content": "Hm.", "tool_calls": [nameless]})
    assert answer.turn["tool_calls"][0]["id"] == answer.tool_calls[0].id != ""


def test_a_content_of_another_type_is_malformed() -> None:
    with pytest.raises(MalformedResponseError):
        answer_of("openai", {"content": 7})


def test_a_reason_that_is_a_failure() -> None:
    with pytest.raises(LLMError):
        answer_of("openrouter", {"content": ""}, "error")
