"""Answers of Anthropic Messages, streamed or not. Source: wire reference, anthropic-messages.md 3, 2026-11-23."""

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
"""Types of blocks that the text and the tool calls of an answer represent completely."""


def call_id_at(block: Json, position: int) -> str:
    """Return the id of the tool call at `position`; some other hosts of this dialect send no id."""
    return string_or_empty(block.get("id")) or f"call_{position}"


def with_call_ids(blocks: Iterable[Json]) -> list[Json]:
    """Return the blocks, with a new id for each tool call without one."""
    identified: list[Json] = []
    position = 0
    for block in blocks:
        if block.get("type") == "tool_use":
            call_id = call_id_at(block, position)
            identified.append(block if block.get("id") == call_id else {**block, "id": call_id})
            position += 1
        else:
            identified.append(block)
    return identified


def replay_blocks(blocks: list[Json]) -> list[Json] | None:
    """Return the content for replay, None where text and calls are enough.

    Thinking without a signature, as in an answer that was cut, is left out: the vendor would refuse it.
    """
    replayed = [block for block in blocks if block.get("type") != "thinking" or block.get("signature")]
    return replayed if any(map(_is_opaque, replayed)) else None


def _is_opaque(block: Json) -> bool:
    return block.get("type") not in PLAIN_BLOCKS or bool(block.get("citations"))


def read_usage(value: Any) -> Usage | None:
    """Return the token counts. `input_tokens` excludes cached tokens; `output_tokens` includes thinking."""
    data: Json = object_or_empty(value)
    if not data:
        return None
    cache_read = token_count(data.get("cache_read_input_tokens"))
    cache_write = token_count(data.get("cache_creation_input_tokens"))
    uncached = token_count(data.get("input_tokens"))
    return Usage.from_totals(
        None if uncached is None else sum_of_known(uncached, cache_read, cache_write),
        token_count(data.get("output_tokens")),
        cache_read=cache_read,
        cache_write=cache_write,
        reasoning=token_count(object_or_empty(data.get("output_tokens_details")).get("thinking_tokens")),
    )
