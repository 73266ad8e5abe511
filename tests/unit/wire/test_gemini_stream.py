"""Gemini's streams. Samples are those of wire/gemini-generate-content.md section 4, 2026-11-23."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultmaven.domain.errors import (
    MalformedResponseError,
    ProviderError,
    ProviderUnavailableError,
    StreamInterruptedError,
)
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.gemini.dialect import stream_parser
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

from .samples import reply_of
from .stream_reading import read_stream

# Section 4, byte for byte.
DOCUMENTED = (
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash",'
    b'"responseId":"abc"}\n\n'
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":2,"totalTokenCount":14}}\n\n'
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"id":"c1","name":"get_weather",'
    b'"args":{"city":"Oslo"}},"thoughtSignature":"CrEB..."}]},"finishReason":"STOP","index":0}],'
    b'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":9,"thoughtsTokenCount":20,'
    b'"totalTokenCount":41}}\n\n'
)
# Section 4: a late signature on an empty text; section 3: thoughts are flagged.
THOUGHTFUL = (
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Think","thought":true}]}}]}\r\n\r\n'
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"ing","thought":true},{"text":"H\xc3\xa9"}]}}]}'
    b"\r\n\r\n"
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"llo"}]}}]}\r\n\r\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"CrEB..."}]},"finishReason":"STOP"}]}'
    b"\r\n\r\n"
)
# Section 2 (4) and 4: calls come whole, without index; ids may be missing, args too.
PARALLEL = (
    b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{"x":1}},'
    b'"thoughtSignature":"S"},{"functionCall":{"name":"a","args":{"x":2}}}]}}]}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"now"}}]},"finishReason":"STOP"}]}\n\n'
)
BLOCKED = (
    b'data: {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","safetyRatings":[]},'
    b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12}}\n\n'
)
SECOND_CANDIDATE = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"A"}]}},{"index":1,"content":{"parts":[{"text":"B"}]}}]}\n\n'
    b'data: {"candidates":[{"index":1,"content":{"parts":[{"text":"B"}]},"finishReason":"MAX_TOKENS"}]}\n\n'
    b'data: {"candidates":[{"index":0,"finishReason":"STOP"}]}\n\n'
)
ERROR = b'{"error":{"code":503,"message":"...","status":"UNAVAILABLE"}}'
BEGIN = DOCUMENTED.partition(b"\n\n")[0] + b"\n\n"


def _parser() -> StreamParser:
    return stream_parser(reply_of("gemini-generate-content", b"", headers={"content-type": "text/event-stream"}))


def _read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    parser = _parser()
    whole = read_stream(parser, blocks)
    assert not parser.ended  # the connection's end is the only one
    return whole


def _joined(chunks: Sequence[StreamChunk]) -> tuple[Any, ...]:
    calls: dict[int, str] = {}
    for chunk in chunks:
        if chunk.tool_call is not None:
            delta = chunk.tool_call
            calls[delta.index] = calls.get(delta.index, "") + f"{delta.id}|{delta.name}|{delta.arguments}"
    text = "".join(chunk.text or "" for chunk in chunks)
    return text, "".join(chunk.reasoning or "" for chunk in chunks), calls


def test_documented_stream_is_read() -> None:
    """Text, a whole call, and the last counts, which are not added up."""
    chunks, answer = _read(DOCUMENTED)
    assert _joined(chunks) == ("Hello", "", {0: 'c1|get_weather|{"city":"Oslo"}'})
    assert answer.content == "Hello"
    assert answer.tool_calls == (ToolCall("c1", "get_weather", {"city": "Oslo"}, '{"city":"Oslo"}'),)
    assert answer.stop_reason is StopReason.TOOL_CALLS
    assert answer.model == "gemini-3.8-flash"
    assert answer.usage == Usage.from_totals(12, 29, reasoning=20)
    assert [chunk.usage for chunk in chunks if chunk.usage is not None][-1] == answer.usage


def test_turn_is_rebuilt_with_its_signature() -> None:
    """Neighbours of text become one; the signed part stays as it came."""
    signed = {
        "functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "Oslo"}},
        "thoughtSignature": "CrEB...",
    }
    assert _read(DOCUMENTED)[1].turn == [{"text": "Hello"}, signed]


def test_late_signature_stays_a_part_of_its_own() -> None:
    """On an empty text, at the end."""
    chunks, answer = _read(THOUGHTFUL)
    assert _joined(chunks) == ("Héllo", "Thinking", {})
    assert (answer.content, answer.reasoning) == ("Héllo", "Thinking")
    assert answer.turn == [
        {"text": "Thinking", "thought": True},
        {"text": "Héllo"},
        {"text": "", "thoughtSignature": "CrEB..."},
    ]


def test_calls_without_ids_are_told_apart() -> None:
    """The same tool twice is two calls."""
    chunks, answer = _read(PARALLEL)
    assert _joined(chunks)[2] == {0: 'call_1|a|{"x":1}', 1: 'call_2|a|{"x":2}', 2: "call_3|now|{}"}
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("call_1", "a", {"x": 1}),
        ("call_2", "a", {"x": 2}),
        ("call_3", "now", {}),
    ]


def test_plain_stream_keeps_no_turn() -> None:
    """Text says everything there."""
    _, answer = _read(BEGIN, b'data: {"candidates":[{"finishReason":"MAX_TOKENS"}]}\n\n')
    assert (answer.content, answer.turn, answer.stop_reason) == ("Hel", None, StopReason.MAX_TOKENS)


def test_blocked_prompt_is_an_end() -> None:
    """Section 3: no candidates, only the reason."""
    parser = _parser()
    parser.feed(BLOCKED)
    assert parser.may_end
    answer = parser.close()
    assert (answer.content, answer.stop_reason) == ("", StopReason.CONTENT_FILTER)
    assert answer.usage == Usage.from_totals(12, 0)


def test_only_the_first_candidate_counts() -> None:
    """A second one comes where `extra` asks for it."""
    _, answer = _read(SECOND_CANDIDATE)
    assert (answer.content, answer.stop_reason) == ("A", StopReason.STOP)


def test_end_without_a_reason_is_an_interruption() -> None:
    """Section 4: EOF with no finishReason is truncated."""
    parser = _parser()
    parser.feed(BEGIN)
    assert not parser.may_end
    assert parser.partial().content == "Hel"
    with pytest.raises(StreamInterruptedError):
        parser.close()


def test_last_empty_line_may_be_missing() -> None:
    """The event is whole without it."""
    assert _read(DOCUMENTED.rstrip(b"\n"))[1] == _read(DOCUMENTED)[1]


@pytest.mark.parametrize(
    "failed",
    [
        b"data: " + ERROR + b"\n\n",
        b"data: [" + ERROR + b"]\n\n",
        ERROR + b"\n",
        b"[" + ERROR + b"]\n",
        b'[{\n  "error": {\n    "code": 503,\n    "message": "...",\n    "status": "UNAVAILABLE"\n  }\n}\n]\n',
        b'{\n  "error": {\n    "code": 503,\n    "message": "...",\n    "status": "UNAVAILABLE"\n  }\n}',
    ],
    ids=["event", "event of a list", "line", "list", "lines in a list", "lines without an end"],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_error_in_the_stream_is_the_vendors(failed: bytes, step: int) -> None:
    """Section 4: raw JSON, perhaps over lines, perhaps in a list of one; also as an event."""
    stream = BEGIN + failed
    parser = _parser()
    with pytest.raises(ProviderUnavailableError) as caught:
        _feed(parser, [stream[place : place + step] for place in range(0, len(stream), step)])
    assert caught.value.code == "UNAVAILABLE"


def _feed(parser: StreamParser, blocks: Sequence[bytes]) -> Answer:
    return read_stream(parser, blocks)[1]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (b"MALFORMED_FUNCTION_CALL", MalformedResponseError),
        (b"MALFORMED_RESPONSE", MalformedResponseError),
        (b"UNEXPECTED_TOOL_CALL", ProviderError),
    ],
)
def test_failed_answer_is_an_error_where_nothing_came(reason: bytes, kind: type[ProviderError]) -> None:
    """Section 3, table; what came is kept where there is something."""
    end = b'data: {"candidates":[{"finishReason":"' + reason + b'"}]}\n\n'
    with pytest.raises(kind):
        _read(end)
    assert _read(BEGIN, end)[1].stop_reason is StopReason.UNKNOWN


@settings(max_examples=60, deadline=None)
@given(
    stream=st.sampled_from([DOCUMENTED, THOUGHTFUL, PARALLEL, BLOCKED, SECOND_CANDIDATE]),
    cuts=st.lists(st.integers(0, 900), max_size=30),
)
def test_where_the_bytes_are_cut_does_not_matter(stream: bytes, cuts: list[int]) -> None:
    """The same chunks, joined, and the same answer."""
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    blocks = [stream[start:end] for start, end in pairwise(places)]
    chunks, answer = _read(*blocks)
    whole_chunks, whole_answer = _read(stream)
    assert _joined(chunks) == _joined(whole_chunks)
    assert answer == whole_answer
