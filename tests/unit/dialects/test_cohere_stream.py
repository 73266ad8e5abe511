"""Streams of Cohere v2 Chat: literal bytes of the vendor's document, cut at any position."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError, ProviderError, ProviderUnavailableError, StreamInterruptedError
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.cohere.dialect import parse_response, stream_parser
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

from .samples import json_body, reply_of
from .stream_reading import call_parts_of, failure_of, join_chunks, read_stream, split_at

DIALECT = "cohere-v2-chat"
# cohere-v2-chat.md section 4, events copied verbatim
START = (
    b"event: message-start\n"
    b'data: {"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"",'
    b'"tool_calls":[],"citations":[]}}}\n\n'
)
TEXT = (
    b"event: content-start\n"
    b'data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}\n\n'
    b"event: content-delta\n"
    b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}\n\n'
    b"event: content-end\n"
    b'data: {"type":"content-end","index":0}\n\n'
)
PLAN = b'event: tool-plan-delta\ndata: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}\n\n'
CALL = (
    b"event: tool-call-start\n"
    b'data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"get_weather_ab12",'
    b'"type":"function","function":{"name":"get_weather","arguments":""}}}}}\n\n'
    b"event: tool-call-delta\n"
    b'data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":'
    b'"{\\"city\\":\\"Oslo\\"}"}}}}}\n\n'
    b"event: tool-call-end\n"
    b'data: {"type":"tool-call-end","index":0}\n\n'
)
END = (
    b"event: message-end\n"
    b'data: {"type":"message-end","id":"c1","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":'
    b'{"input_tokens":5,"output_tokens":20},"tokens":{"input_tokens":71,"output_tokens":22}}}}\n\n'
)
STREAM = START + TEXT + PLAN + CALL + END
TOOL_CALL = {
    "id": "get_weather_ab12",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
}


def new_parser() -> StreamParser:
    return stream_parser(reply_of(DIALECT, b""))


def event(kind: str, **fields: Any) -> bytes:
    """Return an event in the documented form."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def content_event(step: str, index: Any, **block: Any) -> bytes:
    return event(f"content-{step}", index=index, delta={"message": {"content": block}})


def call_event(step: str, index: Any, call_id: str, name: str, arguments: str) -> bytes:
    tool_calls: dict[str, Any] = {"function": {"arguments": arguments}}
    if step == "start":
        tool_calls = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return event(f"tool-call-{step}", index=index, delta={"message": {"tool_calls": tool_calls}})


def message_end(reason: Any = "COMPLETE", **fields: Any) -> bytes:
    return event("message-end", delta={"finish_reason": reason, **fields})


THINKING = (
    START
    + content_event("start", 0, type="thinking", thinking="")
    + content_event("delta", 0, thinking="S\u00efmple \u2028")
    + content_event("delta", 0, thinking="enough.")
    + event("content-end", index=0)
    + content_event("start", 1, type="text", text="")
    + content_event("delta", 1, text="Hi ")
    + content_event("delta", 1, text="there")
    + event("content-end", index=1)
    + message_end()
)


def read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    return read_stream(new_parser(), blocks)


def failure(*blocks: bytes) -> LLMError:
    return failure_of(new_parser(), blocks)


def test_documented_stream_gives_complete_answer() -> None:
    """Section 4, word for word; of two token counts, `tokens` are the real ones (section 7, trap 7)."""
    chunks, answer = read(STREAM)
    assert (answer.content, answer.stop_reason) == ("Hi", StopReason.TOOL_CALLS)
    assert answer.usage == Usage(input=71, output=22)
    assert call_parts_of(answer) == join_chunks(chunks)[2] == [("get_weather_ab12", "get_weather", '{"city":"Oslo"}')]
    assert answer.turn == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Hi"}],
        "tool_plan": "I will",
        "tool_calls": [TOOL_CALL],
    }


@given(cuts=st.lists(st.integers(0, 10**6), max_size=12))
def test_stream_does_not_depend_on_cuts(cuts: list[int]) -> None:
    """Text, calls, plan and thinking are compared."""
    for data in (STREAM, THINKING):
        complete_chunks, complete = read(data)
        chunks, answer = read(*split_at(data, cuts))
        assert answer == complete
        assert join_chunks(chunks) == join_chunks(complete_chunks)


def test_thinking_is_separate_and_kept_for_replay() -> None:
    """Section 4: content-start of the type thinking, deltas of `content.thinking`."""
    chunks, answer = read(THINKING)
    thinking = "S\u00efmple \u2028enough."
    assert join_chunks(chunks) == ("Hi there", thinking, [])
    assert (answer.content, answer.reasoning, answer.stop_reason) == ("Hi there", thinking, StopReason.STOP)
    assert answer.turn == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": thinking}, {"type": "text", "text": "Hi there"}],
    }


