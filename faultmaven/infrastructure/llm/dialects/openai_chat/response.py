"""Fields of OpenAI Chat replies and stream chunks. Source: openai-chat.md, sections 3 and 9, 2026-11-23."""

from typing import Any

from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..shared.reading import (
    join_texts,
    json_type_name,
    malformed_error,
    object_or_empty,
    objects_in,
    string_or_empty,
    sum_of_known,
    token_count,
)

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


def read_content_text(reply: WireReply, content: Any) -> str:
    """Return `content`, or the joined `text` parts of a list, as Mistral's thinking models send it."""
    if isinstance(content, str):
        return content
    if content is not None and not isinstance(content, list):
        raise malformed_error(reply, f"'content' is a {json_type_name(content)}, not a string")
    return join_texts((part for part in objects_in(content) if part.get("type") == "text"), "text")


def read_reasoning(message: Json) -> str:
    """Return the reasoning, under any vendor's field name (9.2). Mistral's reasoning is a part of the content."""
    text = string_or_empty(message.get("reasoning_content")) or string_or_empty(message.get("reasoning"))
    if text or not isinstance(message.get("content"), list):
        return text
    content = message.get("content")
    if not isinstance(content, list):
        return ""
    parts = (part for part in objects_in(content) if part.get("type") == "thinking")
    return "".join(_read_thinking(part.get("thinking")) for part in parts)


def _read_thinking(inner: Any) -> str:
    return inner if isinstance(inner, str) else join_texts(objects_in(inner), "text")


def read_call_id(value: Any) -> str:
    """Return the id of a tool call, "" where there is none: Mistral's default is the string "null" (9.5)."""
    call_id = string_or_empty(value)
    return "" if call_id == "null" else call_id


def read_usage(value: Any) -> Usage | None:
    """Return the token counts, None where there are none.

    The prompt's count includes cached and cache-write tokens, the completion's count includes reasoning tokens. xAI
    counts reasoning separately: the total is then the sum of all three.
    """
    data = object_or_empty(value)
    if not data:
        return None
    prompt_details = object_or_empty(data.get("prompt_tokens_details"))
    cached = token_count(prompt_details.get("cached_tokens"))
    prompt, completion = token_count(data.get("prompt_tokens")), token_count(data.get("completion_tokens"))
    reasoning = token_count(object_or_empty(data.get("completion_tokens_details")).get("reasoning_tokens"))
    if reasoning and token_count(data.get("total_tokens")) == sum_of_known(prompt, completion, reasoning):
        completion = sum_of_known(completion, reasoning)
    return Usage.from_totals(
        prompt,
        completion,
        cache_read=cached if cached is not None else token_count(data.get("prompt_cache_hit_tokens")),
        cache_write=token_count(prompt_details.get("cache_write_tokens")),
        reasoning=reasoning,
    )
