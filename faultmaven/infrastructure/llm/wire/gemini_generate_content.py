"""Gemini generateContent. Source: wire/gemini-generate-content.md, 2026-11-23."""

from typing import Any
from urllib.parse import quote

from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    added,
    count,
    first_object,
    joined,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
    tool_call,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, get, post

DIALECT = "gemini-generate-content"
FEATURES = frozenset({"turns", "seed"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

STOP_REASONS = {
    "STOP": StopReason.STOP,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "SAFETY": StopReason.CONTENT_FILTER,
    "RECITATION": StopReason.CONTENT_FILTER,
    "BLOCKLIST": StopReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
    "SPII": StopReason.CONTENT_FILTER,
    "IMAGE_SAFETY": StopReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
    "IMAGE_RECITATION": StopReason.CONTENT_FILTER,
    "MODEL_ARMOR": StopReason.CONTENT_FILTER,
}
ROLES = {"assistant": "model"}


def _auth(config: ProviderConfig) -> Headers:
    """The key goes in a header: in the address it would end up in logs and stack traces."""
    return Headers({"x-goog-api-key": config.api_key} if config.api_key else {})


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/models/{model}:generateContent`."""
    temperature, notes = allowed_temperature(request, model_facts("gemini", model), model)
    settings = {
        "maxOutputTokens": request.max_tokens,
        "temperature": temperature,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
    }
    body: dict[str, Any] = {"contents": [_content(turn) for turn in request.turns]}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    chosen = {name: value for name, value in settings.items() if value is not None}
    if chosen:
        body["generationConfig"] = chosen
    url = f"{config.base_url}/models/{quote(model.removeprefix('models/'), safe='', errors='replace')}:generateContent"
    return post(config, DIALECT, url, _auth(config), body, request, model, notes)


def _content(turn: Message) -> Json:
    return {"role": ROLES.get(turn.role, turn.role), "parts": [{"text": turn.text}]}


def parse_response(reply: WireReply) -> Answer:
    """Read a generateContent reply; a blocked prompt is a 200 without candidates."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    usage = _usage(data.get("usageMetadata"))
    model = string_or_empty(data.get("modelVersion"))
    if not data.get("candidates") and object_or_empty(data.get("promptFeedback")).get("blockReason"):
        return Answer("", StopReason.CONTENT_FILTER, usage, model=model, raw=data)
    candidate = first_object(reply, data, "candidates")
    parts = objects(object_or_empty(candidate.get("content")).get("parts"))
    calls = tuple(
        tool_call(call.get("id"), call.get("name"), object_or_empty(call.get("args")))
        for part in parts
        if (call := object_or_empty(part.get("functionCall")))
    )
    return Answer(
        content=joined((part for part in parts if part.get("thought") is not True), "text"),
        stop_reason=stop_reason(candidate.get("finishReason"), STOP_REASONS, has_calls=bool(calls)),
        usage=usage,
        tool_calls=calls,
        model=model,
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _usage(value: Any) -> Usage | None:
    """Cached tokens lie inside the prompt's; thoughts lie beside the candidates'. Zero counts are left out by Gemini.

    An output that is not mentioned while the total is, is what the total leaves over.
    """
    data = object_or_empty(value)
    if not data:
        return None
    prompt = count(data.get("promptTokenCount"))
    thoughts = count(data.get("thoughtsTokenCount"))
    candidates = count(data.get("candidatesTokenCount"))
    tool_prompt = count(data.get("toolUsePromptTokenCount"))
    total = count(data.get("totalTokenCount"))
    inputs = added(prompt, tool_prompt) if prompt is not None else None
    if candidates is None and total is not None and inputs is not None:
        candidates = max(0, total - inputs - (thoughts or 0))
    return Usage.from_totals(
        inputs,
        added(candidates, thoughts) if candidates is not None else None,
        cache_read=count(data.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, DIALECT, f"{config.base_url}/models?pageSize=1000", _auth(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the list, without their `models/` prefix."""
    return [name.removeprefix("models/") for name in model_ids(reply, "models", "name")]
