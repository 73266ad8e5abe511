"""The request that each dialect sends: address, headers and JSON body, as the wire documents write them."""

from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.llm.dialects.registry import wire_for

from .asking import ASKED, BASES, TURNS, body_for, config_of, sent_for
from .samples import DIALECTS, KEY

SINGLE: dict[str, Any] = {
    "openai-chat": {"model": "gpt-6.2-sol", "messages": [{"role": "user", "content": "Say hi"}]},
    "openai-responses": {
        "model": "gpt-6.2-sol",
        "store": False,
        "include": ["reasoning.encrypted_content"],
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
        "parameters": {"return_full_text": False, "details": True},
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
    assert body_for(dialect, ASKED) == SINGLE[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_conversation_keeps_system_text_and_turns(dialect: str) -> None:
    """System text where the dialect wants it, roles by the dialect's names, in order."""
    body = body_for(dialect, TURNS)
    assert {name: body[name] for name in CONVERSATION[dialect]} == CONVERSATION[dialect]


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_request_goes_to_the_route_with_the_key_in_its_header(dialect: str) -> None:
    """POST, JSON, and the key in one header only."""
    sent = sent_for(dialect, ASKED)
    assert (sent.method, sent.url) == ("POST", ROUTES[dialect.partition("/")[0]])
    assert dict(sent.headers) == {"content-type": "application/json", **_key_headers(dialect)}
    assert KEY not in sent.url
    assert KEY.encode() not in sent.body
    assert sent.secret == KEY


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_list_route_is_asked_with_the_same_key(dialect: str) -> None:
    """GET without a body; the page size is the only thing in the query."""
    sent = wire_for(dialect).build_models_request(config_of(dialect))
    address, _, query = sent.url.partition("?")
    assert (sent.method, address, sent.body) == ("GET", LIST_ROUTES[dialect.partition("/")[0]], b"")
    assert dict(sent.headers) == _key_headers(dialect)
    assert KEY not in query


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_key_sends_no_key_header(dialect: str) -> None:
    """A local server without a key wants none (openai-chat.md 9.1: omit the header)."""
    without = {"anthropic-version": "2023-06-01"} if dialect == "anthropic-messages" else {}
    sent = wire_for(dialect).build_request(ASKED, config_of(dialect, key=""), "m")
    assert dict(sent.headers) == {"content-type": "application/json", **without}
    assert dict(wire_for(dialect).build_models_request(config_of(dialect, key="")).headers) == without


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rows_headers_are_sent_on_both_routes(dialect: str) -> None:
    """Such as OpenRouter's HTTP-Referer or Hugging Face's X-HF-Bill-To."""
    config = config_of(dialect, headers={"X-HF-Bill-To": "org"})
    wire = wire_for(dialect)
    for sent in (wire.build_request(ASKED, config, "m"), wire.build_models_request(config)):
        assert sent.headers["X-HF-Bill-To"] == "org"


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-chat/huggingface", "openai-responses", "cohere-v2-chat"])
def test_model_is_the_first_key(dialect: str) -> None:
    """huggingface.md section 2: the router reads it from a prefix of the body."""
    assert sent_for(dialect, replace(TURNS, max_tokens=5, extra={"acme": {"a": 1}})).body.startswith(b'{"model":"')


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "models/gemini-3.8-flash"])
def test_gemini_prefix_is_not_doubled(model: str) -> None:
    """gemini-generate-content.md section 1."""
    assert sent_for("gemini-generate-content", ASKED, model).url == ROUTES["gemini-generate-content"]


def test_gemini_model_cannot_leave_its_place_in_the_address() -> None:
    """A model id is data: its slashes and question marks are escaped."""
    url = sent_for("gemini-generate-content", ASKED, "x/../y?key=1#").url
    assert url == f"{BASES['gemini-generate-content']}/models/x%2F..%2Fy%3Fkey%3D1%23:generateContent"


def test_anthropic_drops_empty_turns() -> None:
    """anthropic-messages.md section 7, trap 7: empty content is a 400."""
    request = ChatRequest((Message.user("a"), Message.assistant(""), Message.user("b")))
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body_for("anthropic-messages", request)["messages"] == [{"role": "user", "content": texts}]


def test_several_system_turns_become_one() -> None:
    """Where the dialect has one place for it, the texts are joined by blank lines."""
    request = ChatRequest((Message.system("A."), Message.user("q"), Message.system("B.")))
    assert body_for("anthropic-messages", request)["system"] == "A.\n\nB."
    assert body_for("cohere-v2-chat", request)["messages"][0] == {"role": "system", "content": "A.\n\nB."}
    assert body_for("gemini-generate-content", request)["systemInstruction"] == {"parts": [{"text": "A.\n\nB."}]}


def test_one_question_under_a_system_text_is_no_transcript() -> None:
    """A route without turns gets the question as it is."""
    request = ChatRequest((Message.system("Be terse."), Message.user("Why?")))
    assert body_for("llamacpp-completion", request)["prompt"] == "Be terse.\n\nWhy?"


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
    assert wire_for(dialect).build_request(ASKED, config_of(dialect, base_url=base), "m").url == url


def test_llamacpp_names_a_model_only_when_there_is_one() -> None:
    """llamacpp-completion.md section 7, trap 4: ignored in single-model mode, selects in router mode."""
    assert "model" not in body_for("llamacpp-completion", ASKED, "")
    assert body_for("llamacpp-completion", ASKED, "m.gguf")["model"] == "m.gguf"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_shows_neither_key_nor_prompt(dialect: str) -> None:
    """In its repr, which ends up in logs."""
    shown = repr(sent_for(dialect, ASKED))
    assert KEY not in shown
    assert "Say hi" not in shown
