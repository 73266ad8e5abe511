"""Streams of Anthropic Messages: literal bytes of the vendor's document, cut at any position."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError, MalformedResponseError, ProviderUnavailableError, StreamInterruptedError
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.anthropic.dialect import stream_parser
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

from .samples import reply_of

# anthropic-messages.md section 4
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"claude-sonnet-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}\n\n'
)
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
THINKING = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"thinking","thinking":"","signature":""}}\n\n'
    + PING
    + b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"thinking_delta","thinking":"Simple."}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"signature_delta","signature":"EqQB..."}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
)
TEXT = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":'
    b'{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":'
    b'{"type":"text_delta","text":"Checking."}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
)
CALL = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":2,"content_block":'
    b'{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":'
    b'{"type":"input_json_delta","partial_json":"{\\"city\\":"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":'
    b'{"type":"input_json_delta","partial_json":"\\"Oslo\\"}"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":2}\n\n'
)
DELTA = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    b'"usage":{"output_tokens":58}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
STREAM = START + THINKING + TEXT + CALL + DELTA + STOP
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
CONTENT = [
    {"type": "thinking", "thinking": "Simple.", "signature": "EqQB..."},
    {"type": "text", "text": "Checking."},
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
]


def new_parser() -> StreamParser:
    return stream_parser(reply_of("anthropic-messages", b""))


def event(kind: str, **fields: Any) -> bytes:
    """Return an event in the documented form, with the name in the data too."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def block_start(index: Any, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def block_delta(index: Any, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def tool_block(index: Any, call_id: str, name: str, *pieces: str, **start: Any) -> bytes:
    opening = block_start(index, type="tool_use", id=call_id, name=name, **{"input": {}, **start})
    deltas = (block_delta(index, type="input_json_delta", partial_json=text) for text in pieces)
    return opening + b"".join(deltas) + event("content_block_stop", index=index)


def read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    stream = new_parser()
    chunks = [chunk for block in blocks for chunk in stream.feed(block)]
    return chunks, stream.close()


def answer(*middle: bytes) -> Answer:
    return read(START + b"".join(middle) + DELTA + STOP)[1]


def join_chunks(chunks: list[StreamChunk]) -> tuple[Any, ...]:
    calls: dict[int, tuple[str, str, str]] = {}
    for chunk in chunks:
        if delta := chunk.tool_call:
            before = calls.get(delta.index, ("", "", ""))
            calls[delta.index] = (before[0] + delta.id, before[1] + delta.name, before[2] + delta.arguments)
    text = "".join(chunk.text or "" for chunk in chunks)
    return text, "".join(chunk.reasoning or "" for chunk in chunks), calls, [c.usage for c in chunks if c.usage]


def test_documented_stream_is_rebuilt_completely() -> None:
    """Section 4: text, thinking, calls, usage, and the content as in an answer without streaming."""
    chunks, complete = read(STREAM)
    assert (complete.content, complete.reasoning) == ("Checking.", "Simple.")
    assert [(c.id, c.name, c.arguments) for c in complete.tool_calls] == [("toolu_1", "get_weather", {"city": "Oslo"})]
    assert complete.stop_reason is StopReason.TOOL_CALLS
    assert complete.model == "claude-sonnet-5-5"
    assert complete.usage == Usage(input=12, cache_read=0, cache_write=0, output=58)
    assert complete.turn == CONTENT
    calls = {0: ("toolu_1", "get_weather", '{"city":"Oslo"}')}
    assert join_chunks(chunks)[:3] == ("Checking.", "Simple.", calls)


OPAQUE_STREAM = (
    (
        START
        + THINKING
        + block_start(1, type="redacted_thinking", data="Zm9v")
        + event("content_block_stop", index=1)
        + block_start(2, type="text", text="")
        + block_delta(2, type="text_delta", text="Grüße \u2028 \U0001f600")
        + block_delta(2, type="citations_delta", citation={"type": "char_location", "cited_text": "x"})
        + event("content_block_stop", index=2)
        + block_start(3, type="server_tool_use", id="srvtoolu_1", name="web_search", input={})
        + block_delta(3, type="input_json_delta", partial_json='{"query"')
        + block_delta(3, type="input_json_delta", partial_json=':"x"}')
        + event("content_block_stop", index=3)
        + block_start(4, type="novelty", payload=[1, {"a": "b"}])
        + event("content_block_stop", index=4)
        + event("novelty_event", x=1)
        + tool_block(5, "toolu_1", "ping", "")
        + DELTA
        + STOP
    )
    .replace(b"\\u00fc", "ü".encode())
    .replace(b"\\u2028", "\u2028".encode())
)


