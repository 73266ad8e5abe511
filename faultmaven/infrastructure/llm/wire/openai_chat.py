"""OpenAI Chat Completions, and the vendors and servers that speak it. Source: wire/openai-chat.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.reasoning import reasoning_fields
from faultmaven.infrastructure.llm.wire.conversation import foreign_turn_notes
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.openai_chat_messages import (
    choice_object,
    format_object,
    instructed,
    lacking,
    messages,
    notes_on_results,
    tool_objects,
)
from faultmaven.infrastructure.llm.wire.openai_chat_reading import (
    FAILED_REASONS,
    STOP_REASONS,
    content_text,
    read_usage,
    thought,
)
from faultmaven.infrastructure.llm.wire.openai_chat_stream import ChatStream
from faultmaven.infrastructure.llm.wire.openai_chat_vendors import VENDORS, ChatVendor
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer, function_calls, stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    first_object,
    kind,
    malformed,
    object_at,
    read_object,
    string_or_empty,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_stop, allowed_temperature, bearer, get, post

DIALECT = "openai-chat"
FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "files", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def vendor(config: ProviderConfig) -> ChatVendor:
    """Return the vendor's form that the row's dialect names, such as "openai-chat/groq"."""
    return VENDORS[config.dialect.partition("/")[2] if config.dialect.startswith(DIALECT) else ""]


def auth_headers(config: ProviderConfig) -> Headers:
    """Return the key as this vendor wants it."""
    if vendor(config).auth == "api-key" and config.api_key:
        return Headers({"api-key": config.api_key})
    return bearer(config)


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this vendor cannot carry `request`; see `Wire.refusal`."""
    form = vendor(config)
    forced = request.tool_choice not in (None, "auto", "none")
    if forced and not form.forces_tools:
        return "it ignores tool_choice, so that no tool can be forced"
    if request.tools and request.response_format is not None and not form.schema_with_tools:
        return "it takes no schema together with tools"
    return next(lacking(request, form.lacks), "")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat/completions`. The model comes first: the Hugging Face router reads a prefix."""
    form, dialect = vendor(config), config.dialect or DIALECT
    home = (config.name, dialect, model)
    facts = model_facts(form.facts, model)
    temperature, notes = allowed_temperature(request, facts, model)
    stop, stop_notes = allowed_stop(request, facts, model)
    described, sentence, format_notes = format_object(request, form)
    thinking, thinking_notes = reasoning_fields(reasoning_family(config), model, request.reasoning)
    body: dict[str, Any] = {"model": model, "messages": instructed(messages(request, home, form), sentence)}
    body |= _limits(request, facts.limit_parameter or form.limit_parameter, form)
    body |= {"temperature": temperature} if temperature is not None else {}
    body |= {"stop": list(stop)} if stop else {}
    body |= _tools(request)
    body |= {"response_format": described} if described else {}
    body |= thinking
    if stream:
        body |= {"stream": True} | ({"stream_options": {"include_usage": True}} if form.stream_usage else {})
    notes += stop_notes + format_notes + thinking_notes + notes_on_results(request.messages)
    notes += foreign_turn_notes(request.messages, home)
    url = f"{config.base_url}/chat/completions"
    return post(config, dialect, url, auth_headers(config), body, request, model, notes)


def reasoning_family(config: ProviderConfig) -> str:
    """Return the family of `reasoning.REASONING` that the row's models belong to."""
    form = vendor(config)
    return "openai" if form.facts == "openai" else f"chat/{config.dialect.partition('/')[2]}"


def _limits(request: ChatRequest, limit_parameter: str, form: ChatVendor) -> Json:
    limits: Json = {} if request.max_tokens is None else {limit_parameter: request.max_tokens}
    if request.seed is not None and form.seed_parameter:
        limits[form.seed_parameter] = request.seed
    return limits


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    choice = {} if request.tool_choice is None else {"tool_choice": choice_object(request.tool_choice)}
    return {"tools": tool_objects(request.tools), **choice}


def parse_response(reply: WireReply) -> Answer:
    """Read a chat completion; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    choice = first_object(reply, data, "choices")
    reason = string_or_empty(choice.get("finish_reason"))
    if reason in FAILED_REASONS:
        raise failed_answer(reply, reason)
    message = object_at(reply, choice, "message")
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        raise malformed(reply, f"'content' is a {kind(content)}, not a string")
    refusal = string_or_empty(message.get("refusal"))
    calls = function_calls(message.get("tool_calls"))
    return Answer(
        content=content_text(content) or refusal,
        stop_reason=stop_reason(reason, STOP_REASONS, has_calls=bool(calls), refused=bool(refusal)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=thought(message),
        turn=_turn(reply, message),
    )


def _turn(reply: WireReply, message: Json) -> Json | None:
    """Return the message as it came, where it has something that its vendor wants back."""
    returned = _form_of(reply).returned
    return message if any(message.get(field) for field in returned) else None


def _form_of(reply: WireReply) -> ChatVendor:
    return VENDORS.get(reply.request.origin.dialect.partition("/")[2], VENDORS[""])


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    return ChatStream(head, _form_of(head).returned)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, config.dialect or DIALECT, f"{config.base_url}/models", auth_headers(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list; some vendors (Together) send a bare list."""
    return model_ids(reply, "data", "id")
