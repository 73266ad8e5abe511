"""Gemini generateContent. Source: wire/gemini-generate-content.md, 2026-11-23."""

from typing import Any
from urllib.parse import quote

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.reasoning import reasoning_fields
from faultmaven.infrastructure.llm.wire.conversation import foreign_turn_notes
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.gemini_content import (
    BYPASS_NOTE,
    choice_object,
    contents,
    needs_bypass,
    plain_schema,
    tool_objects,
)
from faultmaven.infrastructure.llm.wire.gemini_reading import (
    FAILED_REASONS,
    STOP_REASONS,
    calls_of,
    is_blocked,
    kept_turn,
    read_usage,
    text_of,
)
from faultmaven.infrastructure.llm.wire.gemini_stream import GenerateStream
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer, stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    first_object,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, get, post
from faultmaven.infrastructure.llm.wire.schemas import SchemaRefusedError, schema_of

DIALECT = "gemini-generate-content"
FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def _auth(config: ProviderConfig) -> Headers:
    """The key goes in a header: in the address it would end up in logs and stack traces."""
    return Headers({"x-goog-api-key": config.api_key} if config.api_key else {})


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why `model` cannot carry `request`; see `Wire.refusal`."""
    addressed = any(part.data is None for turn in request.messages for part in (*turn.images, *turn.files))
    if addressed and model.removeprefix("models/").startswith("gemini-2.0"):
        return f"{model} takes no image addresses, only bytes"
    try:
        tool_objects(request.tools)
        _format(request)
    except SchemaRefusedError as refused:
        return str(refused)
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/models/{model}:generateContent`, or to its streaming sister."""
    home = (config.name, DIALECT, model)
    facts = model_facts("gemini", model)
    temperature, notes = allowed_temperature(request, facts, model)
    thinking, thinking_notes = reasoning_fields("gemini", model, request.reasoning)
    settings = {
        "maxOutputTokens": request.max_tokens,
        "temperature": temperature,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        **thinking,
        **_format(request),
    }
    signs = facts.demands_signatures
    body: dict[str, Any] = {"contents": contents(request, home, signs=signs)}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if request.tools:
        body["tools"] = tool_objects(request.tools)
        body |= {} if request.tool_choice is None else {"toolConfig": choice_object(request.tool_choice)}
    chosen = {name: value for name, value in settings.items() if value is not None}
    if chosen:
        body["generationConfig"] = chosen
    notes += thinking_notes + foreign_turn_notes(request.messages, home)
    notes += (BYPASS_NOTE,) if signs and needs_bypass(request, home) else ()
    return post(config, DIALECT, _url(config, model, stream=stream), _auth(config), body, request, model, notes)


def _url(config: ProviderConfig, model: str, *, stream: bool) -> str:
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{config.base_url}/models/{quote(model.removeprefix('models/'), safe='', errors='replace')}:{verb}"


def _format(request: ChatRequest) -> Json:
    if request.response_format is None:
        return {}
    schema = schema_of(request.response_format)
    told = {} if schema is None else {"responseJsonSchema": plain_schema(schema)}
    return {"responseMimeType": "application/json", **told}


def parse_response(reply: WireReply) -> Answer:
    """Read a generateContent reply; a blocked prompt is a 200 without candidates."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    usage = read_usage(data.get("usageMetadata"))
    model = string_or_empty(data.get("modelVersion"))
    if is_blocked(data):
        return Answer("", StopReason.CONTENT_FILTER, usage, model=model, raw=data)
    candidate = first_object(reply, data, "candidates")
    parts = objects(object_or_empty(candidate.get("content")).get("parts"))
    calls, text = calls_of(parts), text_of(parts, thought=False)
    reason = string_or_empty(candidate.get("finishReason"))
    if reason in FAILED_REASONS and not calls and not text:
        raise failed_answer(reply, reason)
    return Answer(
        content=text,
        stop_reason=stop_reason(reason, STOP_REASONS, has_calls=bool(calls)),
        usage=usage,
        tool_calls=calls,
        model=model,
        raw=data,
        reasoning=text_of(parts, thought=True),
        turn=kept_turn(parts),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    return GenerateStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, DIALECT, f"{config.base_url}/models?pageSize=1000", _auth(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the list, without their `models/` prefix."""
    return [name.removeprefix("models/") for name in model_ids(reply, "models", "name")]
