"""The HTTP request of each dialect: URL, headers and JSON body, as in the vendors' documents."""

from dataclasses import replace
from typing import Any

import pytest

from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.llm.dialects.registry import dialect_for

from .request_building import BASE_URLS, CONVERSATION, REQUEST, body_for, config_of, http_request_for
from .samples import DIALECTS, KEY

SINGLE_PROMPT_BODIES: dict[str, Any] = {
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

CHAT_MESSAGES = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "times 3?"},
]
TRANSCRIPT = "You are terse.\n\nUser: 2+2?\n\nAssistant: 4\n\nUser: times 3?\n\nAssistant:"
CONVERSATION_BODIES: dict[str, Any] = {
    "openai-chat": {"messages": CHAT_MESSAGES},
    "openai-responses": {"instructions": "You are terse.", "input": CHAT_MESSAGES[1:]},
    "anthropic-messages": {"system": "You are terse.", "messages": CHAT_MESSAGES[1:]},
    "gemini-generate-content": {
        "systemInstruction": {"parts": [{"text": "You are terse."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "2+2?"}]},
            {"role": "model", "parts": [{"text": "4"}]},
            {"role": "user", "parts": [{"text": "times 3?"}]},
        ],
    },
    "cohere-v2-chat": {"messages": CHAT_MESSAGES},
    "ollama-native": {"messages": CHAT_MESSAGES},
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
MODELS_ROUTES = {
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
def test_single_prompt_body_matches_document(dialect: str) -> None:
    """One user message, and no field that the caller did not set and the dialect does not require."""
    assert body_for(dialect, REQUEST) == SINGLE_PROMPT_BODIES[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_conversation_body_keeps_roles_in_order(dialect: str) -> None:
    """System text and roles have the dialect's own places and names."""
    body = body_for(dialect, CONVERSATION)
    assert {name: body[name] for name in CONVERSATION_BODIES[dialect]} == CONVERSATION_BODIES[dialect]


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_request_sends_key_in_header_only(dialect: str) -> None:
    """POST and JSON to the documented route, with the key in one header."""
    sent = http_request_for(dialect, REQUEST)
    assert (sent.method, sent.url) == ("POST", ROUTES[dialect.partition("/")[0]])
    assert dict(sent.headers) == {"content-type": "application/json", **_key_headers(dialect)}
    assert KEY not in sent.url
    assert KEY.encode() not in sent.body
    assert sent.secret == KEY


@pytest.mark.parametrize("dialect", [*DIALECTS, "openai-chat/azure"])
def test_models_request_sends_key_in_header(dialect: str) -> None:
    """GET without a body. The query holds only the page size."""
    sent = dialect_for(dialect).build_models_request(config_of(dialect))
    address, _, query = sent.url.partition("?")
    assert (sent.method, address, sent.body) == ("GET", MODELS_ROUTES[dialect.partition("/")[0]], b"")
    assert dict(sent.headers) == _key_headers(dialect)
    assert KEY not in query


@pytest.mark.parametrize("dialect", DIALECTS)
def test_missing_key_sends_no_key_header(dialect: str) -> None:
    """A local server without a key takes no such header (openai-chat.md 9.1: omit the header)."""
    version_header = {"anthropic-version": "2023-06-01"} if dialect == "anthropic-messages" else {}
    sent = dialect_for(dialect).build_request(REQUEST, config_of(dialect, key=""), "m")
    assert dict(sent.headers) == {"content-type": "application/json", **version_header}
    assert dict(dialect_for(dialect).build_models_request(config_of(dialect, key="")).headers) == version_header


@pytest.mark.parametrize("dialect", DIALECTS)
def test_configured_headers_are_sent_on_both_routes(dialect: str) -> None:
    """For example OpenRouter's HTTP-Referer or Hugging Face's X-HF-Bill-To."""
    config = config_of(dialect, headers={"X-HF-Bill-To": "org"})
    module = dialect_for(dialect)
    for sent in (module.build_request(REQUEST, config, "m"), module.build_models_request(config)):
        assert sent.headers["X-HF-Bill-To"] == "org"


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-chat/huggingface", "openai-responses", "cohere-v2-chat"])
def test_model_is_first_key_of_body(dialect: str) -> None:
    """huggingface.md section 2: the router reads the model from a prefix of the body."""
    assert http_request_for(dialect, replace(CONVERSATION, max_tokens=5, extra={"acme": {"a": 1}})).body.startswith(
        b'{"model":"'
    )


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "models/gemini-3.8-flash"])
def test_gemini_model_prefix_is_not_doubled(model: str) -> None:
    """gemini-generate-content.md section 1."""
    assert http_request_for("gemini-generate-content", REQUEST, model).url == ROUTES["gemini-generate-content"]


def test_gemini_model_is_escaped_in_url() -> None:
    """A model id is data: slashes and question marks are escaped."""
    url = http_request_for("gemini-generate-content", REQUEST, "x/../y?key=1#").url
    assert url == f"{BASE_URLS['gemini-generate-content']}/models/x%2F..%2Fy%3Fkey%3D1%23:generateContent"


def test_anthropic_body_omits_empty_messages() -> None:
    """anthropic-messages.md section 7, trap 7: empty content is a 400."""
    request = ChatRequest((Message.user("a"), Message.assistant(""), Message.user("b")))
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body_for("anthropic-messages", request)["messages"] == [{"role": "user", "content": texts}]


def test_system_messages_join_into_one() -> None:
    """Where the dialect has one place for system text, blank lines join the texts."""
    request = ChatRequest((Message.system("A."), Message.user("q"), Message.system("B.")))
    assert body_for("anthropic-messages", request)["system"] == "A.\n\nB."
    assert body_for("cohere-v2-chat", request)["messages"][0] == {"role": "system", "content": "A.\n\nB."}
    assert body_for("gemini-generate-content", request)["systemInstruction"] == {"parts": [{"text": "A.\n\nB."}]}


def test_system_and_question_need_no_transcript() -> None:
    """A dialect without messages receives the question unchanged, after the system text."""
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
def test_base_url_version_is_not_repeated(dialect: str, base: str, url: str) -> None:
    """The base URL of a local server is the root, with or without the /v1 of the chat route."""
    assert dialect_for(dialect).build_request(REQUEST, config_of(dialect, base_url=base), "m").url == url


def test_llamacpp_model_is_sent_when_set() -> None:
    """llamacpp-completion.md section 7, trap 4: ignored in single-model mode, selects the model in router mode."""
    assert "model" not in body_for("llamacpp-completion", REQUEST, "")
    assert body_for("llamacpp-completion", REQUEST, "m.gguf")["model"] == "m.gguf"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_repr_hides_key_and_prompt(dialect: str) -> None:
    """The repr of a request may end up in logs."""
    text = repr(http_request_for(dialect, REQUEST))
    assert KEY not in text
    assert "Say hi" not in text
