"""The exact request that each dialect sends: address, headers and JSON body, as the wire documents write them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.chat import ChatRequest, Message
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.wire.catalogue import wire_for

from .samples import DIALECTS, KEY

BASES = {
    "openai-chat": "https://api.openai.com/v1",
    "openai-responses": "https://api.openai.com/v1",
    "anthropic-messages": "https://api.anthropic.com/v1",
    "gemini-generate-content": "https://generativelanguage.googleapis.com/v1beta",
    "cohere-v2-chat": "https://api.cohere.com/v2",
    "ollama-native": "http://localhost:11434",
    "llamacpp-completion": "http://127.0.0.1:9931",
    "tgi-generate": "http://localhost:3000",
}
MODELS = {
    "openai-chat": "gpt-6.2-sol",
    "openai-responses": "gpt-6.2-sol",
    "anthropic-messages": "claude-sonnet-5-5",
    "gemini-generate-content": "gemini-3.8-flash",
    "cohere-v2-chat": "command-a-plus-05-2026",
    "ollama-native": "qwen3",
    "llamacpp-completion": "",
    "tgi-generate": "",
}
ASKED = ChatRequest((Message.user("Say hi"),))
TURNS = ChatRequest(
    (Message.system("You are terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?"))
)


def _config(dialect: str, key: str = KEY, **fields: Any) -> ProviderConfig:
    base = BASES[dialect.partition("/")[0]]
    return ProviderConfig("acme", key, **{"base_url": base, "dialect": dialect, **fields})


def _sent(dialect: str, request: ChatRequest, model: str | None = None, **fields: Any) -> WireRequest:
    name = dialect.partition("/")[0]
    return wire_for(dialect).build_request(
        request, _config(dialect, **fields), MODELS[name] if model is None else model
    )


def _body(dialect: str, request: ChatRequest, model: str | None = None, **fields: Any) -> Any:
    return json.loads(_sent(dialect, request, model, **fields).body)


SINGLE: dict[str, Any] = {
    "openai-chat": {"model": "gpt-6.2-sol", "messages": [{"role": "user", "content": "Say hi"}]},
    "openai-responses": {
        "model": "gpt-6.2-sol",
        "store": False,
        "input": [{"role": "user", "content": "Say hi"}],
    },
    "anthropic-messages": {
        "model": "claude-sonnet-5-5",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": "Say hi"}],
    },
    "gemini-generate-content": {"contents": [{"role": "user", "parts": [{"text": "Say hi"}]}]},
    "cohere-v2-chat": {"model": "command-a-plus-05-2026", "messages": [{"role": "user", "content": "Say hi"}]},
    "ollama-native": {
        "model": "qwen3",
        "stream": False,
        "truncate": False,
        "messages": [{"role": "user", "content": "Say hi"}],
    },
    "llamacpp-completion": {"prompt": "Say hi", "n_predict": 8192, "stream": False},
    "tgi-generate": {
        "inputs": "Say hi",
        "parameters": {"max_new_tokens": 8192, "return_full_text": False, "details": True},
    },
}

CHAT_TURNS = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "times 3?"},
]
TRANSCRIPT = "You are terse.\n\nUser: 2+2?\n\nAssistant: 4\n\nUser: times 3?\n\nAssistant:"
CONVERSATION: dict[str, Any] = {
    "openai-chat": {"messages": CHAT_TURNS},
    "openai-responses": {"instructions": "You are terse.", "input": CHAT_TURNS[1:]},
    "anthropic-messages": {"system": "You are terse.", "messages": CHAT_TURNS[1:]},
    "gemini-generate-content": {
        "systemInstruction": {"parts": [{"text": "You are terse."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "2+2?"}]},
            {"role": "model", "parts": [{"text": "4"}]},
            {"role": "user", "parts": [{"text": "times 3?"}]},
        ],
    },
    "cohere-v2-chat": {"messages": CHAT_TURNS},
    "ollama-native": {"messages": CHAT_TURNS},
    "llamacpp-completion": {"prompt": TRANSCRIPT},
    "tgi-generate": {"inputs": TRANSCRIPT},
}

ROUTES = {
    "openai-chat": "https://api.openai.com/v1/chat/completions",
    "openai-responses": "https://api.openai.com/v1/responses",
    "anthropic-messages": "https://api.anthropic.com/v1/messages",
    "gemini-generate-content": (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.8-flash:generateContent"
    ),
    "cohere-v2-chat": "https://api.cohere.com/v2/chat",
    "ollama-native": "http://localhost:11434/api/chat",
    "llamacpp-completion": "http://127.0.0.1:9931/completion",
    "tgi-generate": "http://localhost:3000/generate",
}
LIST_ROUTES = {
    "openai-chat": "https://api.openai.com/v1/models",
    "openai-responses": "https://api.openai.com/v1/models",
    "anthropic-messages": "https://api.anthropic.com/v1/models",
    "gemini-generate-content": "https://generativelanguage.googleapis.com/v1beta/models",
    "cohere-v2-chat": "https://api.cohere.com/v1/models",
    "ollama-native": "http://localhost:11434/api/tags",
    "llamacpp-completion": "http://127.0.0.1:9931/v1/models",
    "tgi-generate": "http://localhost:3000/info",
}
KEY_HEADERS = {
    "anthropic-messages": {"anthropic-version": "2023-06-01", "x-api-key": KEY},
    "gemini-generate-content": {"x-goog-api-key": KEY},
    "openai-chat/azure": {"api-key": KEY},
}


def _key_headers(dialect: str) -> dict[str, str]:
    return KEY_HEADERS.get(dialect, {"authorization": f"Bearer {KEY}"})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_single_prompt_is_the_documents_request(dialect: str) -> None:
    """One user turn and nothing that nobody asked for."""
    assert _body(dialect, ASKED) == SINGLE[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_conversation_keeps_system_text_and_turns(dialect: str) -> None:
    """System text where the dialect wants it, roles by the dialect's names, in order."""
    body = _body(dialect, TURNS)
    assert {name: body[name] for name in CONVERSATION[dialect]} == CONVERSATION[dialect]


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_request_goes_to_the_route_with_the_key_in_its_header(dialect: str) -> None:
    """POST, JSON, and the key in one header only."""
    sent = _sent(dialect, ASKED)
    assert (sent.method, sent.url) == ("POST", ROUTES[dialect.partition("/")[0]])
    assert dict(sent.headers) == {"content-type": "application/json", **_key_headers(dialect)}
    assert KEY not in sent.url
    assert KEY.encode() not in sent.body
    assert sent.secret == KEY


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_list_route_is_asked_with_the_same_key(dialect: str) -> None:
    """GET without a body; the page size is the only thing in the query."""
    sent = wire_for(dialect).build_models_request(_config(dialect))
    address, _, query = sent.url.partition("?")
    assert (sent.method, address, sent.body) == ("GET", LIST_ROUTES[dialect.partition("/")[0]], b"")
    assert dict(sent.headers) == _key_headers(dialect)
    assert KEY not in query


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_key_sends_no_key_header(dialect: str) -> None:
    """A local server without a key wants none (openai-chat.md 9.1: omit the header)."""
    without = {"anthropic-version": "2023-06-01"} if dialect == "anthropic-messages" else {}
    sent = wire_for(dialect).build_request(ASKED, _config(dialect, key=""), "m")
    assert dict(sent.headers) == {"content-type": "application/json", **without}
    assert dict(wire_for(dialect).build_models_request(_config(dialect, key="")).headers) == without


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rows_headers_are_sent_on_both_routes(dialect: str) -> None:
    """Such as OpenRouter's HTTP-Referer or Hugging Face's X-HF-Bill-To."""
    config = _config(dialect, headers={"X-HF-Bill-To": "org"})
    wire = wire_for(dialect)
    for sent in (wire.build_request(ASKED, config, "m"), wire.build_models_request(config)):
        assert sent.headers["X-HF-Bill-To"] == "org"


