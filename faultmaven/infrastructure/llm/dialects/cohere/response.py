"""What answers and streams of Cohere v2 share. Source: cohere-v2-chat.md, section 3, 2026-11-23."""

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
    """Return the message as the vendor wants it back, None when text and calls say everything, or must do."""
    has_thinking = any(block.get("type") == "thinking" for block in objects_in(message.get("content")))
    if not has_thinking and not message.get("tool_plan"):
        return None
    if not have_unique_ids(call.get("id") for call in objects_in(message.get("tool_calls"))):
        return None
    kept = {name: message[name] for name in ("content", "tool_plan", "tool_calls") if message.get(name)}
    return {"role": "assistant", **kept}


def read_usage(value: Any) -> Usage | None:
    """`tokens` are the real counts, template included; `billed_units` are smaller. Cached ones lie inside the input."""
    data = object_or_empty(value)
    tokens = object_or_empty(data.get("tokens"))
    if not tokens:
        return None
    return Usage.from_totals(
        token_count(tokens.get("input_tokens")),
        token_count(tokens.get("output_tokens")),
        cache_read=token_count(data.get("cached_tokens")),
    )
