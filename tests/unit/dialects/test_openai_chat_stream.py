"""Streams of OpenAI Chat: literal bytes of the vendor's document, cut at any position."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError, MalformedResponseError, ProviderUnavailableError, StreamInterruptedError
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.openai_chat.dialect import stream_parser
from faultmaven.infrastructure.llm.dialects.protocol import Answer

from .samples import reply_of
from .stream_reading import read_stream

DONE = b"data: [DONE]\n\n"
# openai-chat.md section 4
TEXT = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":""},"finish_reason":null}],"usage":null,"obfuscation":"ab"}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"content":"Hel"},"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"content":"lo"},"finish_reason":null}],"usage":null}\n\n'
)
FINISH = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},'
    b'"finish_reason":"stop"}],"usage":null}\n\n'
)
USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":'
    b'{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
)
CALLS = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1",'
    b'"type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"city\\":"}}]},'
    b'"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\"Oslo\\"}"}}]},'
    b'"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n' + DONE
)
ERROR = b'data: {"error":{"message":"...","type":"server_error","code":null}}\n\n'
# section 4, rules: comments; section 9.2: fields with reasoning
THINKING = (
    b": OPENROUTER PROCESSING\n\n"
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm","reasoning_details":'
    b'[{"type":"reasoning.text","text":"Hm","index":0,"format":"f"}]},"finish_reason":null}]}\n\n'
    b":\n\n: keep-alive\n\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"","reasoning":"m.","reasoning_details":'
    b'[{"type":"reasoning.text","text":"m.","index":0,"format":"f"}]},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"","reasoning_details":'
    b'[{"type":"reasoning.text","signature":"S1","index":0,"format":"f"},'
    b'{"type":"reasoning.encrypted","data":"E1","index":1}]},"finish_reason":null}]}\n\n'
)


def read(blocks: Sequence[bytes], vendor: str = "openai") -> tuple[list[StreamChunk], Answer]:
    return read_stream(stream_parser(reply_of(f"openai-chat/{vendor}", b"")), blocks)


def answer_of(*blocks: bytes, vendor: str = "openai") -> Answer:
    return read(blocks, vendor)[1]


def delta(fields: bytes) -> bytes:
    """Return a chunk in the documented form."""
    return b'data: {"choices":[{"index":0,"delta":{%s},"finish_reason":null}]}\n\n' % fields


def finish(reason: bytes, extra_fields: bytes = b"") -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"%s"}]%s}\n\n' % (reason, extra_fields)


STREAMS = {
    "text": (TEXT + FINISH + USAGE + DONE, "openai"),
    "calls": (CALLS, "openai"),
    "details": (THINKING + TEXT + FINISH + USAGE + DONE, "openrouter"),
    "cafe": (delta('"content":"caf\u00e9 \u2028\U0001f525"'.encode()) + FINISH + DONE, "groq"),
}


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=12))
def test_stream_does_not_depend_on_cuts(name: str, cuts: list[int]) -> None:
    data, vendor = STREAMS[name]
    positions = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    blocks = [data[start:end] for start, end in itertools.pairwise(positions)]
    assert read(blocks, vendor) == read([data], vendor)


def test_text_stream_gives_complete_answer() -> None:
    chunks, answer = read([TEXT + FINISH + USAGE + DONE])
    assert [chunk.text for chunk in chunks if chunk.text is not None] == ["Hel", "lo"]
    assert (answer.content, answer.stop_reason, answer.model) == ("Hello", StopReason.STOP, "m")
    assert answer.usage == Usage.from_totals(9, 2)
    assert chunks[-1].usage == answer.usage
    assert answer.turn is None


def test_tool_call_in_deltas_is_joined() -> None:
    chunks, answer = read([CALLS])
    deltas = [chunk.tool_call for chunk in chunks if chunk.tool_call is not None]
    assert "".join(delta.arguments for delta in deltas) == '{"city":"Oslo"}'
    assert (deltas[0].index, deltas[0].id, deltas[0].name) == (0, "call_1", "get_weather")
    (call,) = answer.tool_calls
    assert (call.id, call.name, call.arguments, call.problem) == ("call_1", "get_weather", {"city": "Oslo"}, "")
    assert answer.stop_reason is StopReason.TOOL_CALLS


def test_done_marker_is_optional_after_finish_reason() -> None:
    """Section 4: an end without `[DONE]` and without any finish_reason is a cut stream."""
    assert answer_of(TEXT + FINISH).content == "Hello"
    with pytest.raises(StreamInterruptedError):
        answer_of(TEXT)


def test_events_after_done_marker_are_ignored() -> None:
    """Section 4: the SDK ends on data that starts with `[DONE]`."""
    assert answer_of(TEXT + FINISH + b"data: [DONE] x\n\n" + TEXT).content == "Hello"


@pytest.mark.parametrize("before", [b"", TEXT, TEXT + FINISH])
def test_error_event_raises_vendor_error(before: bytes) -> None:
    with pytest.raises(ProviderUnavailableError):
        answer_of(before, ERROR, DONE)


@pytest.mark.parametrize("reason", [b"error", b"insufficient_system_resource"])
def test_failure_finish_reason_raises_error(reason: bytes) -> None:
    """Section 3: Mistral, OpenRouter; DeepSeek."""
    with pytest.raises(LLMError) as caught:
        answer_of(TEXT, finish(reason), DONE)
    assert caught.value.code == reason.decode()
    assert not isinstance(caught.value, MalformedResponseError | StreamInterruptedError)


def test_content_with_failure_reason_comes_first() -> None:
    parser = stream_parser(reply_of("openai-chat/mistral", b""))
    last = b'data: {"choices":[{"index":0,"delta":{"content":"end"},"finish_reason":"error"}]}\n\n'
    assert [chunk.text for chunk in parser.feed(TEXT + last)] == ["Hel", "lo", "end"]
    with pytest.raises(LLMError):
        parser.feed(b"")


def test_refusal_gives_text_and_content_filter() -> None:
    """Section 4: `delta.refusal` pieces; section 3: the reason is usually stop."""
    answer = answer_of(delta(b'"refusal":"I can"'), delta(b'"refusal":"not."'), FINISH, DONE)
    assert (answer.content, answer.stop_reason) == ("I cannot.", StopReason.CONTENT_FILTER)


def test_azure_first_chunk_and_null_deltas_tolerated() -> None:
    """Section 4, tolerate: only `prompt_filter_results`; `choices` empty or missing; `delta` null."""
    first = b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}\n\n'
    null_chunks = b'data: {"choices":[{"index":0,"delta":null,"finish_reason":null}]}\n\ndata: {"id":"c1"}\n\n'
    assert answer_of(first, null_chunks, TEXT, FINISH, DONE, vendor="azure").content == "Hello"


def test_message_with_deltas_does_not_duplicate_text() -> None:
    """Section 4, tolerate: `delta` and `message` in one choice, with the text so far in `message` (9.5, Perplexity)."""
    chunk = (
        b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"message":{"content":"%s"},"finish_reason":null}]}\n\n'
    )
    last = b'data: {"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}\n\n'
    assert answer_of(chunk % (b"Hel", b"Hel"), chunk % (b"lo", b"Hello"), last, DONE, vendor="").content == "Hello"
    assert answer_of(last, DONE, vendor="").content == "Hello"


def test_groq_usage_and_error_fields_are_parsed() -> None:
    """Section 9.3: always `x_groq.usage` on the final chunk; `x_groq.error`."""
    usage = b'{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}'
    answer = answer_of(TEXT, finish(b"stop", b',"x_groq":{"id":"r","usage":%s}' % usage), DONE, vendor="groq")
    assert answer.usage == Usage.from_totals(9, 2)
    with pytest.raises(LLMError):
        answer_of(TEXT, finish(b"stop", b',"x_groq":{"id":"r","error":"over capacity"}'), DONE, vendor="groq")


def test_usage_on_every_chunk_keeps_newest() -> None:
    """Section 9.3, vLLM: `continuous_usage_stats`; the newest count replaces the earlier ones."""
    chunk = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":9,'
        b'"completion_tokens":%d,"total_tokens":%d}}\n\n'
    )
    answer = answer_of(chunk % (1, 10), chunk % (2, 11), FINISH, DONE, vendor="vllm")
    assert (answer.content, answer.usage) == ("aa", Usage.from_totals(9, 2))


CALL_SHAPES = {
    "no index, distinct ids": [
        b'{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"x\\":"}}',
        b'{"function":{"arguments":"1}"}}',
        b'{"id":"b","type":"function","function":{"name":"f","arguments":"{\\"x\\":2}"}}',
    ],
    "one index for all calls": [
        b'{"index":0,"id":"a","function":{"name":"f","arguments":"{\\"x\\":1}"}}',
        b'{"index":0,"id":"b","function":{"name":"f","arguments":"{\\"x\\":2}"}}',
    ],
    "interleaved, indexes from 1": [
        b'{"index":1,"id":"a","function":{"name":"f","arguments":""}}',
        b'{"index":2,"id":"b","function":{"name":"f","arguments":""}}',
        b'{"index":1,"function":{"arguments":"{\\"x\\":1}"}}',
        b'{"index":2,"function":{"arguments":"{\\"x\\":2}"}}',
    ],
    "argument objects, Mistral null id": [
        b'{"index":0,"id":"null","function":{"name":"f","arguments":{"x":1}}}',
        b'{"index":0,"id":"null","function":{"name":"f","arguments":{"x":2}}}',
    ],
    "TGI id for all calls": [
        b'{"index":0,"id":"0","function":{"name":"f","arguments":"{\\"x\\":1}"}}',
        b'{"index":1,"id":"0","function":{"name":"f","arguments":"{\\"x\\":2}"}}',
    ],
}


@pytest.mark.parametrize("shape", CALL_SHAPES)
def test_tool_calls_survive_any_index(shape: str) -> None:
    """Section 4, tolerate: a missing index; 9.3 TGI; 9.5 Mistral."""
    pieces = [delta(b'"tool_calls":[%s]' % piece) for piece in CALL_SHAPES[shape]]
    answer = answer_of(*pieces, FINISH, DONE, vendor="mistral")
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", {"x": 1}), ("f", {"x": 2})]
    assert len({call.id for call in answer.tool_calls} - {"", "null"}) == 2
    assert answer.stop_reason is StopReason.TOOL_CALLS


@pytest.mark.parametrize(
    ("vendor", "piece"),
    [
        ("deepseek", b'"reasoning_content":"Hmm."'),
        ("groq", b'"reasoning":"Hmm."'),
        ("mistral", b'"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hmm."}]}]'),
    ],
)
def test_reasoning_is_separate_from_content(vendor: str, piece: bytes) -> None:
    """Section 9.2, reasoning text in replies."""
    chunks, answer = read([delta(piece), TEXT, FINISH, DONE], vendor)
    assert (chunks[0].reasoning, chunks[0].text) == ("Hmm.", None)
    assert (answer.reasoning, answer.content) == ("Hmm.", "Hello")


def test_content_parts_list_is_parsed() -> None:
    """Section 9.5, Mistral: streamed `delta.content` may be a list of parts."""
    assert answer_of(delta(b'"content":[{"type":"text","text":"Hi"}]'), FINISH, DONE, vendor="mistral").content == "Hi"


def test_content_of_wrong_type_is_malformed() -> None:
    with pytest.raises(MalformedResponseError):
        answer_of(delta(b'"content":7'), FINISH, DONE)


def test_deepseek_turn_keeps_reasoning_content() -> None:
    """Section 9.2, resending history."""
    answer = answer_of(
        delta(b'"content":null,"reasoning_content":"H"'), delta(b'"reasoning_content":"m."'), CALLS, vendor="deepseek"
    )
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    assert answer.turn == {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [call]}


def test_openrouter_reasoning_details_are_joined() -> None:
    """Section 9.2: `reasoning_details` should be sent back unchanged: a text and the signature are one detail."""
    answer = answer_of(THINKING, TEXT, FINISH, DONE, vendor="openrouter")
    assert answer.reasoning == "Hmm."
    assert answer.turn == {
        "role": "assistant",
        "content": "Hello",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hmm.", "index": 0, "format": "f", "signature": "S1"},
            {"type": "reasoning.encrypted", "data": "E1", "index": 1},
        ],
    }


def test_reasoning_only_turn_has_empty_content() -> None:
    """Section 2 (5): an assistant message needs `content` or `tool_calls`."""
    answer = answer_of(delta(b'"reasoning_content":"Hm."'), finish(b"length"), DONE, vendor="deepseek")
    assert answer.turn == {"role": "assistant", "content": "", "reasoning_content": "Hm."}
    assert answer.stop_reason is StopReason.MAX_TOKENS
