"""Gemini generateContent. Source: wire reference, gemini-generate-content.md, 2026-11-23."""

from typing import Any
from urllib.parse import quote

from .....domain.attachments import Attachment
from .....domain.requests import ChatRequest
from .....domain.responses import StopReason
from ....http.types import Headers, Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import model_facts
from ...reasoning import reasoning_fields
from ..protocol import Answer, StreamParser
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import read_model_names
from ..shared.outcomes import map_stop_reason
from ..shared.reading import (
    first_object,
    join_texts,
    object_or_empty,
    objects_in,
    parse_tool_call,
    read_object,
    string_or_empty,
)
from ..shared.requests import allowed_temperature, build_get, build_post
from ..shared.schemas import SchemaRefusedError, json_schema_of
from .content import Notes, find_media_type, is_before_3, to_gemini_schema, write_contents, write_tool_config
from .response import (
    STOP_REASONS,
    is_thought,
    raise_for_failure,
    read_block_reason,
    read_function_call,
    read_usage,
    replay_parts,
)
from .stream import GeminiStream

DIALECT = "gemini-generate-content"
FEATURES = frozenset(
    {
        "turns",
        "seed",
        "stream",
        "tools",
        "schema",
        "images",
        "image addresses",
        "files",
        "reasoning",
        "cache_prompt",  # automatic: the request needs no field
    }
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def _auth_headers(config: ProviderConfig) -> Headers:
    """Return the header with the API key. A key in the URL would appear in logs and stack traces."""
    return Headers({"x-goog-api-key": config.api_key} if config.api_key else {})


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why Gemini or the model cannot serve `request`; see `Dialect.refusal`."""
    return _find_schema_problem(request, model) or _find_attachment_problem(request, config, model)


def _find_schema_problem(request: ChatRequest, model: str) -> str:
    model_name = model.removeprefix("models/")
    may_call = bool(request.tools) and request.tool_choice != "none"
    if may_call and request.response_format is not None and is_before_3(model):
        return (
            f"{model_name} supports no response format together with callable tools"  # Gemini 3 and later support both
        )
    try:
        write_tool_config(request, [])
        _write_format(request, [])
    except SchemaRefusedError as error:
        return f"Gemini does not support the schema: {error}"
    return ""


def _find_attachment_problem(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    roles_and_parts = [(message.role, part) for message in request.messages for part in message.parts]
    attachments = [part for _, part in roles_and_parts if not isinstance(part, str)]
    if any(role == "system" and not isinstance(part, str) for role, part in roles_and_parts):
        return "a system turn holds an image or a file, and Gemini accepts only text in system turns"
    if any(find_media_type(part) == "image/gif" for part in attachments):
        return "Gemini does not support GIF images"
    model_name = model.removeprefix("models/")
    fetches_google_files_only = model_name.startswith(("gemini-1.", "gemini-2.0"))
    if fetches_google_files_only and any(_is_third_party_url(part, config) for part in attachments):
        return f"{model_name} fetches no images or files from addresses"
    return ""


def _is_third_party_url(part: Attachment, config: ProviderConfig) -> bool:
    """Return whether the vendor would fetch a URL outside Google's Files API, whose URLs every model supports."""
    is_url = part.data is None and bool(part.url) and not part.fetch
    return is_url and not part.url.startswith(f"{config.base_url}/files/")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/models/{model}:generateContent`, or to `:streamGenerateContent`."""
    notes: Notes = []
    body: dict[str, Any] = {"contents": write_contents(request, (config.name, DIALECT, model), notes)}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    body |= write_tool_config(request, notes)
    settings = _write_generation_config(request, model, notes)
    if settings:
        body["generationConfig"] = settings
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    url = f"{config.base_url}/models/{quote(model.removeprefix('models/'), safe='', errors='replace')}:{method}"
    return build_post(config, DIALECT, url, _auth_headers, body, request, model, tuple(dict.fromkeys(notes)))


def _write_generation_config(request: ChatRequest, model: str, notes: Notes) -> Json:
    temperature, temperature_notes = allowed_temperature(request, model_facts("gemini", model), model)
    notes += temperature_notes
    options = {
        "maxOutputTokens": request.max_tokens,
        "temperature": temperature,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
    }
    settings: Json = {name: value for name, value in options.items() if value is not None}
    thinking, thinking_notes = reasoning_fields("gemini", model, request.reasoning)
    notes += thinking_notes
    return {**settings, **_write_format(request, notes), **thinking}


def _write_format(request: ChatRequest, notes: Notes) -> Json:
    if request.response_format is None:
        return {}
    schema = json_schema_of(request.response_format)
    fields: Json = {"responseMimeType": "application/json"}
    return fields if schema is None else {**fields, "responseJsonSchema": to_gemini_schema(schema, notes)}


def parse_response(reply: WireReply) -> Answer:
    """Parse a generateContent reply; a blocked prompt has status 200 and no candidates."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    usage = read_usage(data.get("usageMetadata"))
    model = string_or_empty(data.get("modelVersion"))
    if read_block_reason(data):
        return Answer("", StopReason.CONTENT_FILTER, usage, model=model, raw=data)
    candidate = first_object(reply, data, "candidates")
    parts = objects_in(object_or_empty(candidate.get("content")).get("parts"))
    content = join_texts((part for part in parts if not is_thought(part)), "text")
    calls = tuple(parse_tool_call(*call) for part in parts if (call := read_function_call(part)) is not None)
    reason = string_or_empty(candidate.get("finishReason"))
    answer = Answer(
        content=content,
        stop_reason=map_stop_reason(reason, STOP_REASONS, has_calls=bool(calls)),
        usage=usage,
        tool_calls=calls,
        model=model,
        raw=data,
        reasoning=join_texts(filter(is_thought, parts), "text"),
        turn=replay_parts(parts),
    )
    raise_for_failure(reply, reason, answer)
    return answer


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return GeminiStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return build_get(config, DIALECT, f"{config.base_url}/models?pageSize=1000", _auth_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the models, without the prefix `models/`."""
    return [name.removeprefix("models/") for name in read_model_names(reply, "models", "name")]