def test_stream_and_plain_reply_keep_same_turn() -> None:
    """Two thinking blocks with text between them, and a block of an unknown type."""
    blocks = [
        {"type": "thinking", "thinking": "One."},
        {"type": "text", "text": "Hel"},
        {"type": "thinking", "thinking": "Two."},
        {"type": "tomorrow", "what": "new"},
        {"type": "text", "text": "lo"},
    ]
    message = {"role": "assistant", "content": blocks, "tool_plan": "Ask.", "tool_calls": [TOOL_CALL]}
    complete = parse_response(reply_of(DIALECT, json_body({"finish_reason": "TOOL_CALL", "message": message})))
    deltas = []
    for index, block in enumerate(blocks):
        ((name, text),) = ((name, text) for name, text in block.items() if name != "type")
        deltas += [content_event("start", index, **{**block, name: ""}), content_event("delta", index, **{name: text})]
    plan = event("tool-plan-delta", delta={"message": {"tool_plan": "Ask."}})
    _, answer = read(START, *deltas, plan, CALL, message_end("TOOL_CALL"))
    assert answer.turn == complete.turn == message
    for name in ("content", "reasoning", "stop_reason", "tool_calls"):
        assert getattr(answer, name) == getattr(complete, name), name


def test_deltas_without_content_start_are_kept() -> None:
    """A content-delta may come without a content-start."""
    _, answer = read(content_event("delta", 3, thinking="Hm"), content_event("delta", 4, text="Hi"), message_end())
    assert (answer.content, answer.reasoning) == ("Hi", "Hm")
    assert answer.turn == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
    }


@pytest.mark.parametrize("indexes", [(0, 1), (1, 2), (0, 0), (None, None), ("a", "b")])
def test_two_tool_calls_survive_any_index(indexes: tuple[Any, Any]) -> None:
    """The same index twice, or no index."""
    first, second = indexes
    chunks, answer = read(
        call_event("start", first, "a_1", "a", ""),
        call_event("delta", first, "", "", '{"a":1}'),
        call_event("start", second, "b_2", "b", ""),
        call_event("delta", second, "", "", '{"b":'),
        call_event("delta", second, "", "", "2}"),
        message_end("TOOL_CALL"),
    )
    assert call_parts_of(answer) == join_chunks(chunks)[2] == [("a_1", "a", '{"a":1}'), ("b_2", "b", '{"b":2}')]


def test_tool_calls_in_list_are_parsed() -> None:
    """Section 7, trap 6: an object in events, a list in the plain reply."""
    listed = event("tool-call-start", index=0, delta={"message": {"tool_calls": [TOOL_CALL]}})
    _, answer = read(listed, message_end("TOOL_CALL"))
    assert call_parts_of(answer) == [("get_weather_ab12", "get_weather", '{"city":"Oslo"}')]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("COMPLETE", StopReason.STOP),
        ("STOP_SEQUENCE", StopReason.STOP),
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("ERROR_TOXIC", StopReason.CONTENT_FILTER),
        ("ERROR_LIMIT", StopReason.UNKNOWN),
        (None, StopReason.UNKNOWN),
    ],
)
def test_finish_reason_follows_documented_table(reason: Any, expected: StopReason) -> None:
    """Section 3."""
    assert read(START, TEXT, message_end(reason))[1].stop_reason is expected


@pytest.mark.parametrize(
    ("fields", "expected", "code"),
    [
        ({"reason": "ERROR", "error": "secret prose"}, ProviderError, "ERROR"),
        ({"reason": "TIMEOUT"}, ProviderUnavailableError, "TIMEOUT"),
        ({"reason": "COMPLETE", "error": "secret prose"}, ProviderError, "COMPLETE"),
    ],
)
def test_message_end_with_error_raises_error(fields: dict[str, Any], expected: type[LLMError], code: str) -> None:
    """Section 4: `message-end` with ERROR and `delta.error`; section 3: TIMEOUT too."""
    error = failure(START, TEXT, message_end(**fields))
    assert (type(error), error.code, error.retryable) == (expected, code, True)
    assert "secret" not in str(error)


def test_flat_error_body_in_stream_raises_error() -> None:
    """Section 5: an object with the key `message` only."""
    error = failure(START, b'data: {"message":"internal server error"}\n\n')
    assert isinstance(error, ProviderUnavailableError)


@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n"])
def test_stream_without_message_end_is_interrupted(after: bytes) -> None:
    """Section 4: EOF before message-end = truncated; the partial answer keeps no plan."""
    parser = new_parser()
    parser.feed(START + TEXT + PLAN + after)
    parser.flush()
    assert not parser.may_end
    with pytest.raises(StreamInterruptedError):
        parser.close()
    partial = parser.partial()
    assert (partial.content, partial.stop_reason, partial.turn) == ("Hi", StopReason.UNKNOWN, None)


def test_events_after_message_end_are_ignored() -> None:
    """For example `[DONE]`, at which the SDK stops too."""
    assert read(STREAM, b"data: [DONE]\n\n", TEXT)[1] == read(STREAM)[1]


def test_unknown_events_and_values_are_ignored() -> None:
    """Citations, debug events and future events."""
    odd = [
        event("citation-start", index=0, delta={"message": {"citations": {"start": 0, "end": 2, "text": "Hi"}}}),
        event("debug", prompt="..."),
        event("content-delta", index=[], delta=None),
        event("tool-call-delta", index=0, delta={"message": {"tool_calls": 7}}),
        b"data: {}\n\n",
    ]
    answer = read(*odd[:2], STREAM, *odd)[1]
    assert answer == read(STREAM)[1]
    assert read(*odd, THINKING)[1].content == "Hi there"
