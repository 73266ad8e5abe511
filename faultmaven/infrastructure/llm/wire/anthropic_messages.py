"""Anthropic Messages. Source: wire/anthropic-messages.md, 2026-11-23."""

from collections.abc import Mapping
from typing import Any

from faultmaven.domain.chat import ChatRequest
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import ModelFacts, model_facts, output_limit
from faultmaven.infrastructure.llm.reasoning import reasoning_fields
from faultmaven.infrastructure.llm.wire.anthropic_content import choice_object, marked, tool_objects, turns
from faultmaven.infrastructure.llm.wire.anthropic_reading import STOP_REASONS, kept_turn, read_usage
from faultmaven.infrastructure.llm.wire.anthropic_stream import MessageStream
from faultmaven.infrastructure.llm.wire.conversation import foreign_turn_notes
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    joined,
    malformed,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
    tool_call,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_temperature, get, merged, post
from faultmaven.infrastructure.llm.wire.schemas import ANY_JSON, SchemaRefusedError, closed, schema_of

DIALECT = "anthropic-messages"
FEATURES = frozenset(
    {"turns", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

# Under the newer 2026-10-21 every model refuses sampling parameters; under this one those that know them take them.
VERSION = "2023-06-01"


def _auth(config: ProviderConfig) -> Headers:
    headers = Headers({"anthropic-version": VERSION})
    if config.api_key:
        headers["x-api-key"] = config.api_key
    return headers


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why `model` cannot carry `request`; see `Wire.refusal`."""
    facts = model_facts("anthropic", model)
    if facts.refuses_prefill and request.messages[-1].role == "assistant":
        return f"{model} does not go on with an assistant turn ({facts.source})"
    try:
        _format(request)
    except SchemaRefusedError as refused:
        return str(refused)
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/messages`. The limit is required there."""
    home = (config.name, DIALECT, model)
    facts = model_facts("anthropic", model)
    temperature, notes = allowed_temperature(request, facts, model)
    thinking, thinking_notes = reasoning_fields("anthropic", model, request.reasoning)
    limit = request.max_tokens if request.max_tokens is not None else output_limit(config.default_max_tokens, facts)
    choice, sentence, choice_notes = _choice(request, facts, model)
    json_sentence, json_notes = _json_mode(request)
    if choice and choice["type"] in ("any", "tool") and "thinking" in thinking:
        thinking, thinking_notes = {}, ("reasoning left out: a tool is forced, which does not go with thinking",)
    thinking, limit, limit_notes = _within_limit(thinking, limit)
    body: dict[str, Any] = {"model": model, "max_tokens": limit}
    system = "\n\n".join(text for text in (request.system, sentence, json_sentence) if text)
    body |= {"system": system} if system else {}
    body["messages"] = turns(request, home)
    body |= {"temperature": temperature} if temperature is not None else {}
    body |= {"stop_sequences": list(request.stop)} if request.stop else {}
    if request.tools:
        body |= {"tools": tool_objects(request.tools)} | ({"tool_choice": choice} if choice else {})
    body = merged(merged(body, thinking), _format(request))
    body |= {"stream": True} if stream else {}
    notes += thinking_notes + choice_notes + json_notes + limit_notes + foreign_turn_notes(request.messages, home)
    body = marked(body) if request.cache_prompt else body
    return post(config, DIALECT, f"{config.base_url}/messages", _auth(config), body, request, model, notes)


def _choice(request: ChatRequest, facts: ModelFacts, model: str) -> tuple[Json, str, tuple[str, ...]]:
    """Return the `tool_choice`; where the model refuses a forced one, auto with a sentence for the system text."""
    choice = request.tool_choice
    if choice is None:
        return {}, "", ()
    if choice in ("auto", "none") or not facts.refuses_forced_tools:
        return choice_object(choice), "", ()
    wanted = "one of the tools" if choice == "required" else f"the tool {choice}"
    note = f"tool_choice={choice!r} sent as an instruction: {model} refuses forced tools ({facts.source})"
    return choice_object("auto"), f"You must call {wanted} now.", (note,)


def _json_mode(request: ChatRequest) -> tuple[str, tuple[str, ...]]:
    if request.response_format != ANY_JSON:
        return "", ()
    return "Answer with one JSON object and nothing else.", ("the JSON mode is an instruction: there is none here",)


def _format(request: ChatRequest) -> Json:
    schema = schema_of(request.response_format)
    if schema is None:
        return {}
    return {"output_config": {"format": {"type": "json_schema", "schema": closed(schema)}}}


def _within_limit(thinking: Mapping[str, Any], limit: int) -> tuple[Mapping[str, Any], int, tuple[str, ...]]:
    """A budget must lie below the limit: the limit is raised by what is thought."""
    budget = object_or_empty(thinking.get("thinking")).get("budget_tokens")
    if not isinstance(budget, int):
        return thinking, limit, ()
    return thinking, limit + budget, (f"max_tokens raised by the {budget} tokens of the reasoning budget",)


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
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=joined((block for block in blocks if block.get("type") == "thinking"), "thinking"),
        turn=kept_turn(blocks),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    return MessageStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, DIALECT, f"{config.base_url}/models?limit=100", _auth(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list."""
    return model_ids(reply, "data", "id")
