"""Anthropic Messages. Source: wire/anthropic-messages.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts, output_limit
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    added,
    count,
    joined,
    malformed,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
    tool_call,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, get, post

DIALECT = "anthropic-messages"
FEATURES = frozenset({"turns"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

# Under the newer 2026-10-21 every model refuses sampling parameters; under this one those that know them take them.
VERSION = "2023-06-01"

STOP_REASONS = {
    "end_turn": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "tool_use": StopReason.TOOL_CALLS,
    "refusal": StopReason.CONTENT_FILTER,
}


def _auth(config: ProviderConfig) -> Headers:
    headers = Headers({"anthropic-version": VERSION})
    if config.api_key:
        headers["x-api-key"] = config.api_key
    return headers


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/messages`. The limit is required there."""
    facts = model_facts("anthropic", model)
    temperature, notes = allowed_temperature(request, facts, model)
    limit = request.max_tokens if request.max_tokens is not None else output_limit(config.default_max_tokens, facts)
    body: dict[str, Any] = {"model": model, "max_tokens": limit}
    if request.system:
        body["system"] = request.system
    # Empty turns are refused by the vendor (trap 7) and say nothing.
    body["messages"] = [{"role": turn.role, "content": turn.text} for turn in request.turns if turn.text]
    if temperature is not None:
        body["temperature"] = temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return post(config, DIALECT, f"{config.base_url}/messages", _auth(config), body, request, model, notes)


def parse_response(reply: WireReply) -> Answer:
    """Read a message; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    if not isinstance(data.get("content"), list):
        raise malformed(reply, "'content' is missing or no list")
    blocks = objects(data["content"])
    calls = tuple(
        tool_call(block.get("id"), block.get("name"), block.get("input"))
        for block in blocks
        if block.get("type") == "tool_use"
    )
    return Answer(
        content=joined((block for block in blocks if block.get("type") == "text"), "text"),
        stop_reason=stop_reason(data.get("stop_reason"), STOP_REASONS, has_calls=bool(calls)),
        usage=_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _usage(value: Any) -> Usage | None:
    """Cached tokens lie beside `input_tokens`, thinking inside `output_tokens`."""
    data: Json = object_or_empty(value)
    if not data:
        return None
    cache_read = count(data.get("cache_read_input_tokens"))
    cache_write = count(data.get("cache_creation_input_tokens"))
    fresh = count(data.get("input_tokens"))
    return Usage.from_totals(
        None if fresh is None else added(fresh, cache_read, cache_write),
        count(data.get("output_tokens")),
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=count(object_or_empty(data.get("output_tokens_details")).get("thinking_tokens")),
    )


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, DIALECT, f"{config.base_url}/models?limit=100", _auth(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list."""
    return model_ids(reply, "data", "id")
