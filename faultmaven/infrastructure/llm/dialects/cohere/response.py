"""Answers of Cohere v2, streamed or not. Source: cohere-v2-chat.md, section 3, 2026-11-23."""

from typing import Any

from .....domain.errors import ProviderError, ProviderUnavailableError
from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json
from ..shared.outcomes import have_unique_ids
from ..shared.reading import object_or_empty, objects_in, token_count

STOP_REASONS = {
    "COMPLETE": StopReason.STOP,
    "STOP_SEQUENCE": StopReason.STOP,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "TOOL_CALL": StopReason.TOOL_CALLS,
    "ERROR_TOXIC": StopReason.CONTENT_FILTER,
}
FAILED_REASONS: dict[str, type[ProviderError]] = {"ERROR": ProviderError, "TIMEOUT": ProviderUnavailableError}


def replay_message(message: Json) -> Json | None:
    """Return the message for replay; None where text and calls are enough, or where call ids are not unique."""
    has_thinking = any(block.get("type") == "thinking" for block in objects_in(message.get("content")))
    if not has_thinking and not message.get("tool_plan"):
        return None
    if not have_unique_ids(call.get("id") for call in objects_in(message.get("tool_calls"))):
        return None
    fields = {name: message[name] for name in ("content", "tool_plan", "tool_calls") if message.get(name)}
    return {"role": "assistant", **fields}


def read_usage(value: Any) -> Usage | None:
    """Return the counts in `tokens`, which include the chat template; `billed_units` are smaller.

    The input count includes the cached tokens.
    """
    data = object_or_empty(value)
    tokens = object_or_empty(data.get("tokens"))
    if not tokens:
        return None
    return Usage.from_totals(
        token_count(tokens.get("input_tokens")),
        token_count(tokens.get("output_tokens")),
        cache_read=token_count(data.get("cached_tokens")),
    )
