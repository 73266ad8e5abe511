"""OpenAI Chat Completions, and the vendors and servers that speak it. Source: wire/openai-chat.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, Message, StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Headers, Json, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import model_facts
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.openai_chat_vendors import VENDORS, ChatVendor
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer, function_calls, stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import (
    added,
    count,
    first_object,
    joined,
    kind,
    malformed,
    object_at,
    object_or_empty,
    objects,
    read_object,
    string_or_empty,
)
from faultmaven.infrastructure.llm.wire.requests import allowed_stop, allowed_temperature, bearer, get, post

DIALECT = "openai-chat"
FEATURES = frozenset({"turns", "seed"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

STOP_REASONS = {
    "stop": StopReason.STOP,
    "eos": StopReason.STOP,
    "eos_token": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "length": StopReason.MAX_TOKENS,
    "model_length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
    "content_filter": StopReason.CONTENT_FILTER,
}
FAILED_REASONS = frozenset({"error", "insufficient_system_resource"})


def vendor(config: ProviderConfig) -> ChatVendor:
    """Return the vendor's form that the row's dialect names, such as "openai-chat/groq"."""
    return VENDORS[config.dialect.partition("/")[2] if config.dialect.startswith(DIALECT) else ""]


def auth_headers(config: ProviderConfig) -> Headers:
    """Return the key as this vendor wants it."""
    if vendor(config).auth == "api-key" and config.api_key:
        return Headers({"api-key": config.api_key})
    return bearer(config)


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat/completions`. The model comes first: the Hugging Face router reads a prefix."""
    form = vendor(config)
    facts = model_facts(form.facts, model)
    temperature, notes = allowed_temperature(request, facts, model)
    stop, stop_notes = allowed_stop(request, facts, model)
    body: dict[str, Any] = {"model": model, "messages": [_message(message) for message in request.messages]}
    if request.max_tokens is not None:
        body[facts.limit_parameter or form.limit_parameter] = request.max_tokens
    if temperature is not None:
        body["temperature"] = temperature
    if stop:
        body["stop"] = list(stop)
    if request.seed is not None and form.seed_parameter:
        body[form.seed_parameter] = request.seed
    url = f"{config.base_url}/chat/completions"
    return post(config, config.dialect or DIALECT, url, auth_headers(config), body, request, model, notes + stop_notes)


def _message(message: Message) -> Json:
    return {"role": message.role, "content": message.text}


def parse_response(reply: WireReply) -> Answer:
    """Read a chat completion; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    choice = first_object(reply, data, "choices")
    reason = string_or_empty(choice.get("finish_reason"))
    if reason in FAILED_REASONS:
        raise failed_answer(reply, reason)
    message = object_at(reply, choice, "message")
    refusal = string_or_empty(message.get("refusal"))
    calls = function_calls(message.get("tool_calls"))
    content = _content(reply, message.get("content"))
    return Answer(
        content=content or refusal,
        stop_reason=stop_reason(reason, STOP_REASONS, has_calls=bool(calls), refused=bool(refusal)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def _content(reply: WireReply, content: Any) -> str:
    """Text as a string, or as a list of parts of which the `text` ones count (Mistral's thinking models)."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return joined((part for part in objects(content) if part.get("type") == "text"), "text")
    raise malformed(reply, f"'content' is a {kind(content)}, not a string")


def read_usage(value: Any) -> Usage | None:
    """Read usage; cached and cache-write tokens lie inside the prompt's, reasoning inside the completion's.

    xAI counts reasoning beside the completion: known by its total being the sum of all three.
    """
    data = object_or_empty(value)
    if not data:
        return None
    prompt_details = object_or_empty(data.get("prompt_tokens_details"))
    cached = count(prompt_details.get("cached_tokens"))
    prompt, completion = count(data.get("prompt_tokens")), count(data.get("completion_tokens"))
    reasoning = count(object_or_empty(data.get("completion_tokens_details")).get("reasoning_tokens"))
    if reasoning and count(data.get("total_tokens")) == added(prompt, completion, reasoning):
        completion = added(completion, reasoning)
    return Usage.from_totals(
        prompt,
        completion,
        cache_read=cached if cached is not None else count(data.get("prompt_cache_hit_tokens")),
        cache_write=count(prompt_details.get("cache_write_tokens")),
        reasoning=reasoning,
    )


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{base}/models`."""
    return get(config, config.dialect or DIALECT, f"{config.base_url}/models", auth_headers(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list; some vendors (Together) send a bare list."""
    return model_ids(reply, "data", "id")
