"""Ollama's own chat route. Source: wire/ollama-native.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import function_calls, stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    count,
    object_at,
    read_object,
    string_or_empty,
    text_at,
)
from faultmaven.infrastructure.llm.wire.requests import bearer, get, post, root_of

DIALECT = "ollama-native"
FEATURES = frozenset({"turns", "seed"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

STOP_REASONS = {"stop": StopReason.STOP, "length": StopReason.MAX_TOKENS}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{root}/api/chat`. `stream` is said: it is on by default there.

    `truncate` is false: a prompt beyond the context is an error then, and not silently cut.
    """
    settings = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stop) or None,
        "seed": request.seed,
    }
    body: dict[str, Any] = {
        "model": model,
        "stream": False,
        "truncate": False,
        "messages": [{"role": message.role, "content": message.text} for message in request.messages],
    }
    chosen = {name: value for name, value in settings.items() if value is not None}
    if chosen:
        body["options"] = chosen
    return post(config, DIALECT, f"{_root(config)}/api/chat", bearer(config), body, request, model)


def _root(config: ProviderConfig) -> str:
    return root_of(config.base_url, "/v1", "/api")


def parse_response(reply: WireReply) -> Answer:
    """Read a chat reply; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    message = object_at(reply, data, "message")
    calls = function_calls(message.get("tool_calls"))
    return Answer(
        content=text_at(reply, message, "content"),
        stop_reason=stop_reason(data.get("done_reason"), STOP_REASONS, has_calls=bool(calls)),
        usage=_usage(data),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _usage(data: dict[str, Any]) -> Usage | None:
    """Counts are left out when zero, so a missing one is unknown. Thinking lies inside the output."""
    prompt, output = count(data.get("prompt_eval_count")), count(data.get("eval_count"))
    return None if prompt is None and output is None else Usage.from_totals(prompt, output)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{root}/api/tags`."""
    return get(config, DIALECT, f"{_root(config)}/api/tags", bearer(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the models that are pulled."""
    return model_ids(reply, "models", "name")
