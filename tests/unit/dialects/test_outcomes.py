"""Stop reasons and tool calls of an answer, by the rules of wire/README.md that all dialects share."""

import pytest

from faultmaven.domain.responses import StopReason
from faultmaven.infrastructure.llm.dialects.shared.outcomes import map_stop_reason, parse_function_calls

TABLE = {"end": StopReason.STOP, "cut": StopReason.MAX_TOKENS, "filter": StopReason.CONTENT_FILTER}


@pytest.mark.parametrize(
    ("raw", "has_calls", "refused", "expected"),
    [
        ("end", False, False, StopReason.STOP),
        ("end", True, False, StopReason.TOOL_CALLS),
        ("end", False, True, StopReason.CONTENT_FILTER),
        ("end", True, True, StopReason.CONTENT_FILTER),
        ("cut", True, False, StopReason.MAX_TOKENS),
        ("cut", False, True, StopReason.MAX_TOKENS),
        ("filter", True, False, StopReason.CONTENT_FILTER),
        ("new", False, False, StopReason.UNKNOWN),
        ("new", True, False, StopReason.TOOL_CALLS),
        (None, False, False, StopReason.UNKNOWN),
        (7, False, False, StopReason.UNKNOWN),
    ],
)
def test_content_decides_stop_reason_unless_cut(
    raw: object, has_calls: bool, refused: bool, expected: StopReason
) -> None:
    """Calls and refusals override the vendor's reason, except where the answer was cut."""
    assert map_stop_reason(raw, TABLE, has_calls=has_calls, is_refused=refused) is expected


def test_function_calls_skip_malformed_entries() -> None:
    """Function and custom calls in OpenAI's form are parsed."""
    calls = parse_function_calls(
        [
            {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": '{"x":1}'}},
            {"id": "call_2", "type": "custom", "custom": {"name": "b", "input": "free text"}},
            {"id": "call_3"},
            "no call",
        ]
    )
    assert [(call.id, call.name, dict(call.arguments), call.raw_arguments) for call in calls] == [
        ("call_1", "a", {"x": 1}, '{"x":1}'),
        ("call_2", "b", {}, "free text"),
    ]
