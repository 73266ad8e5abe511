"""Anthropic Messages. Source: wire reference, anthropic-messages.md, 2026-11-23."""

from .....domain.requests import ChatRequest
from ....http.types import Headers, Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import ModelFacts, model_facts, output_limit
from ..protocol import Answer, StreamParser
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import read_model_names
from ..shared.outcomes import map_stop_reason
from ..shared.reading import join_texts, malformed_error, objects_in, parse_tool_call, read_object, string_or_empty
from ..shared.requests import allowed_temperature, build_get, build_post
from ..shared.schemas import SchemaRefusedError
from .content import find_problem, mark_last_block, mark_last_user_message, write_conversation, write_text_block
from .options import build_format_setting, build_thinking_setting, build_tool_setting
from .response import STOP_REASONS, read_usage, replay_blocks, with_call_ids
from .stream import MessageStream

DIALECT = "anthropic-messages"
FEATURES = frozenset(
    {"turns", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

# With the newer version 2026-10-21 every model refuses sampling parameters; with this version older models accept them.
VERSION = "2023-06-01"


def _auth_headers(config: ProviderConfig) -> Headers:
    headers = Headers({"anthropic-version": VERSION})
    if config.api_key:
        headers["x-api-key"] = config.api_key
    return headers


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this API or model cannot serve `request`; see `Dialect.refusal`."""
    try:
        build_format_setting(request)
    except SchemaRefusedError as reason:
        return str(reason)
    return find_problem(request, (config.name, DIALECT, model), model_facts("anthropic", model))


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/messages`. The field `max_tokens` is required."""
    facts = model_facts("anthropic", model)
    limit = request.max_tokens if request.max_tokens is not None else output_limit(config.default_max_tokens, facts)
    settings = (
        build_tool_setting(request, facts, model),
        build_format_setting(request),
        build_thinking_setting(request, facts, model, limit),
    )
    body: Json = {"model": model, "max_tokens": limit}
    if system := "\n\n".join(filter(None, (request.system, *(setting.instruction for setting in settings)))):
        body["system"] = system
    body["messages"], notes = write_conversation(request, (config.name, DIALECT, model), facts)
    for setting in settings:
        body = _merge_fields(body, setting.fields)
        notes += setting.notes
    notes += _add_plain_options(body, request, facts, model)
    if stream:
        body["stream"] = True
    if request.cache_prompt:
        _mark_cached_prefix(body)
    return build_post(config, DIALECT, f"{config.base_url}/messages", _auth_headers, body, request, model, notes)


def _merge_fields(body: Json, fields: Json) -> Json:
    """Return the body with `fields`. The schema and the effort share the object `output_config`."""
    output_config = {**body.get("output_config", {}), **fields.get("output_config", {})}
    return {**body, **fields, **({"output_config": output_config} if output_config else {})}


def _add_plain_options(body: Json, request: ChatRequest, facts: ModelFacts, model: str) -> tuple[str, ...]:
    temperature, notes = _choose_temperature(request, facts, model, body)
    if temperature is not None:
        body["temperature"] = temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return notes


def _choose_temperature(
    request: ChatRequest, facts: ModelFacts, model: str, body: Json
) -> tuple[float | None, tuple[str, ...]]:
    """Return the temperature and notes: models with a temperature refuse this option together with thinking."""
    temperature, notes = allowed_temperature(request, facts, model)
    if temperature is not None and body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        return None, (f"temperature left out: {model} refuses temperature together with thinking ({facts.source})",)
    return temperature, notes


def _mark_cached_prefix(body: Json) -> None:
    """Mark the prefix for the prompt cache: the system text, or else the tools, and the conversation so far."""
    if "system" in body:
        body["system"] = mark_last_block([write_text_block(body["system"])])
    elif "tools" in body:
        body["tools"] = mark_last_block(body["tools"])
    mark_last_user_message(body["messages"])


def parse_response(reply: WireReply) -> Answer:
    """Parse a message; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    if not isinstance(data.get("content"), list):
        raise malformed_error(reply, "'content' is missing or not a list")
    blocks = with_call_ids(objects_in(data["content"]))
    calls = tuple(
        parse_tool_call(block.get("id"), block.get("name"), block.get("input"))
        for block in blocks
        if block.get("type") == "tool_use"
    )
    return Answer(
        content=join_texts((block for block in blocks if block.get("type") == "text"), "text"),
        stop_reason=map_stop_reason(data.get("stop_reason"), STOP_REASONS, has_calls=bool(calls)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=join_texts((block for block in blocks if block.get("type") == "thinking"), "thinking"),
        turn=replay_blocks(blocks),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return MessageStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return build_get(config, DIALECT, f"{config.base_url}/models?limit=100", _auth_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the models."""
    return read_model_names(reply, "data", "id")
