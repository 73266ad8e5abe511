"""What answers and streams of OpenAI Responses share. Source: openai-responses.md, section 3, 2026-11-23."""

from typing import Any

from .....domain.errors import LLMError
from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.errors import build_error, parse_error_object
from ..shared.outcomes import have_unique_ids
from ..shared.reading import object_or_empty, objects_in, parse_tool_call, string_or_empty, token_count

BLOCKED_CODES = frozenset({"bio_policy", "misalignment_policy_violation"})
# The failures that the same request may survive (wire/README.md, retry); the others lie in the request.
TRANSIENT_CODES = frozenset({"server_error", "rate_limit_exceeded", "slow_down", "server_is_overloaded"})
CALL_TYPES = ("function_call", "custom_tool_call")
TEXT_OF_PART = {"output_text": "text", "refusal": "refusal"}
BETWEEN_THOUGHTS = "\n\n"
INCOMPLETE_REASONS = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def read_answer(reply: WireReply, data: Json, items: list[Json], *, raw: Any = None) -> Answer:
    """Return the answer that a response object with these output items is.

    Raises:
        LLMError: it failed.
    """
    parts = [part for item in items if item.get("type") == "message" for part in objects_in(item.get("content"))]
    calls = tuple(
        parse_tool_call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        for item in items
        if item.get("type") in CALL_TYPES
    )
    return Answer(
        content="".join(string_or_empty(part.get(TEXT_OF_PART.get(str(part.get("type")), ""))) for part in parts),
        stop_reason=read_stop_reason(reply, data, has_calls=bool(calls), is_refused=has_refusal(items)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=raw,
        reasoning=BETWEEN_THOUGHTS.join(text for item in items for text in _thoughts(item)),
        turn=replay_items(items),
    )


def has_refusal(items: list[Json]) -> bool:
    """Return whether the model says in one of the items that it refuses."""
    parts = [part for item in items if item.get("type") == "message" for part in objects_in(item.get("content"))]
    return any(part.get("type") == "refusal" and part.get("refusal") for part in parts)


def replay_items(items: list[Json]) -> list[Json] | None:
    """Return the items where they may go back as they are; None where text and calls say everything, or must do.

    Nothing is stored at the vendor's, so a reasoning item without its content would name something that is not there;
    and one that nothing follows is refused (section 5, trap 3).
    """
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    if not thoughts or items[-1].get("type") == "reasoning":
        return None
    if not all(item.get("encrypted_content") or item.get("content") for item in thoughts):
        return None
    is_linked = have_unique_ids(item.get("call_id") for item in items if item.get("type") in CALL_TYPES)
    return items if is_linked else None


def _thoughts(item: Json) -> list[str]:
    if item.get("type") != "reasoning":
        return []
    parts = [*objects_in(item.get("summary")), *objects_in(item.get("content"))]
    return [text for part in parts if (text := string_or_empty(part.get("text")))]


def read_stop_reason(reply: WireReply, data: Json, *, has_calls: bool, is_refused: bool) -> StopReason:
    """Return how a response ended (the table of section 3).

    Raises:
        LLMError: it failed.
    """
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
    return StopReason.CONTENT_FILTER if is_refused else StopReason.STOP


def _failed(reply: WireReply, data: Json) -> StopReason:
    """A failure inside a 200: two policy codes are a filter, everything else is raised as what it is."""
    if string_or_empty(object_or_empty(data.get("error")).get("code")) in BLOCKED_CODES:
        return StopReason.CONTENT_FILTER
    raise failed_response_error(reply, data.get("error"))


def failed_response_error(reply: WireReply, error: Any) -> LLMError:
    """Return our error for the vendor's error object inside a 200."""
    code = string_or_empty(object_or_empty(error).get("code"))
    is_passing = code in TRANSIENT_CODES or not code
    return build_error(reply, parse_error_object({"error": error}), status=500 if is_passing else 400)


def read_usage(value: Any) -> Usage | None:
    """Return the counts, whose details lie inside the totals; None where there are none."""
    data = object_or_empty(value)
    if not data:
        return None
    details = object_or_empty(data.get("input_tokens_details"))
    return Usage.from_totals(
        token_count(data.get("input_tokens")),
        token_count(data.get("output_tokens")),
        cache_read=token_count(details.get("cached_tokens")),
        cache_write=token_count(details.get("cache_write_tokens")),
        reasoning=token_count(object_or_empty(data.get("output_tokens_details")).get("reasoning_tokens")),
    )
