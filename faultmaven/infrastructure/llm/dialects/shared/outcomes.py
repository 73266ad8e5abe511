"""How an answer ended, by the rules that hold for every dialect (wire/README.md, normalised finish reasons)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .....domain.errors import ProviderError
from .....domain.responses import StopReason
from .....domain.tool_calls import ToolCall
from ....http.types import WireReply
from .reading import error_facts, object_or_empty, objects_in, parse_tool_call, string_or_empty


def map_stop_reason(
    raw: Any, table: Mapping[str, StopReason], *, has_calls: bool = False, is_refused: bool = False
) -> StopReason:
    """Return the stop reason that a vendor's own one means; unknown, null and missing ones are `unknown`.

    Refusals and tool calls that are there decide over what the vendor says, unless it says that the answer was cut.
    """
    reason = table.get(string_or_empty(raw), StopReason.UNKNOWN)
    if reason in (StopReason.MAX_TOKENS, StopReason.CONTENT_FILTER):
        return reason
    if is_refused:
        return StopReason.CONTENT_FILTER
    return StopReason.TOOL_CALLS if has_calls else reason


def failed_answer_error(reply: WireReply, code: str, kind: type[ProviderError] = ProviderError) -> ProviderError:
    """Return the error for an answer that the vendor ended with a failure under HTTP 200."""
    facts = error_facts(reply)
    facts["code"] = code
    return kind("the vendor ended the answer with an error", **facts)


def parse_function_calls(value: Any) -> tuple[ToolCall, ...]:
    """Read a list of tool calls in OpenAI's shape: a function with its arguments, or a custom tool with its input."""
    return tuple(
        parse_tool_call(call.get("id"), function.get("name"), function.get("arguments", function.get("input")))
        for call in objects_in(value)
        if (function := object_or_empty(call.get("function")) or object_or_empty(call.get("custom")))
    )


def have_unique_ids(call_ids: Iterable[Any]) -> bool:
    """Return whether every call has an id, and none twice: only then do results find their calls in a kept turn."""
    ids = [string_or_empty(call_id) for call_id in call_ids]
    return all(ids) and len(set(ids)) == len(ids)


def with_unique_ids(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """Return the calls with an id each, and none twice: some vendors give none, and some the same to all."""
    told: dict[str, ToolCall] = {}
    for call in calls:
        told_id = call.id if call.id and call.id not in told else unused_id(told)
        told[told_id] = call if call.id == told_id else replace(call, id=told_id)
    return tuple(told.values())


def unused_id(taken: Collection[str]) -> str:
    """Return an id for one more call."""
    number = len(taken) + 1
    while f"call_{number}" in taken:
        number += 1
    return f"call_{number}"
