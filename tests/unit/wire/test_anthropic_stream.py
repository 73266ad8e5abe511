"""Streams of Anthropic Messages: literal bytes of the wire document, cut anywhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.chat import StopReason, StreamChunk
from faultmaven.domain.errors import LLMError, MalformedResponseError, ProviderUnavailableError, StreamInterruptedError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.wire.anthropic_messages import stream_parser
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser

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


def parser() -> StreamParser:
    return stream_parser(reply_of("anthropic-messages", b""))


def event(kind: str, **fields: Any) -> bytes:
    """An event in the document's form; the name stands in the data too."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def begun(index: Any, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def piece(index: Any, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def tool(index: Any, call_id: str, name: str, *pieces: str, **start: Any) -> bytes:
    opening = begun(index, type="tool_use", id=call_id, name=name, **{"input": {}, **start})
    told = (piece(index, type="input_json_delta", partial_json=text) for text in pieces)
    return opening + b"".join(told) + event("content_block_stop", index=index)


def read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    stream = parser()
    chunks = [chunk for block in blocks for chunk in stream.feed(block)]
    return chunks, stream.close()


def answer(*middle: bytes) -> Answer:
    return read(START + b"".join(middle) + DELTA + STOP)[1]


def join_chunks(chunks: list[StreamChunk]) -> tuple[Any, ...]:
    calls: dict[int, tuple[str, str, str]] = {}
    for chunk in chunks:
        if told := chunk.tool_call:
            before = calls.get(told.index, ("", "", ""))
            calls[told.index] = (before[0] + told.id, before[1] + told.name, before[2] + told.arguments)
    text = "".join(chunk.text or "" for chunk in chunks)
    return text, "".join(chunk.reasoning or "" for chunk in chunks), calls, [c.usage for c in chunks if c.usage]


def test_documented_stream_is_rebuilt_whole() -> None:
    """Section 4: text, thinking, calls, counts, and the content as it would stand in an answer."""
    chunks, whole = read(STREAM)
    assert (whole.content, whole.reasoning) == ("Checking.", "Simple.")
    assert [(c.id, c.name, c.arguments) for c in whole.tool_calls] == [("toolu_1", "get_weather", {"city": "Oslo"})]
    assert whole.stop_reason is StopReason.TOOL_CALLS
    assert whole.model == "claude-sonnet-5-5"
    assert whole.usage == Usage(input=12, cache_read=0, cache_write=0, output=58)
    assert whole.turn == CONTENT
    calls = {0: ("toolu_1", "get_weather", '{"city":"Oslo"}')}
    assert join_chunks(chunks)[:3] == ("Checking.", "Simple.", calls)


RICH = (
    (
        START
        + THINKING
        + begun(1, type="redacted_thinking", data="Zm9v")
        + event("content_block_stop", index=1)
        + begun(2, type="text", text="")
        + piece(2, type="text_delta", text="Grüße \u2028 \U0001f600")
        + piece(2, type="citations_delta", citation={"type": "char_location", "cited_text": "x"})
        + event("content_block_stop", index=2)
        + begun(3, type="server_tool_use", id="srvtoolu_1", name="web_search", input={})
        + piece(3, type="input_json_delta", partial_json='{"query"')
        + piece(3, type="input_json_delta", partial_json=':"x"}')
        + event("content_block_stop", index=3)
        + begun(4, type="novelty", payload=[1, {"a": "b"}])
        + event("content_block_stop", index=4)
        + event("novelty_event", x=1)
        + tool(5, "toolu_1", "ping", "")
        + DELTA
        + STOP
    )
    .replace(b"\\u00fc", "ü".encode())
    .replace(b"\\u2028", "\u2028".encode())
)


