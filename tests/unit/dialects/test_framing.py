"""Framing of bytes into events, independent of block boundaries."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from faultmaven.infrastructure.llm.dialects.shared.framing import JsonLines, ServerSentEvent, ServerSentEvents

STREAM = (
    b'\xef\xbb\xbf: a comment\r\n\r\nevent: one\r\ndata: {"a":"\xe2\x80\xa8\xc3\xa9"}\r\n\r\n'
    b"data:first\ndata: second\n\n\nid: 7\nretry: 100\ndata: third\r\r"
    b'{"error":\ndata: last'
)
EVENTS = [
    ServerSentEvent("one", '{"a":"\u2028\u00e9"}'.encode()),
    ServerSentEvent("", b"first\nsecond"),
    ServerSentEvent("", b"third"),
    ServerSentEvent("", b"last"),
]


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    positions = [0, *sorted(position % (len(data) + 1) for position in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(positions)]


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_events_do_not_depend_on_cuts(cuts: list[int]) -> None:
    framing = ServerSentEvents()
    events = [event for block in split_at(STREAM, cuts) for event in framing.feed(block)]
    assert events + framing.close() == EVENTS
    assert framing.stray_lines == [b'{"error":']


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_json_lines_do_not_depend_on_cuts(cuts: list[int]) -> None:
    data = '{"a":1}\n\n{"b":"\u2028"}\r\n{"c":3}'.encode()
    framing = JsonLines()
    lines = [event.data for block in split_at(data, cuts) for event in framing.feed(block)]
    assert lines + [event.data for event in framing.close()] == [b'{"a":1}', '{"b":"\u2028"}'.encode(), b'{"c":3}']


def test_single_byte_blocks_give_same_events() -> None:
    framing = ServerSentEvents()
    events = [event for position in range(len(STREAM)) for event in framing.feed(STREAM[position : position + 1])]
    assert events + framing.close() == EVENTS
