"""Cohere v2 Chat. Source: wire/cohere-v2-chat.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.domain.errors import ProviderError, ProviderUnavailableError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer, function_calls, stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    count,
    joined,
    object_at,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, bearer, get, post, root_of

DIALECT = "cohere-v2-chat"
FEATURES = frozenset({"turns", "seed"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

STOP_REASONS = {
    "COMPLETE": StopReason.STOP,
    "STOP_SEQUENCE": StopReason.STOP,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "TOOL_CALL": StopReason.TOOL_CALLS,
    "ERROR_TOXIC": StopReason.CONTENT_FILTER,
}
FAILED_REASONS: dict[str, type[ProviderError]] = {"ERROR": ProviderError, "TIMEOUT": ProviderUnavailableError}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat`; the system turn comes first there."""
    temperature, notes = allowed_temperature(request, model_facts("cohere", model), model)
    messages = [{"role": turn.role, "content": turn.text} for turn in request.turns]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    body: dict[str, Any] = {"model": model, "messages": messages}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if temperature is not None:
        body["temperature"] = temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    return post(config, DIALECT, f"{config.base_url}/chat", bearer(config), body, request, model, notes)


def parse_response(reply: WireReply) -> Answer:
    """Read a chat reply; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    message = object_at(reply, data, "message")
    finish = string_or_empty(data.get("finish_reason"))
    if finish in FAILED_REASONS:
        raise failed_answer(reply, finish, FAILED_REASONS[finish])
    blocks = objects(message.get("content"))
    calls = function_calls(message.get("tool_calls"))
    plain = string_or_empty(message.get("content"))
    return Answer(
        content=plain or joined((block for block in blocks if block.get("type") == "text"), "text"),
        stop_reason=stop_reason(finish, STOP_REASONS, has_calls=bool(calls)),
        usage=_usage(data.get("usage")),
        tool_calls=calls,
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _usage(value: Any) -> Usage | None:
    """`tokens` are the real counts, template included; `billed_units` are smaller. Cached ones lie inside the input."""
    data = object_or_empty(value)
    tokens = object_or_empty(data.get("tokens"))
    if not tokens:
        return None
    return Usage.from_totals(
        count(tokens.get("input_tokens")),
        count(tokens.get("output_tokens")),
        cache_read=count(data.get("cached_tokens")),
    )


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of the list route, which is v1 while chat is v2."""
    url = f"{root_of(config.base_url, '/v2', '/v1')}/v1/models?page_size=1000&endpoint=chat"
    return get(config, DIALECT, url, bearer(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the list."""
    return model_ids(reply, "models", "name")