def test_opaque_blocks_are_rebuilt_exactly() -> None:
    """Section 4: redacted thinking, citations, server tools and unknown blocks go back as they came."""
    assert read(RICH)[1].turn == [
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


@given(data=st.data(), stream=st.sampled_from([STREAM, RICH, STREAM.replace(b"\n", b"\r\n")]))
def test_cuts_do_not_matter(data: st.DataObject, stream: bytes) -> None:
    """Also inside a character, and between CR and LF."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    blocks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    chunks, whole = read(*blocks)
    expected_chunks, expected = read(stream)
    assert whole == expected
    assert join_chunks(chunks) == join_chunks(expected_chunks)


@given(end=st.integers(0, len(STREAM) - len(STOP)))
def test_end_without_message_stop_is_no_answer(end: int) -> None:
    """Section 4: EOF before `message_stop` is a truncation, after the stop reason too; in an event it is no JSON."""
    stream = parser()
    stream.feed(STREAM[:end])
    assert not stream.ended
    assert not stream.may_end
    with pytest.raises((StreamInterruptedError, MalformedResponseError)):
        stream.close()


def test_stop_reason_and_another_dialects_marker_are_no_end() -> None:
    """`[DONE]`, as a proxy may add it, is not documented here."""
    stream = parser()
    stream.feed(START + TEXT + DELTA + b"data: [DONE]\n\n")
    assert not stream.may_end
    with pytest.raises(StreamInterruptedError):
        stream.close()
    assert stream.partial().content == "Checking."
    assert stream.partial().stop_reason is StopReason.UNKNOWN


def test_what_comes_after_the_end_is_none_of_the_answer() -> None:
    """A late error neither."""
    assert read(STREAM + ERROR + TEXT)[1].content == "Checking."


@pytest.mark.parametrize("before", [b"", START, START + TEXT, START + TEXT + DELTA])
def test_error_event_is_the_vendors_error(before: bytes) -> None:
    """Section 4: treat it as status 529."""

    def play() -> None:
        fed = parser()
        fed.feed(before + ERROR)
        fed.feed(b"")  # what came before the error in the same bytes was given out first

    with pytest.raises(ProviderUnavailableError) as caught:
        play()
    assert caught.value.code == "overloaded_error"
    assert "Overloaded" not in str(caught.value)


def test_error_event_without_an_error_object_is_an_error_too() -> None:
    """Whatever it says, the answer is not whole."""
    with pytest.raises(LLMError):
        parser().feed(START + event("error", error=None))


@pytest.mark.parametrize(
    "bad",
    [
        b"event: content_block_delta\ndata: {\n\n",
        event("content_block_delta", index=0),
        event("content_block_start", index=0, content_block="text"),
        begun(0, type="text", text="") + piece(0, type="text_delta", text=7),
    ],
)
def test_event_of_the_wrong_shape_is_malformed(bad: bytes) -> None:
    """Never passed over: a piece would be missing."""
    with pytest.raises(MalformedResponseError):
        parser().feed(START + bad)


def test_counts_are_cumulative_and_nulls_say_nothing() -> None:
    """Section 4: overwrite `output_tokens`, keep message_start's values when absent or null."""
    start = START.replace(b'"cache_read_input_tokens":0', b'"cache_read_input_tokens":100')
    later = {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 20}
    last = {"output_tokens": 58, "output_tokens_details": {"thinking_tokens": 50}}
    end = event("message_delta", delta={"stop_reason": "end_turn"}, usage=last)
    chunks, whole = read(start + event("message_delta", delta={}, usage=later) + end + STOP)
    assert whole.usage == Usage(input=12, cache_read=100, cache_write=0, output=8, reasoning=50)
    assert [chunk.usage.output for chunk in chunks if chunk.usage] == [20, 8]
    assert whole.stop_reason is StopReason.STOP


@pytest.mark.parametrize("indexes", [(0, 1), (1, 2), (0, 0), (7, 3), (None, None), ("a", "b"), (-1, -1)])
def test_calls_survive_any_index(indexes: tuple[Any, Any]) -> None:
    """Twice the same, none, beginning at 1."""
    first, second = indexes
    found = answer(tool(first, "t1", "a", '{"x"', ":1}"), tool(second, "t2", "b", "", '{"y":2}'))
    assert [(call.id, call.name, call.arguments) for call in found.tool_calls] == [
        ("t1", "a", {"x": 1}),
        ("t2", "b", {"y": 2}),
    ]


def test_beginning_is_no_first_token() -> None:
    """The first counts make no chunk, and are there when the stream breaks."""
    stream = parser()
    assert stream.feed(START + PING) == []
    assert stream.partial().usage == Usage(input=12, cache_read=0, cache_write=0, output=1)


def test_calls_may_be_interleaved() -> None:
    """Each piece goes to the block of its index."""
    openings = begun(0, type="tool_use", id="t1", name="a") + begun(1, type="tool_use", id="t2", name="b")
    pieces = [(0, '{"x"'), (1, '{"y"'), (0, ":1}"), (1, ":2}")]
    found = answer(openings, *(piece(at, type="input_json_delta", partial_json=text) for at, text in pieces))
    assert [call.arguments for call in found.tool_calls] == [{"x": 1}, {"y": 2}]


def test_tool_without_arguments_is_called_with_none() -> None:
    """Section 4: partial_json may be only "" or not come at all."""
    found = answer(tool(0, "t1", "a", ""), tool(1, "t2", "b"))
    assert [(call.arguments, call.problem) for call in found.tool_calls] == [({}, ""), ({}, "")]


def test_input_that_comes_with_the_start_counts() -> None:
    """Trap 9: other hosts of this dialect."""
    found = answer(tool(0, "t1", "a", input={"x": 1}))
    assert found.tool_calls[0].arguments == {"x": 1}


def test_call_without_an_id_gets_one() -> None:
    """By its place, as in an answer that is not streamed; the kept turn has the same one."""
    found = answer(THINKING, tool(1, "", "a", "{}"), tool(2, "", "b", "{}"))
    assert [call.id for call in found.tool_calls] == ["call_0", "call_1"]
    assert isinstance(found.turn, list)
    assert [block.get("id") for block in found.turn] == [None, "call_0", "call_1"]


def test_broken_arguments_are_told() -> None:
    """Section 3: the last call of a truncated answer may be incomplete."""
    end = event("message_delta", delta={"stop_reason": "max_tokens"})
    _, found = read(START + tool(0, "t1", "a", '{"x":') + end + STOP)
    assert (found.tool_calls[0].raw_arguments, found.stop_reason) == ('{"x":', StopReason.MAX_TOKENS)
    assert found.tool_calls[0].problem


def test_plain_answer_needs_no_replay() -> None:
    """Text and calls say everything."""
    assert answer(TEXT, CALL).turn is None


def test_piece_of_an_unknown_kind_makes_the_turn_inexact() -> None:
    """A block that cannot be rebuilt must not go back wrong: text and calls go instead."""
    found = answer(THINKING, piece(0, type="novelty_delta", x="y"), TEXT)
    assert (found.content, found.turn) == ("Checking.", None)


def test_refusal_is_a_blocked_answer() -> None:
    """Section 3: HTTP 200, content possibly empty."""
    end = event("message_delta", delta={"stop_reason": "refusal", "stop_details": {"type": "refusal"}})
    _, found = read(START + end + STOP)
    assert (found.content, found.stop_reason) == ("", StopReason.CONTENT_FILTER)


def test_pieces_without_a_beginning_are_not_lost() -> None:
    """Other hosts leave out content_block_start."""
    found = answer(piece(0, type="text_delta", text="a"), piece(0, type="text_delta", text="b"))
    assert found.content == "ab"
