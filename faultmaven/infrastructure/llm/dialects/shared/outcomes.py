"""Stop reasons, tool calls and failures of an answer, for all dialects.

Source: wire reference, README.md, normalised finish reasons.
"""

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
    """Return the stop reason for a vendor's stop reason; unknown, null and missing ones become `unknown`.

    A refusal or a tool call in the answer overrides the vendor's reason, unless that one is a cut or a content filter.
    """
    reason = table.get(string_or_empty(raw), StopReason.UNKNOWN)
    if reason in (StopReason.MAX_TOKENS, StopReason.CONTENT_FILTER):
        return reason
    if is_refused:
        return StopReason.CONTENT_FILTER
    return StopReason.TOOL_CALLS if has_calls else reason


def failed_answer_error(reply: WireReply, code: str, error_class: type[ProviderError] = ProviderError) -> ProviderError:
    """Return the error for an answer that the vendor ended as failed under HTTP 200."""
    facts = error_facts(reply)
    facts["code"] = code
    return error_class("the vendor ended the answer with an error", **facts)


def parse_function_calls(value: Any) -> tuple[ToolCall, ...]:
    """Return the tool calls of a list in OpenAI's shape: functions with arguments, and custom tools with an input."""
    return tuple(
        parse_tool_call(call.get("id"), function.get("name"), function.get("arguments", function.get("input")))
        for call in objects_in(value)
        if (function := object_or_empty(call.get("function")) or object_or_empty(call.get("custom")))
    )


def have_unique_ids(call_ids: Iterable[Any]) -> bool:
    """Return whether all ids are set and unique. Only then can results refer to the calls of a replayed message."""
    ids = [string_or_empty(call_id) for call_id in call_ids]
    return all(ids) and len(set(ids)) == len(ids)


def with_unique_ids(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """Return the calls with unique ids: some vendors send no ids, others the same id for all calls."""
    by_id: dict[str, ToolCall] = {}
    for call in calls:
        call_id = call.id if call.id and call.id not in by_id else unused_id(by_id)
        by_id[call_id] = call if call.id == call_id else replace(call, id=call_id)
    return tuple(by_id.values())


def unused_id(used_ids: Collection[str]) -> str:
    """Return an id for another call that is not in `used_ids`."""
    number = len(used_ids) + 1
    while f"call_{number}" in used_ids:
        number += 1
    return f"call_{number}"
