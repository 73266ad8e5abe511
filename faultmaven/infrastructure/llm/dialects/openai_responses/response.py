"""What answers and streams of OpenAI Responses share. Source: openai-responses.md, section 3, 2026-11-23."""

from typing import Any

from .....domain.errors import LLMError
from .....domain.responses import StopReason
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.errors import error_from_json, vendor_error
from ..shared.outcomes import name_their_results
from ..shared.reading import count, object_or_empty, objects, string_or_empty, tool_call

BLOCKED_CODES = frozenset({"bio_policy", "misalignment_policy_violation"})
# The failures that the same request may survive (wire/README.md, retry); the others lie in the request.
PASSING_CODES = frozenset({"server_error", "rate_limit_exceeded", "slow_down", "server_is_overloaded"})
CALLS = ("function_call", "custom_tool_call")
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
    parts = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
    calls = tuple(
        tool_call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        for item in items
        if item.get("type") in CALLS
    )
    return Answer(
        content="".join(string_or_empty(part.get(TEXT_OF_PART.get(str(part.get("type")), ""))) for part in parts),
        stop_reason=stop_reason(reply, data, has_calls=bool(calls), refused=has_refusal(items)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=raw,
        reasoning=BETWEEN_THOUGHTS.join(text for item in items for text in _thoughts(item)),
        turn=kept_turn(items),
    )


def has_refusal(items: list[Json]) -> bool:
    """Return whether the model says in one of the items that it refuses."""
    parts = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
    return any(part.get("type") == "refusal" and part.get("refusal") for part in parts)


def kept_turn(items: list[Json]) -> list[Json] | None:
    """Return the items where they may go back as they are; None where text and calls say everything, or must do.

    Nothing is stored at the vendor's, so a reasoning item without its content would name something that is not there;
    and one that nothing follows is refused (section 5, trap 3).
    """
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    if not thoughts or items[-1].get("type") == "reasoning":
        return None
    if not all(item.get("encrypted_content") or item.get("content") for item in thoughts):
        return None
    is_linked = name_their_results(item.get("call_id") for item in items if item.get("type") in CALLS)
    return items if is_linked else None


def _thoughts(item: Json) -> list[str]:
    if item.get("type") != "reasoning":
        return []
    parts = [*objects(item.get("summary")), *objects(item.get("content"))]
    return [text for part in parts if (text := string_or_empty(part.get("text")))]


def stop_reason(reply: WireReply, data: Json, *, has_calls: bool, refused: bool) -> StopReason:
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
    return StopReason.CONTENT_FILTER if refused else StopReason.STOP


def _failed(reply: WireReply, data: Json) -> StopReason:
    """A failure inside a 200: two policy codes are a filter, everything else is raised as what it is."""
    if string_or_empty(object_or_empty(data.get("error")).get("code")) in BLOCKED_CODES:
        return StopReason.CONTENT_FILTER
    raise failure(reply, data.get("error"))


def failure(reply: WireReply, error: Any) -> LLMError:
    """Return our error for the vendor's error object inside a 200."""
    code = string_or_empty(object_or_empty(error).get("code"))
    is_passing = code in PASSING_CODES or not code
    return vendor_error(reply, error_from_json({"error": error}), status=500 if is_passing else 400)


def read_usage(value: Any) -> Usage | None:
    """Return the counts, whose details lie inside the totals; None where there are none."""
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