LIMITS = {
    "openai-chat": ("max_tokens",),
    "openai-responses": ("max_output_tokens",),
    "anthropic-messages": ("max_tokens",),
    "gemini-generate-content": ("generationConfig", "maxOutputTokens"),
    "cohere-v2-chat": ("max_tokens",),
    "ollama-native": ("options", "num_predict"),
    "llamacpp-completion": ("n_predict",),
    "tgi-generate": ("parameters", "max_new_tokens"),
}
STOPS = {
    "openai-chat": ("stop",),
    "anthropic-messages": ("stop_sequences",),
    "gemini-generate-content": ("generationConfig", "stopSequences"),
    "cohere-v2-chat": ("stop_sequences",),
    "ollama-native": ("options", "stop"),
    "llamacpp-completion": ("stop",),
    "tgi-generate": ("parameters", "stop"),
}
SEEDS = {
    "openai-chat": ("seed",),
    "gemini-generate-content": ("generationConfig", "seed"),
    "cohere-v2-chat": ("seed",),
    "ollama-native": ("options", "seed"),
    "llamacpp-completion": ("seed",),
    "tgi-generate": ("parameters", "seed"),
}
TEMPERATURES = {
    "openai-chat": ("temperature",),
    "openai-responses": ("temperature",),
    "anthropic-messages": ("temperature",),
    "gemini-generate-content": ("generationConfig", "temperature"),
    "cohere-v2-chat": ("temperature",),
    "ollama-native": ("options", "temperature"),
    "llamacpp-completion": ("temperature",),
    "tgi-generate": ("parameters", "temperature"),
}
TAKES_TEMPERATURE = MODELS | {
    "openai-chat": "some-open-model",
    "openai-responses": "gpt-4o",
    "anthropic-messages": "claude-haiku-4-5",
}


