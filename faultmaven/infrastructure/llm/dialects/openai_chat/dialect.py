"""OpenAI Chat Completions, and its vendors and servers. Source: wire reference, openai-chat.md, 2026-11-23."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .....domain.requests import ChatRequest
from .....domain.tool_calls import ToolCall
from ....http.types import Headers, Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import model_facts
from ...reasoning import reasoning_fields
from ..protocol import Answer, StreamParser
from ..shared.conversation import ReplayTarget, lost_replay_notes
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import read_model_names
from ..shared.outcomes import failed_answer_error, map_stop_reason, parse_function_calls, with_unique_ids
from ..shared.reading import first_object, object_at, objects_in, read_object, string_or_empty
from ..shared.requests import allowed_stop, allowed_temperature, bearer_headers, build_get, build_post
from .messages import (
    dropped_attachment_notes,
    lacks_required_reasoning,
    result_attachment_notes,
    unsupported_attachments,
    with_instruction,
    write_call,
    write_messages,
    write_response_format,
    write_tool_fields,
)
from .response import FAILED_REASONS, STOP_REASONS, read_call_id, read_content_text, read_reasoning, read_usage
from .stream import OpenAIChatStream
from .vendors import DIALECT as DIALECT
from .vendors import ChatVendor, find_vendor, vendor_named

FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def vendor_of(config: ProviderConfig) -> ChatVendor:
    """Return the vendor that the dialect of the provider row names, such as "openai-chat/groq"."""
    return find_vendor(config.dialect, config.base_url, "")


def auth_headers(config: ProviderConfig) -> Headers:
    """Return the header with the API key that this vendor requires."""
    if vendor_of(config).auth == "api-key" and config.api_key:
        return Headers({"api-key": config.api_key})
    return bearer_headers(config)


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this vendor cannot serve `request`; see `Dialect.refusal`."""
    vendor = find_vendor(config.dialect, config.base_url, model)
    is_forced = request.tool_choice not in (None, "auto", "none")
    if is_forced and "required" not in vendor.choices:
        return "the vendor ignores tool_choice, so no tool can be forced"
    if request.tools and request.response_format is not None and not vendor.schema_with_tools:
        return "the vendor supports no schema together with tools"
    return next(unsupported_attachments(request, vendor.lacks), "")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat/completions`. `model` comes first: the Hugging Face router reads a prefix."""
    vendor, dialect = find_vendor(config.dialect, config.base_url, model), config.dialect or DIALECT
    target = (config.name, dialect, model)
    facts = model_facts(vendor.facts, model)
    temperature, notes = allowed_temperature(request, facts, model)
    stop, stop_notes = allowed_stop(request, facts, model)
    response_format, instruction, format_notes = write_response_format(request, vendor)
    tools, tool_notes = write_tool_fields(request, vendor)
    thinking, thinking_notes = _write_reasoning(request, target, vendor, config)
    messages = with_instruction(write_messages(request, target, vendor), instruction)
    body: dict[str, Any] = {"model": model, "messages": messages}
    _add_limits(body, request, facts.limit_parameter or vendor.limit_parameter, vendor)
    if temperature is not None:
        body["temperature"] = temperature
    if stop:
        body["stop"] = list(stop)
    body |= tools
    if response_format:
        body["response_format"] = response_format
    body |= thinking
    if stream:
        body |= {"stream": True} | ({"stream_options": {"include_usage": True}} if vendor.stream_usage else {})
    notes += stop_notes + format_notes + tool_notes + thinking_notes
    if request.shape.attachments:
        notes += result_attachment_notes(request.messages) + dropped_attachment_notes(request.messages)
    if request.shape.has_replays:
        notes += lost_replay_notes(request.messages, target)
    url = f"{config.base_url}/chat/completions"
    return build_post(config, dialect, url, auth_headers, body, request, model, notes)


def reasoning_family(config: ProviderConfig) -> str:
    """Return the family of `reasoning.REASONING` for the models of the provider."""
    vendor = vendor_of(config)
    return "openai" if vendor.facts == "openai" else f"chat/{config.dialect.partition('/')[2]}"


def _add_limits(body: Json, request: ChatRequest, limit_parameter: str, vendor: ChatVendor) -> None:
    if request.max_tokens is not None:
        body[limit_parameter] = request.max_tokens
    if request.seed is not None and vendor.seed_parameter:
        body[vendor.seed_parameter] = request.seed


def _write_reasoning(
    request: ChatRequest, target: ReplayTarget, vendor: ChatVendor, config: ProviderConfig
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if request.reasoning is None and not vendor.returned:
        return {}, ()
    family = reasoning_family(config)
    if not lacks_required_reasoning(request, target, vendor):
        return reasoning_fields(family, target[2], request.reasoning)
    fields_off, _ = reasoning_fields(family, target[2], "off")
    note = "reasoning turned off: the vendor requires the reasoning of earlier answers, and some have none"
    return fields_off, () if request.reasoning == "off" else (note,)


def parse_response(reply: WireReply) -> Answer:
    """Parse a chat completion; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    choice = first_object(reply, data, "choices")
    reason = string_or_empty(choice.get("finish_reason"))
    if reason in FAILED_REASONS:
        raise failed_answer_error(reply, reason)
    message = object_at(reply, choice, "message")
    refusal = string_or_empty(message.get("refusal"))
    calls = _read_calls(message)
    return Answer(
        content=read_content_text(reply, message.get("content")) or refusal,
        stop_reason=map_stop_reason(reason, STOP_REASONS, has_calls=bool(calls), is_refused=bool(refusal)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=read_reasoning(message),
        turn=_build_replay(reply, message, calls),
    )


def _read_calls(message: Json) -> tuple[ToolCall, ...]:
    listed = message.get("tool_calls")
    if not listed:
        return ()
    return with_unique_ids(tuple(replace(call, id=read_call_id(call.id)) for call in parse_function_calls(listed)))


def _build_replay(reply: WireReply, message: Json, calls: Sequence[ToolCall]) -> Json | None:
    """Return the original message, with the ids of its calls, if it has fields that the vendor requires in a replay."""
    returned = _vendor_of_reply(reply).returned
    if not returned or not any(message.get(field) for field in returned):
        return None
    original_ids = [call.get("id") for call in objects_in(message.get("tool_calls"))]
    if original_ids == [call.id for call in calls]:
        return message
    return {**message, "tool_calls": [write_call(call) for call in calls]}


def _vendor_of_reply(reply: WireReply) -> ChatVendor:
    return vendor_named(reply.request.origin.dialect)


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return OpenAIChatStream(head, _vendor_of_reply(head).returned)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return build_get(config, config.dialect or DIALECT, f"{config.base_url}/models", auth_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the models; some vendors (Together) send a bare list."""
    return read_model_names(reply, "data", "id")