def test_opaque_blocks_are_rebuilt_exactly() -> None:
    """Section 4: redacted thinking, citations, server tools and unknown blocks are kept unchanged."""
    assert read(OPAQUE_STREAM)[1].turn == [
        CONTENT[0],
        {"type": "redacted_thinking", "data": "Zm9v"},
        {
            "type": "text",
            "text": "Grüße \u2028 \U0001f600",
            "citations": [{"type": "char_location", "cited_text": "x"}],
        },
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "novelty", "payload": [1, {"a": "b"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "ping", "input": {}},
    ]


@given(data=st.data(), stream=st.sampled_from([STREAM, OPAQUE_STREAM, STREAM.replace(b"\n", b"\r\n")]))
def test_stream_does_not_depend_on_cuts(data: st.DataObject, stream: bytes) -> None:
    """Cuts inside a character and between CR and LF are included."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    blocks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    chunks, complete = read(*blocks)
    expected_chunks, expected = read(stream)
    assert complete == expected
    assert join_chunks(chunks) == join_chunks(expected_chunks)


@given(end=st.integers(0, len(STREAM) - len(STOP)))
def test_eof_without_message_stop_raises_error(end: int) -> None:
    """Section 4: EOF before `message_stop` is a truncation, even after the stop reason. A cut event is malformed."""
    stream = new_parser()
    stream.feed(STREAM[:end])
    assert not stream.has_ended
    assert not stream.may_end
    with pytest.raises((StreamInterruptedError, MalformedResponseError)):
        stream.close()


def test_done_marker_does_not_end_stream() -> None:
    """`[DONE]`, which a proxy may add, is not documented for this dialect."""
    stream = new_parser()
    stream.feed(START + TEXT + DELTA + b"data: [DONE]\n\n")
    assert not stream.may_end
    with pytest.raises(StreamInterruptedError):
        stream.close()
    assert stream.partial().content == "Checking."
    assert stream.partial().stop_reason is StopReason.UNKNOWN


def test_events_after_message_stop_are_ignored() -> None:
    """A late error is ignored too."""
    assert read(STREAM + ERROR + TEXT)[1].content == "Checking."


@pytest.mark.parametrize("before", [b"", START, START + TEXT, START + TEXT + DELTA])
def test_error_event_raises_vendor_error(before: bytes) -> None:
    """Section 4: treated as status 529."""

    def feed_all() -> None:
        parser = new_parser()
        parser.feed(before + ERROR)
        parser.feed(b"")  # chunks before the error in the same block come first

    with pytest.raises(ProviderUnavailableError) as caught:
        feed_all()
    assert caught.value.code == "overloaded_error"
    assert "Overloaded" not in str(caught.value)


def test_error_event_without_object_raises_error() -> None:
    """Without details the answer is still incomplete."""
    with pytest.raises(LLMError):
        new_parser().feed(START + event("error", error=None))


@pytest.mark.parametrize(
    "bad",
    [
        b"event: content_block_delta\ndata: {\n\n",
        event("content_block_delta", index=0),
        event("content_block_start", index=0, content_block="text"),
        block_start(0, type="text", text="") + block_delta(0, type="text_delta", text=7),
    ],
)
def test_event_of_wrong_shape_is_malformed(bad: bytes) -> None:
    """Skipping such an event would lose a piece of the answer."""
    with pytest.raises(MalformedResponseError):
        new_parser().feed(START + bad)


def test_usage_counts_are_cumulative_without_nulls() -> None:
    """Section 4: overwrite `output_tokens`, keep message_start's values when absent or null."""
    start = START.replace(b'"cache_read_input_tokens":0', b'"cache_read_input_tokens":100')
    later = {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 20}
    last = {"output_tokens": 58, "output_tokens_details": {"thinking_tokens": 50}}
    end = event("message_delta", delta={"stop_reason": "end_turn"}, usage=last)
    chunks, complete = read(start + event("message_delta", delta={}, usage=later) + end + STOP)
    assert complete.usage == Usage(input=12, cache_read=100, cache_write=0, output=8, reasoning=50)
    assert [chunk.usage.output for chunk in chunks if chunk.usage] == [20, 8]
    assert complete.stop_reason is StopReason.STOP


@pytest.mark.parametrize("indexes", [(0, 1), (1, 2), (0, 0), (7, 3), (None, None), ("a", "b"), (-1, -1)])
def test_tool_calls_survive_any_index(indexes: tuple[Any, Any]) -> None:
    """The same index twice, no index, and indexes from 1."""
    first, second = indexes
    parsed = answer(tool_block(first, "t1", "a", '{"x"', ":1}"), tool_block(second, "t2", "b", "", '{"y":2}'))
    assert [(call.id, call.name, call.arguments) for call in parsed.tool_calls] == [
        ("t1", "a", {"x": 1}),
        ("t2", "b", {"y": 2}),
    ]


def test_message_start_gives_no_chunk() -> None:
    """The first usage counts make no chunk, and are available when the stream breaks."""
    stream = new_parser()
    assert stream.feed(START + PING) == []
    assert stream.partial().usage == Usage(input=12, cache_read=0, cache_write=0, output=1)


def test_interleaved_tool_calls_stay_separate() -> None:
    """Each piece belongs to the block with the same index."""
    openings = block_start(0, type="tool_use", id="t1", name="a") + block_start(1, type="tool_use", id="t2", name="b")
    pieces = [(0, '{"x"'), (1, '{"y"'), (0, ":1}"), (1, ":2}")]
    parsed = answer(openings, *(block_delta(at, type="input_json_delta", partial_json=text) for at, text in pieces))
    assert [call.arguments for call in parsed.tool_calls] == [{"x": 1}, {"y": 2}]


def test_call_without_arguments_has_empty_object() -> None:
    """Section 4: partial_json may be only "" or absent."""
    parsed = answer(tool_block(0, "t1", "a", ""), tool_block(1, "t2", "b"))
    assert [(call.arguments, call.problem) for call in parsed.tool_calls] == [({}, ""), ({}, "")]


def test_input_in_block_start_is_kept() -> None:
    """Trap 9: other hosts of this dialect send the input there."""
    parsed = answer(tool_block(0, "t1", "a", input={"x": 1}))
    assert parsed.tool_calls[0].arguments == {"x": 1}


def test_call_without_id_gets_numbered_id() -> None:
    """The number is the position among the calls, as without streaming. The content kept for replay has the same id."""
    parsed = answer(THINKING, tool_block(1, "", "a", "{}"), tool_block(2, "", "b", "{}"))
    assert [call.id for call in parsed.tool_calls] == ["call_0", "call_1"]
    assert isinstance(parsed.turn, list)
    assert [block.get("id") for block in parsed.turn] == [None, "call_0", "call_1"]


def test_broken_arguments_are_reported_as_problem() -> None:
    """Section 3: the last call of a truncated answer may be incomplete."""
    end = event("message_delta", delta={"stop_reason": "max_tokens"})
    _, parsed = read(START + tool_block(0, "t1", "a", '{"x":') + end + STOP)
    assert (parsed.tool_calls[0].raw_arguments, parsed.stop_reason) == ('{"x":', StopReason.MAX_TOKENS)
    assert parsed.tool_calls[0].problem


def test_plain_answer_needs_no_replay() -> None:
    """Text and calls are complete without `turn`."""
    assert answer(TEXT, CALL).turn is None


def test_unknown_delta_kind_drops_replay() -> None:
    """A block that cannot be rebuilt exactly is not sent back: text and calls are sent instead."""
    parsed = answer(THINKING, block_delta(0, type="novelty_delta", x="y"), TEXT)
    assert (parsed.content, parsed.turn) == ("Checking.", None)


def test_refusal_is_a_filtered_answer() -> None:
    """Section 3: HTTP 200, content possibly empty."""
    end = event("message_delta", delta={"stop_reason": "refusal", "stop_details": {"type": "refusal"}})
    _, parsed = read(START + end + STOP)
    assert (parsed.content, parsed.stop_reason) == ("", StopReason.CONTENT_FILTER)


def test_deltas_without_block_start_are_kept() -> None:
    """Other hosts omit content_block_start."""
    parsed = answer(block_delta(0, type="text_delta", text="a"), block_delta(0, type="text_delta", text="b"))
    assert parsed.content == "ab"
