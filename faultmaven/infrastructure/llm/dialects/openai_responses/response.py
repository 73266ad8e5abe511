"""Response objects of OpenAI Responses, streamed or not. Source: openai-responses.md, section 3, 2026-11-23."""

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
# Failures that a retry may resolve (wire reference, README.md, retry). All other failures are caused by the request.
TRANSIENT_CODES = frozenset({"server_error", "rate_limit_exceeded", "slow_down", "server_is_overloaded"})
CALL_TYPES = ("function_call", "custom_tool_call")
TEXT_KEY_OF_PART = {"output_text": "text", "refusal": "refusal"}
REASONING_SEPARATOR = "\n\n"
INCOMPLETE_REASONS = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def read_answer(reply: WireReply, data: Json, items: list[Json], *, raw: Any = None) -> Answer:
    """Return the answer of a response object with these output items.

    Raises:
        LLMError: the response failed.
    """
    parts = [part for item in items if item.get("type") == "message" for part in objects_in(item.get("content"))]
    calls = tuple(
        parse_tool_call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        for item in items
        if item.get("type") in CALL_TYPES
    )
    return Answer(
        content="".join(string_or_empty(part.get(TEXT_KEY_OF_PART.get(str(part.get("type")), ""))) for part in parts),
        stop_reason=read_stop_reason(reply, data, has_calls=bool(calls), is_refused=has_refusal(items)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=raw,
        reasoning=REASONING_SEPARATOR.join(text for item in items for text in _read_reasoning_texts(item)),
        turn=replay_items(items),
    )


def has_refusal(items: list[Json]) -> bool:
    """Return whether an item holds a refusal of the model."""
    parts = [part for item in items if item.get("type") == "message" for part in objects_in(item.get("content"))]
    return any(part.get("type") == "refusal" and part.get("refusal") for part in parts)


def replay_items(items: list[Json]) -> list[Json] | None:
    """Return the items for replay; None where text and calls are enough, or where the vendor would refuse the items.

    The vendor stores nothing, so that a reasoning item without its content would refer to a missing item. The vendor
    refuses a reasoning item at the end (section 5, trap 3).
    """
    reasoning_items = [item for item in items if item.get("type") == "reasoning"]
    if not reasoning_items or items[-1].get("type") == "reasoning":
        return None
    if not all(item.get("encrypted_content") or item.get("content") for item in reasoning_items):
        return None
    has_unique_ids = have_unique_ids(item.get("call_id") for item in items if item.get("type") in CALL_TYPES)
    return items if has_unique_ids else None


def _read_reasoning_texts(item: Json) -> list[str]:
    if item.get("type") != "reasoning":
        return []
    parts = [*objects_in(item.get("summary")), *objects_in(item.get("content"))]
    return [text for part in parts if (text := string_or_empty(part.get("text")))]


def read_stop_reason(reply: WireReply, data: Json, *, has_calls: bool, is_refused: bool) -> StopReason:
    """Return the stop reason of a response (section 3, table).

    Raises:
        LLMError: the response failed.
    """
    status = data.get("status")
    if status == "failed":
        return _read_failure(reply, data)
    if status == "incomplete":
        reason = object_or_empty(data.get("incomplete_details")).get("reason")
        return INCOMPLETE_REASONS.get(string_or_empty(reason), StopReason.UNKNOWN)
    if status != "completed":
        return StopReason.UNKNOWN
    if has_calls:
        return StopReason.TOOL_CALLS
    return StopReason.CONTENT_FILTER if is_refused else StopReason.STOP


def _read_failure(reply: WireReply, data: Json) -> StopReason:
    """Return the content filter for the two policy codes; raise the error for any other failure inside a 200."""
    if string_or_empty(object_or_empty(data.get("error")).get("code")) in BLOCKED_CODES:
        return StopReason.CONTENT_FILTER
    raise failed_response_error(reply, data.get("error"))


def failed_response_error(reply: WireReply, error: Any) -> LLMError:
    """Return the error for an error object inside a 200."""
    code = string_or_empty(object_or_empty(error).get("code"))
    is_transient = code in TRANSIENT_CODES or not code
    return build_error(reply, parse_error_object({"error": error}), status=500 if is_transient else 400)


def read_usage(value: Any) -> Usage | None:
    """Return the token counts, None where there are none. The totals include the detailed counts."""
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