def _at(body: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        body = body.get(name, {})
    return body or (body if body == 0 else None)


@pytest.mark.parametrize("dialect", LIMITS)
def test_limit_goes_by_the_dialects_name(dialect: str) -> None:
    """The caller's limit replaces every default."""
    assert _at(_body(dialect, replace(ASKED, max_tokens=17)), LIMITS[dialect]) == 17


@pytest.mark.parametrize("dialect", ["anthropic-messages", "llamacpp-completion", "tgi-generate"])
def test_required_limit_is_the_configured_one_when_the_caller_sets_none(dialect: str) -> None:
    """LLM_MAX_TOKENS is sent where a vendor demands a limit, and nowhere else."""
    assert _at(_body(dialect, ASKED, default_max_tokens=321), LIMITS[dialect]) == 321


@pytest.mark.parametrize(
    "dialect", ["openai-chat", "openai-responses", "gemini-generate-content", "cohere-v2-chat", "ollama-native"]
)
def test_optional_limit_is_not_sent_when_the_caller_sets_none(dialect: str) -> None:
    """None means the vendor's default."""
    assert _at(_body(dialect, ASKED, default_max_tokens=321), LIMITS[dialect]) is None


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        # openai-chat.md 9.1, column "length param"
        ("openai", "max_completion_tokens"),
        ("azure", "max_completion_tokens"),
        ("fireworks", "max_tokens"),
        ("groq", "max_completion_tokens"),
        ("openrouter", "max_tokens"),
        ("together", "max_tokens"),
        ("mistral", "max_tokens"),
        ("deepseek", "max_tokens"),
        ("xai", "max_completion_tokens"),
        ("cerebras", "max_completion_tokens"),
        ("deepinfra", "max_tokens"),
        ("nvidia", "max_tokens"),
        ("huggingface", "max_tokens"),
        ("vllm", "max_completion_tokens"),
        ("tgi", "max_tokens"),
        ("llamacpp", "max_tokens"),
        ("lmstudio", "max_tokens"),
        ("ollama", "max_tokens"),
    ],
)
def test_chat_vendor_gets_its_own_name_for_the_limit(vendor: str, name: str) -> None:
    """One of the two names, never both."""
    body = _body(f"openai-chat/{vendor}", replace(ASKED, max_tokens=17))
    assert {"max_tokens", "max_completion_tokens"} & set(body) == {name}
    assert body[name] == 17


@pytest.mark.parametrize("dialect", TEMPERATURES)
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_temperature_goes_by_the_dialects_name(dialect: str, temperature: float) -> None:
    """A model that takes one gets the caller's."""
    request = replace(ASKED, temperature=temperature)
    assert _at(_body(dialect, request, TAKES_TEMPERATURE[dialect]), TEMPERATURES[dialect]) == temperature


@pytest.mark.parametrize("dialect", [name for name in TEMPERATURES if name != "tgi-generate"])
def test_temperature_zero_is_a_temperature(dialect: str) -> None:
    """0.0 is sent; only None is unset."""
    body = _body(dialect, replace(ASKED, temperature=0.0), TAKES_TEMPERATURE[dialect])
    assert _at(body, TEMPERATURES[dialect]) == 0.0
    assert _at(body, TEMPERATURES[dialect]) is not None


def test_temperature_zero_is_greedy_decoding_on_tgi() -> None:
    """huggingface.md section 4 has `do_sample`; off is what a temperature of 0 means."""
    parameters = _body("tgi-generate", replace(ASKED, temperature=0.0))["parameters"]
    assert parameters["do_sample"] is False
    assert "temperature" not in parameters


