"""What answers and streams of Gemini share. Source: gemini-generate-content.md, section 3, 2026-11-23."""

from collections.abc import Iterable
from typing import Any

from faultmaven.domain.chat import StopReason
from faultmaven.domain.tools import ToolCall
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Json
from faultmaven.infrastructure.llm.wire.reading import added, count, object_or_empty, string_or_empty, tool_call

STOP_REASONS = {
    "STOP": StopReason.STOP,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "SAFETY": StopReason.CONTENT_FILTER,
    "RECITATION": StopReason.CONTENT_FILTER,
    "BLOCKLIST": StopReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
    "SPII": StopReason.CONTENT_FILTER,
    "IMAGE_SAFETY": StopReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
    "IMAGE_RECITATION": StopReason.CONTENT_FILTER,
    "MODEL_ARMOR": StopReason.CONTENT_FILTER,
}
FAILED_REASONS = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"}
    | {"MALFORMED_RESPONSE"}
)
"""The call to the model failed; where nothing came of it, that is an error."""


def is_blocked(data: Json) -> bool:
    """Return whether the prompt was blocked: a 200 without candidates."""
    return not data.get("candidates") and bool(object_or_empty(data.get("promptFeedback")).get("blockReason"))


def calls_of(parts: Iterable[Json]) -> tuple[ToolCall, ...]:
    """Return the calls; their ids may be missing."""
    called = [call for part in parts if (call := object_or_empty(part.get("functionCall")))]
    return tuple(tool_call(call.get("id"), call.get("name"), object_or_empty(call.get("args"))) for call in called)


def text_of(parts: Iterable[Json], *, thought: bool) -> str:
    """Return the text of the answer, or of what was thought."""
    return "".join(string_or_empty(part.get("text")) for part in parts if (part.get("thought") is True) is thought)


def kept_turn(parts: list[Json]) -> list[Json] | None:
    """Return the parts as the vendor wants them back, None when there is nothing opaque in them."""
    return parts if any("thoughtSignature" in part for part in parts) else None


def read_usage(value: Any) -> Usage | None:
    """Cached tokens lie inside the prompt's; thoughts lie beside the candidates'. Zero counts are left out by Gemini.

    An output that is not mentioned while the total is, is what the total leaves over.
    """
    data = object_or_empty(value)
    if not data:
        return None
    prompt = count(data.get("promptTokenCount"))
    thoughts = count(data.get("thoughtsTokenCount"))
    candidates = count(data.get("candidatesTokenCount"))
    tool_prompt = count(data.get("toolUsePromptTokenCount"))
    total = count(data.get("totalTokenCount"))
    inputs = added(prompt, tool_prompt) if prompt is not None else None
    if candidates is None and total is not None and inputs is not None:
        candidates = max(0, total - inputs - (thoughts or 0))
    return Usage.from_totals(
        inputs,
        added(candidates, thoughts) if candidates is not None else None,
        cache_read=count(data.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )
