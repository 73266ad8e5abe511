"""What a Gemini reply and an event of its stream have in common. Source: wire/gemini-generate-content.md 3."""

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
"""The model failed, and may do better when it is asked again."""
PERMANENT_FAILURES = frozenset({"UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"})
"""The same request would fail in the same way."""


def raise_for_failure(reply: WireReply, reason: str, answer: Answer) -> None:
    """Raise where the model failed and nothing came of it; an answer with text or calls is kept.

    Raises:
        MalformedResponseError: it may do better when it is asked again.
        ProviderError: it would fail in the same way.
    """
    if answer.content or answer.tool_calls:
        return
    if reason in RETRYABLE_FAILURES:
        error: ProviderError = failed_answer_error(reply, reason, MalformedResponseError)  # its policy retries it once
        error.advice = "Ask again, or give the model fewer or simpler tools."
        raise error
    if reason in PERMANENT_FAILURES:
        error = failed_answer_error(reply, reason)
        error.retryable = False
        raise error


def read_block_reason(data: Json) -> str:
    """Return why the prompt was blocked: then there are no candidates; "" where it was not."""
    if data.get("candidates"):
        return ""
    reason = object_or_empty(data.get("promptFeedback")).get("blockReason")
    return (string_or_empty(reason) or "OTHER") if reason else ""


def is_thought(part: Json) -> bool:
    """Return whether the part's text is what the model thinks; a signature alone does not make it so."""
    return part.get("thought") is True


def read_function_call(part: Json) -> tuple[str, str, str] | None:
    """Return id, name and arguments' text of the call that the part is, None when it is none. Its id may be missing."""
    call = object_or_empty(part.get("functionCall"))
    return (string_or_empty(call.get("id")), string_or_empty(call.get("name")), _arguments(call)) if call else None


def _arguments(call: Json) -> str:
    arguments = call.get("args")
    if isinstance(arguments, str):
        return arguments  # no object: `tool_call` says so
    return "{}" if arguments is None else write_json(arguments).decode()


def replay_parts(parts: list[Json]) -> list[Json] | None:
    """Return the parts as Gemini wants them back, None where text and calls say everything."""
    return parts if any(map(_is_opaque, parts)) else None


def _is_opaque(part: Json) -> bool:
    """Return whether the part says more than the answer's text and calls do, so that the turn goes back as it is."""
    if "thoughtSignature" in part or is_thought(part):
        return True
    return "text" not in part and "functionCall" not in part


def read_usage(value: Any) -> Usage | None:
    """Cached tokens lie inside the prompt's; thoughts lie beside the candidates'. Zero counts are left out by Gemini.

    An output that is not mentioned while the total is, is what the total leaves over.
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
