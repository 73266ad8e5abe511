"""The contract of every dialect's stream parser: no dependence on block boundaries, and no answer without an end."""

import json
from typing import Any

import pytest
from hypothesis import given

from faultmaven.domain.errors import LLMError, MalformedResponseError, StreamInterruptedError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.infrastructure.http.types import Headers, WireReply
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.dialects.registry import DIALECT_MODULES
from faultmaven.testing.lab import ANSWER
from faultmaven.testing.lab.replies.streams import STREAMS

from .stream_reading import CUT_POSITIONS, read_stream, split_at

CONFIG = ProviderConfig("row", "k" * 12, "https://vendor.example/v1", ["m"])
DIALECTS = sorted(STREAMS)
DIALECTS_WITH_TOOLS = [name for name in DIALECTS if STREAMS[name].tools]


def parser_for(dialect: str) -> StreamParser:
    module = DIALECT_MODULES[dialect]
    sent = module.build_request(ChatRequest((Message.user("ping"),)), CONFIG, "m", stream=True)
    return module.stream_parser(WireReply(sent, 200, Headers({"content-type": STREAMS[dialect].content_type}), b""))


def read(dialect: str, *blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    return read_stream(parser_for(dialect), blocks)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_enables_streaming_in_every_dialect(dialect: str) -> None:
    sent = DIALECT_MODULES[dialect].build_request(ChatRequest((Message.user("ping"),)), CONFIG, "m", stream=True)
    is_in_route = "stream" in sent.url
    assert is_in_route or json.loads(sent.body)["stream"] is True
    assert "stream" in DIALECT_MODULES[dialect].FEATURES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream_chunks_join_to_answer(dialect: str) -> None:
    chunks, answer = read(dialect, *STREAMS[dialect].events)
    assert "".join(chunk.text or "" for chunk in chunks) == answer.content == ANSWER
    assert answer.stop_reason is StopReason.STOP
    assert answer.usage is not None
    assert answer.usage.total == 42


@pytest.mark.parametrize("dialect", DIALECTS)
def test_done_marker_does_not_complete_cut_stream(dialect: str) -> None:
    """A proxy may end a broken stream with `[DONE]`: the stop reason of the answer is still missing."""
    stream = STREAMS[dialect]
    marker = b"[DONE]\n" if "ndjson" in stream.content_type else b"data: [DONE]\n\n"
    with pytest.raises(StreamInterruptedError):
        read(dialect, *stream.events[:2], marker, b"")


@pytest.mark.parametrize("dialect", DIALECTS)
@given(cuts=CUT_POSITIONS)
def test_stream_does_not_depend_on_block_boundaries(dialect: str, cuts: list[int]) -> None:
    whole = read(dialect, b"".join(STREAMS[dialect].events))
    assert read(dialect, *split_at(b"".join(STREAMS[dialect].events), cuts)) == whole


@pytest.mark.parametrize("dialect", DIALECTS_WITH_TOOLS)
@given(cuts=CUT_POSITIONS)
def test_tool_calls_survive_any_block_boundary(dialect: str, cuts: list[int]) -> None:
    chunks, answer = read(dialect, *split_at(b"".join(STREAMS[dialect].tools), cuts))
    assert [(call.name, call.arguments, call.problem) for call in answer.tool_calls] == [
        ("get_weather", {"city": "Oslo"}, ""),
        ("get_weather", {"city": "Rome"}, ""),
    ]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert answer.stop_reason is StopReason.TOOL_CALLS
    rebuilt: dict[int, dict[str, str]] = {}
    for delta in (chunk.tool_call for chunk in chunks if chunk.tool_call):
        call = rebuilt.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
        call["id"] += delta.id
        call["name"] += delta.name
        call["arguments"] += delta.arguments
    expected: list[dict[str, Any]] = [
        {"id": call.id, "name": call.name, "arguments": call.raw_arguments} for call in answer.tool_calls
    ]
    assert list(rebuilt.values()) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_truncated_stream_is_complete_or_interrupted(dialect: str) -> None:
    data = b"".join(STREAMS[dialect].events)
    for end in range(len(data)):
        parser = parser_for(dialect)
        try:
            parser.feed(data[:end])
            parser.flush()
            answer = parser.close()
        except StreamInterruptedError:
            partial = parser.partial()
            assert ANSWER.startswith(partial.content)
            assert partial.stop_reason is StopReason.UNKNOWN
        else:
            assert answer.content == ANSWER, end
            assert answer.stop_reason is StopReason.STOP


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("position", [0, 1, -1])
def test_vendor_error_is_typed_at_any_position(dialect: str, position: int) -> None:
    stream = STREAMS[dialect]
    before = stream.events[: len(stream.events) // 2 * position] if position >= 0 else stream.events[:-2]
    parser = parser_for(dialect)

    def feed_all() -> None:
        for block in (*before, stream.error):
            parser.feed(block)
        parser.flush()
        parser.close()

    with pytest.raises(LLMError) as caught:
        feed_all()
    assert not isinstance(caught.value, StreamInterruptedError | MalformedResponseError)
    assert caught.value.provider == "row"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_malformed_event_raises_malformed_response_error(dialect: str) -> None:
    parser, stream = parser_for(dialect), STREAMS[dialect]

    def feed_all() -> None:
        for block in (*stream.events[:-2], stream.bad, b""):
            parser.feed(block)

    with pytest.raises(MalformedResponseError) as caught:
        feed_all()
    assert "container" not in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_line_separators_and_pings_change_no_text(dialect: str) -> None:
    separators = "The \u2028container\u2029 \x85was \x0b\x0ckilled: ".encode()
    events = [event.replace(b"was killed: ", separators) for event in STREAMS[dialect].events]
    if dialect == "tgi-generate":
        events[-1] = STREAMS[dialect].events[-1]
    escaped_separators = json.dumps(separators.decode(), ensure_ascii=False)[1:-1].encode()
    events = [event.replace(separators, escaped_separators) for event in events]
    blocks = [piece for event in events for piece in (STREAMS[dialect].ping, event)]
    chunks, answer = read(dialect, *blocks)
    assert answer.content == ANSWER.replace("was killed: ", separators.decode())
    assert "".join(chunk.text or "" for chunk in chunks) == answer.content
