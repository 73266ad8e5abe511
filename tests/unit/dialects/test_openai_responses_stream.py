"""Streams of OpenAI Responses: literal bytes of the vendor's document, cut at any position."""

import json
from typing import Any

import pytest
from hypothesis import given

from faultmaven.domain.errors import (
    ContextLengthError,
    LLMError,
    ProviderUnavailableError,
    RateLimitError,
    RejectedRequestError,
    StreamInterruptedError,
)
from faultmaven.domain.responses import StopReason, StreamChunk
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.dialects.openai_responses.dialect import parse_response, stream_parser
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

from .samples import FUNCTION_CALL, json_body, reply_of
from .stream_reading import CUT_POSITIONS, call_parts_of, failure_of, join_chunks, read_stream, split_at

DIALECT = "openai-responses"
# openai-responses.md section 4, events copied verbatim
CREATED = (
    b"event: response.created\n"
    b'data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress",'
    b'"output":[]}}\n\n'
)
MESSAGE = (
    b"event: response.output_item.added\n"
    b'data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1",'
    b'"type":"message","role":"assistant","status":"in_progress","content":[]}}\n\n'
    b"event: response.content_part.added\n"
    b'data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,'
    b'"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}\n\n'
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,'
    b'"content_index":0,"delta":"Hi","logprobs":[]}\n\n'
    b"event: response.output_text.done\n"
    b'data: {"type":"response.output_text.done","sequence_number":4,"item_id":"msg_1","output_index":0,'
    b'"content_index":0,"text":"Hi","logprobs":[]}\n\n'
)
CALL = (
    b"event: response.output_item.added\n"
    b'data: {"type":"response.output_item.added","sequence_number":5,"output_index":1,"item":{"type":"function_call",'
    b'"id":"fc_1","call_id":"call_1","name":"get_weather","arguments":"","status":"in_progress"}}\n\n'
    b"event: response.function_call_arguments.delta\n"
    b'data: {"type":"response.function_call_arguments.delta","sequence_number":6,"item_id":"fc_1","output_index":1,'
    b'"delta":"{\\"city\\":\\"Oslo\\"}"}\n\n'
    b"event: response.function_call_arguments.done\n"
    b'data: {"type":"response.function_call_arguments.done","sequence_number":7,"item_id":"fc_1","output_index":1,'
    b'"arguments":"{\\"city\\":\\"Oslo\\"}"}\n\n'
    b"event: response.output_item.done\n"
    b'data: {"type":"response.output_item.done","sequence_number":8,"output_index":1,"item":{"type":"function_call",'
    b'"id":"fc_1","call_id":"call_1","name":"get_weather","arguments":"{\\"city\\":\\"Oslo\\"}",'
    b'"status":"completed"}}\n\n'
)
COMPLETED = (
    b"event: response.completed\n"
    b'data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed",'
    b'"output":[],"usage":{"input_tokens":12,"output_tokens":30,"total_tokens":42}}}\n\n'
)
STREAM = CREATED + MESSAGE + CALL + COMPLETED
# section 3: a reasoning item, followed by a call
REASONING_ITEM = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA\u00e9..."}


def new_parser() -> StreamParser:
    return stream_parser(reply_of(DIALECT, b""))


def event(kind: str, **fields: Any) -> bytes:
    """Return an event in the documented form."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def item_event(step: str, index: Any, item: Any) -> bytes:
    return event(f"response.output_item.{step}", output_index=index, item=item)


def arguments(index: Any, item_id: str, delta: str) -> bytes:
    return event("response.function_call_arguments.delta", output_index=index, item_id=item_id, delta=delta)


def call_item(number: int, arguments: str = "") -> Any:
    item = {**FUNCTION_CALL, "id": f"fc_{number}", "call_id": f"call_{number}", "name": f"tool_{number}"}
    return {**item, "arguments": arguments}


def terminal_event(status: str = "completed", **fields: Any) -> bytes:
    return event(f"response.{status}", response={"status": status, "output": [], **fields})


def read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    return read_stream(new_parser(), blocks)


def failure(*blocks: bytes) -> LLMError:
    return failure_of(new_parser(), blocks)


def test_documented_stream_gives_complete_answer() -> None:
    """Section 4, word for word."""
    chunks, answer = read(STREAM)
    assert (answer.content, answer.stop_reason) == ("Hi", StopReason.TOOL_CALLS)
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("call_1", "get_weather", {"city": "Oslo"})
    ]
    assert answer.usage == Usage(input=12, output=30)
    assert answer.turn is None  # no item is opaque
    assert join_chunks(chunks) == ("Hi", "", [("call_1", "get_weather", '{"city":"Oslo"}')])


THINKING = (
    CREATED
    + item_event("added", 0, {**REASONING_ITEM, "encrypted_content": "half"})
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="L\u00f6ok \u2028")
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="it up.")
    + event("response.reasoning_summary_text.done", output_index=0, summary_index=0, text="L\u00f6ok \u2028it up.")
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="Then tell.")
    + item_event("done", 0, REASONING_ITEM)
    + CALL
    + COMPLETED
)


@given(cuts=CUT_POSITIONS)
def test_stream_does_not_depend_on_cuts(cuts: list[int]) -> None:
    """Text, calls, reasoning and the kept items are compared."""
    for data in (STREAM, THINKING):
        complete_chunks, complete = read(data)
        chunks, answer = read(*split_at(data, cuts))
        assert answer == complete
        assert join_chunks(chunks) == join_chunks(complete_chunks)


def test_items_are_kept_unchanged_in_order() -> None:
    """Section 4, last line: from `output_item.done`; the terminal event's output is empty."""
    chunks, answer = read(THINKING)
    assert answer.turn == [REASONING_ITEM, FUNCTION_CALL]
    assert answer.reasoning == join_chunks(chunks)[1] == "L\u00f6ok \u2028it up.\n\nThen tell."
    assert (answer.content, answer.stop_reason) == ("", StopReason.TOOL_CALLS)