@pytest.mark.parametrize("dialect", TEMPERATURES)
def test_unset_temperature_is_not_sent(dialect: str) -> None:
    """None means the vendor's default."""
    assert _at(_body(dialect, ASKED, TAKES_TEMPERATURE[dialect]), TEMPERATURES[dialect]) is None


@pytest.mark.parametrize(
    ("dialect", "model"),
    [
        ("openai-chat/openai", "gpt-6.2-sol"),
        ("openai-chat/openai", "gpt-5-mini"),
        ("openai-chat/openai", "o3"),
        ("openai-chat/azure", "gpt-6-luna"),
        ("openai-responses", "gpt-6.2-sol"),
        ("anthropic-messages", "claude-sonnet-5-5"),
        ("anthropic-messages", "claude-opus-4-7"),
    ],
)
def test_refused_temperature_is_left_out_and_noted(dialect: str, model: str) -> None:
    """openai-chat.md section 8, anthropic-messages.md section 1: a 400 otherwise. The note names the source."""
    sent = _sent(dialect, replace(ASKED, temperature=0.0), model)
    assert "temperature" not in json.loads(sent.body)
    assert len(sent.notes) == 1
    assert sent.notes[0].startswith(f"temperature left out: {model} refuses it (")


def test_responses_wire_of_a_chat_row_knows_the_models_rules() -> None:
    """The OpenAI class sends some requests of a chat row over Responses; the row's family still holds."""
    config = _config("openai-chat/openai")
    sent = wire_for("openai-responses").build_request(replace(ASKED, temperature=0.5), config, "gpt-6.2-sol")
    assert "temperature" not in json.loads(sent.body)
    assert sent.origin.dialect == "openai-responses"


@pytest.mark.parametrize("dialect", STOPS)
def test_stop_words_go_by_the_dialects_name(dialect: str) -> None:
    """All of them, in order, as a list."""
    sent = _sent(dialect, replace(ASKED, stop=("\n\n", "END")))
    assert _at(json.loads(sent.body), STOPS[dialect]) == ["\n\n", "END"]
    assert sent.notes == ()


@pytest.mark.parametrize(
    ("dialect", "model"),
    [("openai-responses", "gpt-4o"), ("openai-chat/openai", "o3"), ("openai-chat/xai", "grok-4.7")],
)
def test_stop_words_that_nobody_takes_are_noted(dialect: str, model: str) -> None:
    """openai-responses.md section 2: no `stop`; openai-chat.md sections 8 and 9.2: o3 and xAI's reasoning models."""
    sent = _sent(dialect, replace(ASKED, stop=("END",)), model)
    assert b"END" not in sent.body
    assert [note.partition(":")[0] for note in sent.notes] == ["stop left out"]


@pytest.mark.parametrize("dialect", SEEDS)
@pytest.mark.parametrize("seed", [0, 42])
def test_seed_goes_by_the_dialects_name(dialect: str, seed: int) -> None:
    """0 is a seed."""
    assert _at(_body(dialect, replace(ASKED, seed=seed)), SEEDS[dialect]) == seed


def test_mistral_calls_the_seed_by_another_name() -> None:
    """openai-chat.md 9.2 Mistral: `random_seed` not `seed`."""
    body = _body("openai-chat/mistral", replace(ASKED, seed=42))
    assert body["random_seed"] == 42
    assert "seed" not in body


@pytest.mark.parametrize("dialect", ["openai-responses", "anthropic-messages"])
def test_seed_is_not_sent_where_there_is_none(dialect: str) -> None:
    """Neither dialect has one, and neither claims the feature, so the plan notes it."""
    assert _body(dialect, replace(ASKED, seed=42)) == _body(dialect, ASKED)
    assert "seed" not in wire_for(dialect).FEATURES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_is_laid_over_the_body_key_by_key(dialect: str) -> None:
    """A vendor field of this provider is added or replaces ours; an object merges; other providers' fields stay out."""
    extra: dict[str, dict[str, Any]] = {
        "acme": {"options": {"num_ctx": 16384}, "user": "u-1"},
        "other": {"no": True},
    }
    request = replace(ASKED, max_tokens=17, extra=extra)
    plain, body = _body(dialect, replace(ASKED, max_tokens=17)), _body(dialect, request)
    assert body == {**plain, "user": "u-1", "options": {**plain.get("options", {}), "num_ctx": 16384}}


