"""What an answer in Anthropic Messages says, streamed or not. Source: wire/anthropic-messages.md 3, 2026-11-23."""

from collections.abc import Iterable
from typing import Any

from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json
from ..shared.reading import object_or_empty, string_or_empty, sum_of_known, token_count

STOP_REASONS = {
    "end_turn": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "tool_use": StopReason.TOOL_CALLS,
    "refusal": StopReason.CONTENT_FILTER,
}

PLAIN_BLOCKS = ("text", "tool_use")
"""Blocks that our own text and calls say wholly."""


def call_id_at(block: Json, place: int) -> str:
    """Return the id of the tool call at `place`; other hosts of this dialect leave it out."""
    return string_or_empty(block.get("id")) or f"call_{place}"


def with_call_ids(blocks: Iterable[Json]) -> list[Json]:
    """Return the blocks; a tool call without an id has one of ours."""
    told: list[Json] = []
    place = 0
    for block in blocks:
        if block.get("type") == "tool_use":
            given = call_id_at(block, place)
            told.append(block if block.get("id") == given else {**block, "id": given})
            place += 1
        else:
            told.append(block)
    return told


def replay_blocks(blocks: list[Json]) -> list[Json] | None:
    """Return the content as it must go back, None where text and calls say everything.

    Thinking without a signature, as of an answer cut in its midst, is refused when it comes back; it stays out.
    """
    kept = [block for block in blocks if block.get("type") != "thinking" or block.get("signature")]
    return kept if any(map(_is_opaque, kept)) else None


def _is_opaque(block: Json) -> bool:
    return block.get("type") not in PLAIN_BLOCKS or bool(block.get("citations"))


def read_usage(value: Any) -> Usage | None:
    """Cached tokens lie beside `input_tokens`, thinking inside `output_tokens`."""
    data: Json = object_or_empty(value)
    if not data:
        return None
    cache_read = token_count(data.get("cache_read_input_tokens"))
    cache_write = token_count(data.get("cache_creation_input_tokens"))
    fresh = token_count(data.get("input_tokens"))
    return Usage.from_totals(
        None if fresh is None else sum_of_known(fresh, cache_read, cache_write),
        token_count(data.get("output_tokens")),
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=token_count(object_or_empty(data.get("output_tokens_details")).get("thinking_tokens")),
    )