def test_stream_and_plain_reply_give_same_answer() -> None:
    """Two summaries, raw thinking and two texts."""
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    reasoning_item = {**REASONING_ITEM, "summary": summary, "content": [{"type": "reasoning_text", "text": "Raw."}]}
    parts = [{"type": "output_text", "text": "Hel", "annotations": []}, {"type": "output_text", "text": "lo"}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": parts}
    complete = parse_response(
        reply_of(DIALECT, json_body({"status": "completed", "output": [reasoning_item, message]}))
    )
    _, answer = read(
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="One."),
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="Two."),
        event("response.reasoning_text.delta", output_index=0, content_index=0, delta="Raw."),
        item_event("done", 0, reasoning_item),
        event("response.output_text.delta", output_index=1, content_index=0, delta="Hel"),
        event("response.output_text.delta", output_index=1, content_index=1, delta="lo"),
        item_event("done", 1, message),
        terminal_event(),
    )
    for name in ("content", "reasoning", "turn", "stop_reason", "tool_calls"):
        assert getattr(answer, name) == getattr(complete, name), name


def test_terminal_event_alone_gives_complete_answer() -> None:
    """The terminal event holds the whole response (section 4): a server may send no other event."""
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    output = [{**REASONING_ITEM, "summary": [{"type": "summary_text", "text": "Hm"}]}, message, FUNCTION_CALL]
    chunks, answer = read(CREATED, terminal_event(output=output, model="gpt-6.2-sol"))
    assert join_chunks(chunks) == ("Hi", "Hm", [("call_1", "get_weather", '{"city":"Oslo"}')])
    assert (answer.content, answer.reasoning, answer.turn) == ("Hi", "Hm", output)
    assert (answer.model, answer.stop_reason) == ("gpt-6.2-sol", StopReason.TOOL_CALLS)


def test_repeated_items_do_not_duplicate_answer() -> None:
    """Deltas, `.done` events, repeated items and the terminal event hold the same content."""
    repeated = item_event("added", 1, FUNCTION_CALL) + item_event("done", 1, FUNCTION_CALL)
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    chunks, answer = read(
        CREATED, MESSAGE, item_event("done", 0, message), CALL, repeated, terminal_event(output=[FUNCTION_CALL])
    )
    assert answer.content == join_chunks(chunks)[0] == "Hi"
    assert call_parts_of(answer) == join_chunks(chunks)[2] == [("call_1", "get_weather", '{"city":"Oslo"}')]


@pytest.mark.parametrize("last", ["arguments", "item"])
def test_arguments_without_deltas_are_kept(last: str) -> None:
    """A server without deltas sends the arguments in a `.done` event of either kind."""
    complete = {"item_id": "fc_1", "output_index": 1, "arguments": '{"city":"Oslo"}'}
    done = {
        "arguments": event("response.function_call_arguments.done", **complete),
        "item": item_event("done", 1, FUNCTION_CALL),
    }
    _, answer = read(item_event("added", 1, {**FUNCTION_CALL, "arguments": ""}), done[last], terminal_event())
    assert call_parts_of(answer) == [("call_1", "get_weather", '{"city":"Oslo"}')]


@pytest.mark.parametrize("indexes", [(1, 2), (2, 1), (0, 0), (None, None), (7, "x")])
def test_interleaved_tool_calls_survive_any_index(indexes: tuple[Any, Any]) -> None:
    """With a repeated or missing index, the item id tells which call a delta belongs to."""
    first, second = indexes
    chunks, answer = read(
        item_event("added", first, call_item(1)),
        item_event("added", second, call_item(2)),
        arguments(first, "fc_1", '{"a":'),
        arguments(second, "fc_2", '{"b":'),
        arguments(first, "fc_1", "1}"),
        arguments(second, "fc_2", "2}"),
        item_event("done", first, REASONING_ITEM),
        item_event("done", first, call_item(1, '{"a":1}')),
        item_event("done", second, call_item(2, '{"b":2}')),
        terminal_event(),
    )
    expected = [("call_1", "tool_1", '{"a":1}'), ("call_2", "tool_2", '{"b":2}')]
    assert call_parts_of(answer) == join_chunks(chunks)[2] == expected
    assert isinstance(answer.turn, list)
    assert len(answer.turn) == 3  # no item replaces another