def test_extra_wins_over_what_we_would_send() -> None:
    """Whoever names a vendor field knows why."""
    extra = {"acme": {"store": True, "max_output_tokens": 5}}
    body = _body("openai-responses", replace(ASKED, max_tokens=17, extra=extra))
    assert (body["store"], body["max_output_tokens"]) == (True, 5)


def test_extra_merges_deeply_and_changes_nothing_of_the_callers() -> None:
    """One thinking option does not erase the limit beside it, on either side."""
    extra = {"acme": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}}
    before = json.dumps(extra)
    body = _body("gemini-generate-content", replace(ASKED, max_tokens=17, extra=extra))
    assert body["generationConfig"] == {"maxOutputTokens": 17, "thinkingConfig": {"thinkingLevel": "LOW"}}
    assert json.dumps(extra) == before


@pytest.mark.parametrize("dialect", DIALECTS)
def test_extra_that_is_no_json_is_refused_before_anything_is_sent(dialect: str) -> None:
    """An object of Python's own has no form on the wire."""
    with pytest.raises(InvalidRequestError) as caught:
        _sent(dialect, replace(ASKED, extra={"acme": {"x": object()}}))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-chat/huggingface", "openai-responses", "cohere-v2-chat"])
def test_model_is_the_first_key(dialect: str) -> None:
    """huggingface.md section 2: the router reads it from a prefix of the body."""
    assert _sent(dialect, replace(TURNS, max_tokens=5, extra={"acme": {"a": 1}})).body.startswith(b'{"model":"')


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "models/gemini-3.8-flash"])
def test_gemini_prefix_is_not_doubled(model: str) -> None:
    """gemini-generate-content.md section 1."""
    assert _sent("gemini-generate-content", ASKED, model).url == ROUTES["gemini-generate-content"]


def test_gemini_model_cannot_leave_its_place_in_the_address() -> None:
    """A model id is data: its slashes and question marks are escaped."""
    url = _sent("gemini-generate-content", ASKED, "x/../y?key=1#").url
    assert url == f"{BASES['gemini-generate-content']}/models/x%2F..%2Fy%3Fkey%3D1%23:generateContent"


def test_anthropic_drops_empty_turns() -> None:
    """anthropic-messages.md section 7, trap 7: empty content is a 400."""
    request = ChatRequest((Message.user("a"), Message.assistant(""), Message.user("b")))
    assert _body("anthropic-messages", request)["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_several_system_turns_become_one() -> None:
    """Where the dialect has one place for it, the texts are joined by blank lines."""
    request = ChatRequest((Message.system("A."), Message.user("q"), Message.system("B.")))
    assert _body("anthropic-messages", request)["system"] == "A.\n\nB."
    assert _body("cohere-v2-chat", request)["messages"][0] == {"role": "system", "content": "A.\n\nB."}
    assert _body("gemini-generate-content", request)["systemInstruction"] == {"parts": [{"text": "A.\n\nB."}]}


def test_one_question_under_a_system_text_is_no_transcript() -> None:
    """A route without turns gets the question as it is."""
    request = ChatRequest((Message.system("Be terse."), Message.user("Why?")))
    assert _body("llamacpp-completion", request)["prompt"] == "Be terse.\n\nWhy?"


@pytest.mark.parametrize(
    ("dialect", "base", "url"),
    [
        ("ollama-native", "http://localhost:11434/v1", "http://localhost:11434/api/chat"),
        ("ollama-native", "http://localhost:11434/api", "http://localhost:11434/api/chat"),
        ("llamacpp-completion", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/completion"),
        ("tgi-generate", "http://localhost:3000/v1", "http://localhost:3000/generate"),
        ("cohere-v2-chat", "https://proxy.invalid/cohere/v2", "https://proxy.invalid/cohere/v2/chat"),
    ],
)
def test_base_may_carry_a_version_that_the_route_does_not(dialect: str, base: str, url: str) -> None:
    """Local servers' bases are their root, with or without the chat route's /v1."""
    assert wire_for(dialect).build_request(ASKED, _config(dialect, base_url=base), "m").url == url


def test_llamacpp_names_a_model_only_when_there_is_one() -> None:
    """llamacpp-completion.md section 7, trap 4: ignored in single-model mode, selects in router mode."""
    assert "model" not in _body("llamacpp-completion", ASKED, "")
    assert _body("llamacpp-completion", ASKED, "m.gguf")["model"] == "m.gguf"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_shows_neither_key_nor_prompt(dialect: str) -> None:
    """In its repr, which ends up in logs."""
    shown = repr(_sent(dialect, ASKED))
    assert KEY not in shown
    assert "Say hi" not in shown
