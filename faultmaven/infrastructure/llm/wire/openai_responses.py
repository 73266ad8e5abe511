"""OpenAI Responses, for models and features that demand it. Source: wire/openai-responses.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.wire import openai_chat
from faultmaven.infrastructure.llm.wire.errors import error_from_json, raise_for_error_body, vendor_error
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    count,
    joined,
    malformed,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
    tool_call,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, post

DIALECT = "openai-responses"
FEATURES = frozenset({"turns"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

BLOCKED_CODES = frozenset({"bio_policy", "misalignment_policy_violation"})
# The failures that the same request may survive; the others lie in the request.
PASSING_CODES = frozenset({"server_error", "rate_limit_exceeded"})
build_models_request = openai_chat.build_models_request
parse_models = openai_chat.parse_models

INCOMPLETE_REASONS = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/responses`. `store` is false: the vendor keeps prompts for 30 days otherwise."""
    family = openai_chat.vendor(config).facts if config.dialect.startswith(openai_chat.DIALECT) else "openai"
    temperature, notes = allowed_temperature(request, model_facts(family, model), model)
    body: dict[str, Any] = {"model": model, "store": False}
    if request.system:
        body["instructions"] = request.system
    body["input"] = [{"role": message.role, "content": message.text} for message in request.turns]
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    if temperature is not None:
        body["temperature"] = temperature
    if request.stop:
        notes += ("stop left out: the Responses route has none",)
    url = f"{config.base_url}/responses"
    return post(config, DIALECT, url, openai_chat.auth_headers(config), body, request, model, notes)


def parse_response(reply: WireReply) -> Answer:
    """Read a response object; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data if data.get("status") != "failed" else {})
    if not isinstance(data.get("output"), list) and data.get("status") != "failed":
        raise malformed(reply, "'output' is missing or no list")
    items = objects(data.get("output"))
    parts = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
    calls = tuple(
        tool_call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        for item in items
        if item.get("type") in ("function_call", "custom_tool_call")
    )
    text = joined((part for part in parts if part.get("type") == "output_text"), "text")
    refusal = joined((part for part in parts if part.get("type") == "refusal"), "refusal")
    return Answer(
        content=text or refusal,
        stop_reason=_stop_reason(reply, data, has_calls=bool(calls), refused=bool(refusal)),
        usage=_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _stop_reason(reply: WireReply, data: Json, *, has_calls: bool, refused: bool) -> StopReason:
    status = data.get("status")
    if status == "failed":
        return _failed(reply, data)
    if status == "incomplete":
        reason = object_or_empty(data.get("incomplete_details")).get("reason")
        return INCOMPLETE_REASONS.get(string_or_empty(reason), StopReason.UNKNOWN)
    if status != "completed":
        return StopReason.UNKNOWN
    if has_calls:
        return StopReason.TOOL_CALLS
    return StopReason.CONTENT_FILTER if refused else StopReason.STOP


def _failed(reply: WireReply, data: Json) -> StopReason:
    """A failure inside a 200: two policy codes are a filter, everything else is raised as what it is."""
    code = string_or_empty(object_or_empty(data.get("error")).get("code"))
    if code in BLOCKED_CODES:
        return StopReason.CONTENT_FILTER
    status = 500 if code in PASSING_CODES or not code else 400
    raise vendor_error(reply, error_from_json({"error": data.get("error")}), status=status)


def _usage(value: Any) -> Usage | None:
    data = object_or_empty(value)
    if not data:
        return None
    details = object_or_empty(data.get("input_tokens_details"))
    return Usage.from_totals(
        count(data.get("input_tokens")),
        count(data.get("output_tokens")),
        cache_read=count(details.get("cached_tokens")),
        cache_write=count(details.get("cache_write_tokens")),
        reasoning=count(object_or_empty(data.get("output_tokens_details")).get("reasoning_tokens")),
    )
