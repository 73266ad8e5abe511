"""Contents of a Gemini reply or a stream event. Source: wire reference, gemini-generate-content.md 3."""

from typing import Any

from .....domain.errors import MalformedResponseError, ProviderError
from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.outcomes import failed_answer_error
from ..shared.reading import object_or_empty, string_or_empty, sum_of_known, token_count, write_json

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
RETRYABLE_FAILURES = frozenset({"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})
"""Finish reasons of failures that a retry may resolve."""
PERMANENT_FAILURES = frozenset({"UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"})
"""Finish reasons of failures that the same request would cause again."""


def raise_for_failure(reply: WireReply, reason: str, answer: Answer) -> None:
    """Raise an error if the model failed and the answer has neither text nor tool calls.

    Raises:
        MalformedResponseError: a retry may succeed.
        ProviderError: the same request would fail again.
    """
    if answer.content or answer.tool_calls:
        return
    if reason in RETRYABLE_FAILURES:
        # The error policy allows one retry of a MalformedResponseError.
        error: ProviderError = failed_answer_error(reply, reason, MalformedResponseError)
        error.advice = "Send the request again, or pass fewer or simpler tools."
        raise error
    if reason in PERMANENT_FAILURES:
        error = failed_answer_error(reply, reason)
        error.retryable = False
        raise error


def read_block_reason(data: Json) -> str:
    """Return the reason why the prompt was blocked: the reply then has no candidates; "" for other prompts."""
    if data.get("candidates"):
        return ""
    reason = object_or_empty(data.get("promptFeedback")).get("blockReason")
    return (string_or_empty(reason) or "OTHER") if reason else ""


def is_thought(part: Json) -> bool:
    """Return whether the text of the part is reasoning; a signature alone does not decide that."""
    return part.get("thought") is True


def read_function_call(part: Json) -> tuple[str, str, str] | None:
    """Return the id ("" if missing), name and JSON arguments of a tool call, None for a part of another kind."""
    call = object_or_empty(part.get("functionCall"))
    return (string_or_empty(call.get("id")), string_or_empty(call.get("name")), _read_arguments(call)) if call else None


def _read_arguments(call: Json) -> str:
    arguments = call.get("args")
    if isinstance(arguments, str):
        return arguments  # `parse_tool_call` reports that the arguments are no object
    return "{}" if arguments is None else write_json(arguments).decode()


def replay_parts(parts: list[Json]) -> list[Json] | None:
    """Return the parts for replay, None where text and calls are enough."""
    return parts if any(map(_is_opaque, parts)) else None


def _is_opaque(part: Json) -> bool:
    """Return whether the part holds more than the text and calls of the answer, so that a replay needs the part."""
    if "thoughtSignature" in part or is_thought(part):
        return True
    return "text" not in part and "functionCall" not in part


def read_usage(value: Any) -> Usage | None:
    """Return the token counts, None where there are none.

    The prompt's count includes cached tokens; the candidates' count excludes thoughts. Gemini omits zero counts: a
    missing output count is the difference between the total and the other counts.
    """
    data = object_or_empty(value)
    if not data:
        return None
    prompt = token_count(data.get("promptTokenCount"))
    thoughts = token_count(data.get("thoughtsTokenCount"))
    candidates = token_count(data.get("candidatesTokenCount"))
    tool_prompt = token_count(data.get("toolUsePromptTokenCount"))
    total = token_count(data.get("totalTokenCount"))
    inputs = sum_of_known(prompt, tool_prompt) if prompt is not None else None
    if candidates is None and total is not None and inputs is not None:
        candidates = max(0, total - inputs - (thoughts or 0))
    return Usage.from_totals(
        inputs,
        sum_of_known(candidates, thoughts) if candidates is not None else None,
        cache_read=token_count(data.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )
