"""What answers and streams of OpenAI Responses share. Source: openai-responses.md, section 3, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import StopReason
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import Json, WireReply
from faultmaven.infrastructure.llm.wire.errors import error_from_json, vendor_error
from faultmaven.infrastructure.llm.wire.protocol import Answer
from faultmaven.infrastructure.llm.wire.reading import (
    count,
    joined,
    object_or_empty,
    objects,
    string_or_empty,
    tool_call,
)

BLOCKED_CODES = frozenset({"bio_policy", "misalignment_policy_violation"})
# The failures that the same request may survive; the others lie in the request.
PASSING_CODES = frozenset({"server_error", "rate_limit_exceeded"})
INCOMPLETE_REASONS = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def read_answer(reply: WireReply, data: Json, items: list[Json], *, raw: Any = None) -> Answer:
    """Return the answer that a response object with these output items is.

    Raises:
        LLMError: it failed.
    """
    parts = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
    calls = tuple(
        tool_call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        for item in items
        if item.get("type") in ("function_call", "custom_tool_call")
    )
    text = joined((part for part in parts if part.get("type") == "output_text"), "text")
    refusal = joined((part for part in parts if part.get("type") == "refusal"), "refusal")
    return Answer(
        content=text or refusal,
        stop_reason=_stop_reason(reply, data, has_calls=bool(calls), refused=bool(refusal)),
        usage=_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=raw,
        reasoning="\n\n".join(filter(None, (_thought(item) for item in items))),
        turn=items if any(item.get("type") == "reasoning" for item in items) else None,
    )


def _thought(item: Json) -> str:
    if item.get("type") != "reasoning":
        return ""
    return joined(objects(item.get("summary")), "text") or joined(objects(item.get("content")), "text")


def _stop_reason(reply: WireReply, data: Json, *, has_calls: bool, refused: bool) -> StopReason:
    status = data.get("status")
    if status == "failed":
        return _failed(reply, data)
    if status == "incomplete":
        reason = object_or_empty(data.get("incomplete_details")).get("reason")
        return INCOMPLETE_REASONS.get(string_or_empty(reason), StopReason.UNKNOWN)
    if status != "completed":
        return StopReason.UNKNOWN
    if has_calls:
        return StopReason.TOOL_CALLS
    return StopReason.CONTENT_FILTER if refused else StopReason.STOP


def _failed(reply: WireReply, data: Json) -> StopReason:
    """A failure inside a 200: two policy codes are a filter, everything else is raised as what it is."""
    code = string_or_empty(object_or_empty(data.get("error")).get("code"))
    if code in BLOCKED_CODES:
        return StopReason.CONTENT_FILTER
    status = 500 if code in PASSING_CODES or not code else 400
    raise vendor_error(reply, error_from_json({"error": data.get("error")}), status=status)


def _usage(value: Any) -> Usage | None:
    data = object_or_empty(value)
    if not data:
        return None
    details = object_or_empty(data.get("input_tokens_details"))
    return Usage.from_totals(
        count(data.get("input_tokens")),
        count(data.get("output_tokens")),
        cache_read=count(details.get("cached_tokens")),
        cache_write=count(details.get("cache_write_tokens")),
        reasoning=count(object_or_empty(data.get("output_tokens_details")).get("reasoning_tokens")),
    )
