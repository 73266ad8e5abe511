"""What answers and streams of Anthropic Messages share. Source: anthropic-messages.md, section 3, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Json
from faultmaven.infrastructure.llm.wire.reading import added, count, object_or_empty

PLAIN_BLOCKS = ("text", "tool_use")
"""Blocks that text and tool calls say everything about; whatever else there is goes home as it came."""

STOP_REASONS = {
    "end_turn": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "tool_use": StopReason.TOOL_CALLS,
    "refusal": StopReason.CONTENT_FILTER,
}


def kept_turn(blocks: list[Json]) -> list[Json] | None:
    """Return the content as the vendor wants it back, None when there is nothing opaque in it."""
    return blocks if any(block.get("type") not in PLAIN_BLOCKS for block in blocks) else None


def read_usage(value: Any) -> Usage | None:
    """Cached tokens lie beside `input_tokens`, thinking inside `output_tokens`."""
    data: Json = object_or_empty(value)
    if not data:
        return None
    cache_read = count(data.get("cache_read_input_tokens"))
    cache_write = count(data.get("cache_creation_input_tokens"))
    fresh = count(data.get("input_tokens"))
    return Usage.from_totals(
        None if fresh is None else added(fresh, cache_read, cache_write),
        count(data.get("output_tokens")),
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=count(object_or_empty(data.get("output_tokens_details")).get("thinking_tokens")),
    )