def test_changing_item_ids_do_not_duplicate_arguments() -> None:
    """The output index identifies the call then."""
    _, answer = read(
        item_event("added", 1, {**call_item(1), "id": "x1"}),
        arguments(1, "x2", '{"a":1}'),
        item_event("done", 1, {**call_item(1, '{"a":1}'), "id": "x3"}),
        terminal_event(),
    )
    assert call_parts_of(answer) == [("call_1", "tool_1", '{"a":1}')]


def test_calls_without_id_get_generated_ids() -> None:
    """The items are not kept: tool results could not refer to the calls in the items."""
    item = {name: value for name, value in FUNCTION_CALL.items() if name != "call_id"}
    _, answer = read(
        item_event("done", 0, REASONING_ITEM),
        item_event("added", 1, item),
        item_event("done", 1, item),
        terminal_event(),
    )
    assert [(call.id != "", call.arguments) for call in answer.tool_calls] == [(True, {"city": "Oslo"})]
    assert answer.turn is None


def test_refusal_gives_text_and_content_filter() -> None:
    """Section 3, table, and section 4, `response.refusal.delta`."""
    deltas = [event("response.refusal.delta", output_index=0, content_index=0, delta=text) for text in ("I ", "can't.")]
    done = event("response.refusal.done", output_index=0, content_index=0, refusal="I can't.")
    chunks, answer = read(CREATED, *deltas, done, terminal_event())
    assert answer.content == join_chunks(chunks)[0] == "I can't."
    assert answer.stop_reason is StopReason.CONTENT_FILTER


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("max_output_tokens", StopReason.MAX_TOKENS), ("content_filter", StopReason.CONTENT_FILTER)],
)
def test_incomplete_answer_has_documented_stop_reason(reason: str, expected: StopReason) -> None:
    """Section 3, table; reasoning without a following item is not kept (section 5, trap 3)."""
    _, answer = read(
        item_event("done", 0, REASONING_ITEM), terminal_event("incomplete", incomplete_details={"reason": reason})
    )
    assert (answer.stop_reason, answer.turn) == (expected, None)


def test_calls_do_not_override_incomplete_status() -> None:
    """The last call may be cut."""
    _, answer = read(CALL, terminal_event("incomplete", incomplete_details={"reason": "max_output_tokens"}))
    assert answer.stop_reason is StopReason.MAX_TOKENS


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("server_error", ProviderUnavailableError),
        ("server_is_overloaded", ProviderUnavailableError),
        ("rate_limit_exceeded", RateLimitError),
        ("invalid_prompt", RejectedRequestError),
        ("context_length_exceeded", ContextLengthError),
        (None, ProviderUnavailableError),
    ],
)
def test_both_failure_forms_raise_same_error(code: str | None, expected: type[LLMError]) -> None:
    """Section 3, table: a failed response; section 4: the flat error event."""
    error_object = {"code": code, "message": "secret prose"}
    for error in (
        failure(CREATED, terminal_event("failed", error=error_object)),
        failure(CREATED, event("error", **error_object, param=None, sequence_number=3)),
    ):
        assert type(error) is expected
        assert error.code == (code or "")
        assert "secret" not in str(error)


def test_nested_error_event_raises_context_length_error() -> None:
    """Section 4, an observed event, copied verbatim."""
    error = failure(
        b'data: {"type":"error","sequence_number":2,"error":{"type":"invalid_request_error",'
        b'"code":"context_length_exceeded","message":"Your input exceeds the context window of this model. ...",'
        b'"param":"input"}}\n\n'
    )
    assert type(error) is ContextLengthError


def test_policy_failure_gives_content_filter() -> None:
    """Section 3, table."""
    _, answer = read(CREATED, terminal_event("failed", error={"code": "bio_policy", "message": "..."}))
    assert (answer.content, answer.stop_reason) == ("", StopReason.CONTENT_FILTER)


@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n"])
def test_stream_without_terminal_event_is_interrupted(after: bytes) -> None:
    """Section 4: `[DONE]` is not required and does not end the stream."""
    parser = new_parser()
    parser.feed(CREATED + MESSAGE + after)
    parser.flush()
    assert not parser.may_end
    with pytest.raises(StreamInterruptedError):
        parser.close()
    assert (parser.partial().content, parser.partial().stop_reason) == ("Hi", StopReason.UNKNOWN)


def test_events_after_terminal_event_are_ignored() -> None:
    """A tolerated `[DONE]`, and any other event."""
    assert read(STREAM, b"data: [DONE]\n\n", MESSAGE)[1] == read(STREAM)[1]


def test_unknown_events_and_values_are_ignored() -> None:
    """Events of hosted tools, and future events."""
    odd = [
        event("response.web_search_call.searching", output_index=0, item_id="ws_1"),
        event("response.output_text.delta", delta=None),
        event("response.function_call_arguments.delta", delta=7, output_index=[]),
        event("response.output_item.done", item="x"),
        event("response.of.tomorrow.delta", delta="no"),
        b"data: {}\n\n",
    ]
    assert read(*odd, STREAM, *odd)[1] == read(STREAM)[1]
