"""What every dialect's stream parser owes: the same answer wherever the bytes are cut, and no clean end without one."""

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

from .stream_reading import CUTS, pieces, read_stream

CONFIG = ProviderConfig("row", "k" * 12, "https://vendor.example/v1", ["m"])
DIALECTS = sorted(STREAMS)
CALLING = [name for name in DIALECTS if STREAMS[name].tools]


def parser(dialect: str) -> StreamParser:
    wire = DIALECT_MODULES[dialect]
    sent = wire.build_request(ChatRequest((Message.user("ping"),)), CONFIG, "m", stream=True)
    return wire.stream_parser(WireReply(sent, 200, Headers({"content-type": STREAMS[dialect].content_type}), b""))


def read(dialect: str, *blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    return read_stream(parser(dialect), blocks)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_request_asks_for_a_stream(dialect: str) -> None:
    sent = DIALECT_MODULES[dialect].build_request(ChatRequest((Message.user("ping"),)), CONFIG, "m", stream=True)
    is_in_route = "stream" in sent.url
    assert is_in_route or json.loads(sent.body)["stream"] is True
    assert "stream" in DIALECT_MODULES[dialect].FEATURES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_is_its_answer(dialect: str) -> None:
    chunks, answer = read(dialect, *STREAMS[dialect].events)
    assert "".join(chunk.text or "" for chunk in chunks) == answer.content == ANSWER
    assert answer.stop_reason is StopReason.STOP
    assert answer.usage is not None
    assert answer.usage.total == 42


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_done_behind_a_cut_answer_makes_it_no_whole_one(dialect: str) -> None:
    """A proxy may close with `[DONE]` what broke behind it: the answer has not said how it ended."""
    stream = STREAMS[dialect]
    marker = b"[DONE]\n" if "ndjson" in stream.content_type else b"data: [DONE]\n\n"
    with pytest.raises(StreamInterruptedError):
        read(dialect, *stream.events[:2], marker, b"")


@pytest.mark.parametrize("dialect", DIALECTS)
@given(cuts=CUTS)
def test_where_the_bytes_are_cut_does_not_matter(dialect: str, cuts: list[int]) -> None:
    whole = read(dialect, b"".join(STREAMS[dialect].events))
    assert read(dialect, *pieces(b"".join(STREAMS[dialect].events), cuts)) == whole


@pytest.mark.parametrize("dialect", CALLING)
@given(cuts=CUTS)
def test_calls_are_rebuilt_under_any_cut(dialect: str, cuts: list[int]) -> None:
    chunks, answer = read(dialect, *pieces(b"".join(STREAMS[dialect].tools), cuts))
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
    told: list[dict[str, Any]] = [
        {"id": call.id, "name": call.name, "arguments": call.raw_arguments} for call in answer.tool_calls
    ]
    assert list(rebuilt.values()) == told


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_ends_at_any_place_is_whole_or_an_error(dialect: str) -> None:
    data = b"".join(STREAMS[dialect].events)
    for end in range(len(data)):
        made = parser(dialect)
        try:
            made.feed(data[:end])
            made.rest()
            answer = made.close()
        except StreamInterruptedError:
            partial = made.partial()
            assert ANSWER.startswith(partial.content)
            assert partial.stop_reason is StopReason.UNKNOWN
        else:
            assert answer.content == ANSWER, end
            assert answer.stop_reason is StopReason.STOP


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("place", [0, 1, -1])
def test_the_vendors_error_is_typed_wherever_it_stands(dialect: str, place: int) -> None:
    stream = STREAMS[dialect]
    before = stream.events[: len(stream.events) // 2 * place] if place >= 0 else stream.events[:-2]
    made = parser(dialect)

    def play() -> None:
        for block in (*before, stream.error):
            made.feed(block)
        made.rest()
        made.close()

    with pytest.raises(LLMError) as caught:
        play()
    assert not isinstance(caught.value, StreamInterruptedError | MalformedResponseError)
    assert caught.value.provider == "row"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_is_none_is_an_error(dialect: str) -> None:
    made, stream = parser(dialect), STREAMS[dialect]

    def play() -> None:
        for block in (*stream.events[:-2], stream.bad, b""):
            made.feed(block)

    with pytest.raises(MalformedResponseError) as caught:
        play()
    assert "container" not in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_line_separators_inside_json_and_pings_between_events_change_nothing(dialect: str) -> None:
    strange = "The \u2028container\u2029 \x85was \x0b\x0ckilled: ".encode()
    events = [event.replace(b"was killed: ", strange) for event in STREAMS[dialect].events]
    if dialect == "tgi-generate":
        events[-1] = STREAMS[dialect].events[-1]
    strange_in_json = json.dumps(strange.decode(), ensure_ascii=False)[1:-1].encode()
    events = [event.replace(strange, strange_in_json) for event in events]
    blocks = [piece for event in events for piece in (STREAMS[dialect].ping, event)]
    chunks, answer = read(dialect, *blocks)
    assert answer.content == ANSWER.replace("was killed: ", strange.decode())
    assert "".join(chunk.text or "" for chunk in chunks) == answer.content
