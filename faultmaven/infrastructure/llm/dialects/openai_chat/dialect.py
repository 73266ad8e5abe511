"""OpenAI Chat Completions, and the vendors and servers that speak it. Source: wire/openai-chat.md, 2026-11-23."""

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
from ..shared.conversation import ReplayTarget, foreign_turn_notes
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import model_ids
from ..shared.outcomes import failed_answer, function_calls, stop_reason, with_ids
from ..shared.reading import first_object, object_at, objects, read_object, string_or_empty
from ..shared.requests import allowed_stop, allowed_temperature, bearer, get, post
from .messages import (
    call_object,
    format_object,
    instructed,
    lacking,
    lacks_reasoning,
    messages,
    notes_on_parts,
    notes_on_results,
    tool_fields,
)
from .response import FAILED_REASONS, STOP_REASONS, call_id, content_text, read_usage, thought
from .stream import ChatStream
from .vendors import DIALECT as DIALECT
from .vendors import ChatVendor, form_named, vendor_form

FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def vendor(config: ProviderConfig) -> ChatVendor:
    """Return the vendor's form that the row's dialect names, such as "openai-chat/groq"."""
    return vendor_form(config.dialect, config.base_url, "")


def auth_headers(config: ProviderConfig) -> Headers:
    """Return the key as this vendor wants it."""
    if vendor(config).auth == "api-key" and config.api_key:
        return Headers({"api-key": config.api_key})
    return bearer(config)


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this vendor cannot carry `request`; see `Dialect.refusal`."""
    form = vendor_form(config.dialect, config.base_url, model)
    forced = request.tool_choice not in (None, "auto", "none")
    if forced and "required" not in form.choices:
        return "it ignores tool_choice, so that no tool can be forced"
    if request.tools and request.response_format is not None and not form.schema_with_tools:
        return "it takes no schema together with tools"
    return next(lacking(request, form.lacks), "")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat/completions`. The model comes first: the Hugging Face router reads a prefix."""
    form, dialect = vendor_form(config.dialect, config.base_url, model), config.dialect or DIALECT
    home = (config.name, dialect, model)
    facts = model_facts(form.facts, model)
    temperature, notes = allowed_temperature(request, facts, model)
    stop, stop_notes = allowed_stop(request, facts, model)
    described, sentence, format_notes = format_object(request, form)
    tools, tool_notes = tool_fields(request, form)
    thinking, thinking_notes = _thinking(request, home, form, config)
    body: dict[str, Any] = {"model": model, "messages": instructed(messages(request, home, form), sentence)}
    _add_limits(body, request, facts.limit_parameter or form.limit_parameter, form)
    if temperature is not None:
        body["temperature"] = temperature
    if stop:
        body["stop"] = list(stop)
    body |= tools
    if described:
        body["response_format"] = described
    body |= thinking
    if stream:
        body |= {"stream": True} | ({"stream_options": {"include_usage": True}} if form.stream_usage else {})
    notes += stop_notes + format_notes + tool_notes + thinking_notes
    if request.shape.attachments:
        notes += notes_on_results(request.messages) + notes_on_parts(request.messages)
    if request.shape.has_replays:
        notes += foreign_turn_notes(request.messages, home)
    url = f"{config.base_url}/chat/completions"
    return post(config, dialect, url, auth_headers, body, request, model, notes)


def reasoning_family(config: ProviderConfig) -> str:
    """Return the family of `reasoning.REASONING` that the row's models belong to."""
    form = vendor(config)
    return "openai" if form.facts == "openai" else f"chat/{config.dialect.partition('/')[2]}"


def _add_limits(body: Json, request: ChatRequest, limit_parameter: str, form: ChatVendor) -> None:
    if request.max_tokens is not None:
        body[limit_parameter] = request.max_tokens
    if request.seed is not None and form.seed_parameter:
        body[form.seed_parameter] = request.seed


def _thinking(
    request: ChatRequest, home: ReplayTarget, form: ChatVendor, config: ProviderConfig
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if request.reasoning is None and not form.returned:
        return {}, ()
    family = reasoning_family(config)
    if not lacks_reasoning(request, home, form):
        return reasoning_fields(family, home[2], request.reasoning)
    off, _ = reasoning_fields(family, home[2], "off")
    note = "reasoning turned off: it demands the earlier answers' own reasoning back, and some have none"
    return off, () if request.reasoning == "off" else (note,)


def parse_response(reply: WireReply) -> Answer:
    """Read a chat completion; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    choice = first_object(reply, data, "choices")
    reason = string_or_empty(choice.get("finish_reason"))
    if reason in FAILED_REASONS:
        raise failed_answer(reply, reason)
    message = object_at(reply, choice, "message")
    refusal = string_or_empty(message.get("refusal"))
    calls = _calls(message)
    return Answer(
        content=content_text(reply, message.get("content")) or refusal,
        stop_reason=stop_reason(reason, STOP_REASONS, has_calls=bool(calls), refused=bool(refusal)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=thought(message),
        turn=_turn(reply, message, calls),
    )


def _calls(message: Json) -> tuple[ToolCall, ...]:
    written = message.get("tool_calls")
    if not written:
        return ()
    return with_ids(tuple(replace(call, id=call_id(call.id)) for call in function_calls(written)))


def _turn(reply: WireReply, message: Json, calls: Sequence[ToolCall]) -> Json | None:
    """Return the message as it came, where it has something that its vendor wants back; each call with its id."""
    returned = _form_of(reply).returned
    if not returned or not any(message.get(field) for field in returned):
        return None
    written = objects(message.get("tool_calls"))
    if [call.get("id") for call in written] == [call.id for call in calls]:
        return message
    return {**message, "tool_calls": [call_object(call) for call in calls]}


def _form_of(reply: WireReply) -> ChatVendor:
    return form_named(reply.request.origin.dialect)


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Dialect.stream_parser`."""
    return ChatStream(head, _form_of(head).returned)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, config.dialect or DIALECT, f"{config.base_url}/models", auth_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list; some vendors (Together) send a bare list."""
    return model_ids(reply, "data", "id")
