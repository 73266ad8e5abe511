"""Provider rows at the vendors' own addresses, and requests to send with them."""

import json
from typing import Any

from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.http.types import WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects.registry import dialect_for

from .samples import KEY

BASE_URLS = {
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
REQUEST = ChatRequest((Message.user("Say hi"),))
CONVERSATION = ChatRequest(
    (Message.system("You are terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?"))
)


def config_of(dialect: str, key: str = KEY, **fields: Any) -> ProviderConfig:
    """Return the configuration of a provider of `dialect` at the vendor's own base URL."""
    base_url = BASE_URLS[dialect.partition("/")[0]]
    return ProviderConfig("acme", key, **{"base_url": base_url, "dialect": dialect, **fields})


def http_request_for(dialect: str, request: ChatRequest, model: str | None = None, **fields: Any) -> WireRequest:
    """Return the HTTP request for `model`, or for the default model of `dialect`."""
    name = dialect.partition("/")[0]
    return dialect_for(dialect).build_request(
        request, config_of(dialect, **fields), MODELS[name] if model is None else model
    )


def body_for(dialect: str, request: ChatRequest, model: str | None = None, **fields: Any) -> Any:
    """Return the decoded JSON body of the HTTP request."""
    return json.loads(http_request_for(dialect, request, model, **fields).body)
