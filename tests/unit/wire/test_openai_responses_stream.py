"""Streams of OpenAI Responses: literal bytes of the wire document, cut anywhere."""

import json
from typing import Any

import pytest
from hypothesis import given

from faultmaven.domain.chat import StopReason, StreamChunk
from faultmaven.domain.errors import (
    ContextLengthError,
    LLMError,
    ProviderUnavailableError,
    RateLimitError,
    RejectedRequestError,
    StreamInterruptedError,
)
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.llm.wire.openai_responses import parse_response, stream_parser
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser

from .samples import FUNCTION_CALL, json_body, reply_of
from .stream_reading import CUT_POSITIONS, call_parts_of, failure_of, join_chunks, read_stream, split_at

DIALECT = "openai-responses"
# openai-responses.md section 4, the events as they stand there
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
# section 3: a reasoning item and what follows it
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA\u00e9..."}


def parser() -> StreamParser:
    return stream_parser(reply_of(DIALECT, b""))


def event(kind: str, **fields: Any) -> bytes:
    """An event in the document's form."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def item_event(step: str, index: Any, item: Any) -> bytes:
    return event(f"response.output_item.{step}", output_index=index, item=item)


def arguments(index: Any, item_id: str, delta: str) -> bytes:
    return event("response.function_call_arguments.delta", output_index=index, item_id=item_id, delta=delta)


def call_item(number: int, arguments: str = "") -> Any:
    item = {**FUNCTION_CALL, "id": f"fc_{number}", "call_id": f"call_{number}", "name": f"tool_{number}"}
    return {**item, "arguments": arguments}


def ended(status: str = "completed", **fields: Any) -> bytes:
    return event(f"response.{status}", response={"status": status, "output": [], **fields})


def read(*blocks: bytes) -> tuple[list[StreamChunk], Answer]:
    return read_stream(parser(), blocks)


def failure(*blocks: bytes) -> LLMError:
    return failure_of(parser(), blocks)


def test_the_documents_stream_is_its_answer() -> None:
    """Section 4, word for word."""
    chunks, answer = read(STREAM)
    assert (answer.content, answer.stop_reason) == ("Hi", StopReason.TOOL_CALLS)
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("call_1", "get_weather", {"city": "Oslo"})
    ]
    assert answer.usage == Usage(input=12, output=30)
    assert answer.turn is None  # nothing in it is opaque
    assert join_chunks(chunks) == ("Hi", "", [("call_1", "get_weather", '{"city":"Oslo"}')])


THINKING = (
    CREATED
    + item_event("added", 0, {**THOUGHT, "encrypted_content": "half"})
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="L\u00f6ok \u2028")
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="it up.")
    + event("response.reasoning_summary_text.done", output_index=0, summary_index=0, text="L\u00f6ok \u2028it up.")
    + event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="Then tell.")
    + item_event("done", 0, THOUGHT)
    + CALL
    + COMPLETED
)


@given(cuts=CUT_POSITIONS)
def test_where_the_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    """Text, calls, reasoning and the kept items."""
    for data in (STREAM, THINKING):
        whole_chunks, whole = read(data)
        chunks, answer = read(*split_at(data, cuts))
        assert answer == whole
        assert join_chunks(chunks) == join_chunks(whole_chunks)


def test_items_are_kept_unchanged_and_in_order() -> None:
    """Section 4, last line: from `output_item.done`; the terminal event's output is empty."""
    chunks, answer = read(THINKING)
    assert answer.turn == [THOUGHT, FUNCTION_CALL]
    assert answer.reasoning == join_chunks(chunks)[1] == "L\u00f6ok \u2028it up.\n\nThen tell."
    assert (answer.content, answer.stop_reason) == ("", StopReason.TOOL_CALLS)


def test_stream_and_whole_reply_say_the_same() -> None:
    """Two summaries, raw thinking and two texts, either way."""
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    thought = {**THOUGHT, "summary": summary, "content": [{"type": "reasoning_text", "text": "Raw."}]}
    parts = [{"type": "output_text", "text": "Hel", "annotations": []}, {"type": "output_text", "text": "lo"}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": parts}
    whole = parse_response(reply_of(DIALECT, json_body({"status": "completed", "output": [thought, message]})))
    _, answer = read(
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="One."),
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="Two."),
        event("response.reasoning_text.delta", output_index=0, content_index=0, delta="Raw."),
        item_event("done", 0, thought),
        event("response.output_text.delta", output_index=1, content_index=0, delta="Hel"),
        event("response.output_text.delta", output_index=1, content_index=1, delta="lo"),
        item_event("done", 1, message),
        ended(),
    )
    for name in ("content", "reasoning", "turn", "stop_reason", "tool_calls"):
        assert getattr(answer, name) == getattr(whole, name), name


def test_items_that_only_the_terminal_event_has_are_the_answer() -> None:
    """It holds the whole response (section 4): a server may send nothing else."""
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    output = [{**THOUGHT, "summary": [{"type": "summary_text", "text": "Hm"}]}, message, FUNCTION_CALL]
    chunks, answer = read(CREATED, ended(output=output, model="gpt-6.2-sol"))
    assert join_chunks(chunks) == ("Hi", "Hm", [("call_1", "get_weather", '{"city":"Oslo"}')])
    assert (answer.content, answer.reasoning, answer.turn) == ("Hi", "Hm", output)
    assert (answer.model, answer.stop_reason) == ("gpt-6.2-sol", StopReason.TOOL_CALLS)


def test_nothing_is_said_twice_when_the_terminal_event_repeats_it() -> None:
    """Deltas, `.done` events, items, twice, and the whole response say the same."""
    again = item_event("added", 1, FUNCTION_CALL) + item_event("done", 1, FUNCTION_CALL)
    message = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    chunks, answer = read(CREATED, MESSAGE, item_event("done", 0, message), CALL, again, ended(output=[FUNCTION_CALL]))
    assert answer.content == join_chunks(chunks)[0] == "Hi"
    assert call_parts_of(answer) == join_chunks(chunks)[2] == [("call_1", "get_weather", '{"city":"Oslo"}')]


@pytest.mark.parametrize("last", ["arguments", "item"])
def test_arguments_that_come_whole_are_not_lost(last: str) -> None:
    """A server without deltas: the `.done` event of either kind has them."""
    whole = {"item_id": "fc_1", "output_index": 1, "arguments": '{"city":"Oslo"}'}
    done = {
        "arguments": event("response.function_call_arguments.done", **whole),
        "item": item_event("done", 1, FUNCTION_CALL),
    }
    _, answer = read(item_event("added", 1, {**FUNCTION_CALL, "arguments": ""}), done[last], ended())
    assert call_parts_of(answer) == [("call_1", "get_weather", '{"city":"Oslo"}')]


@pytest.mark.parametrize("indexes", [(1, 2), (2, 1), (0, 0), (None, None), (7, "x")])
def test_two_calls_whose_pieces_alternate_stay_apart(indexes: tuple[Any, Any]) -> None:
    """Whatever index they have, the same or none: the item's id says which one a piece belongs to."""
    first, second = indexes
    chunks, answer = read(
        item_event("added", first, call_item(1)),
        item_event("added", second, call_item(2)),
        arguments(first, "fc_1", '{"a":'),
        arguments(second, "fc_2", '{"b":'),
        arguments(first, "fc_1", "1}"),
        arguments(second, "fc_2", "2}"),
        item_event("done", first, THOUGHT),
        item_event("done", first, call_item(1, '{"a":1}')),
        item_event("done", second, call_item(2, '{"b":2}')),
        ended(),
    )
    expected = [("call_1", "tool_1", '{"a":1}'), ("call_2", "tool_2", '{"b":2}')]
    assert call_parts_of(answer) == join_chunks(chunks)[2] == expected
    assert isinstance(answer.turn, list)
    assert len(answer.turn) == 3  # none hides another


def test_item_ids_that_change_with_each_event_do_not_double_arguments() -> None:
    """Then the index says it."""
    _, answer = read(
        item_event("added", 1, {**call_item(1), "id": "x1"}),
        arguments(1, "x2", '{"a":1}'),
        item_event("done", 1, {**call_item(1, '{"a":1}'), "id": "x3"}),
        ended(),
    )
    assert call_parts_of(answer) == [("call_1", "tool_1", '{"a":1}')]


def test_calls_without_an_id_get_one() -> None:
    """And the items are not kept: the results would not find their calls there."""
    item = {name: value for name, value in FUNCTION_CALL.items() if name != "call_id"}
    _, answer = read(item_event("done", 0, THOUGHT), item_event("added", 1, item), item_event("done", 1, item), ended())
    assert [(call.id != "", call.arguments) for call in answer.tool_calls] == [(True, {"city": "Oslo"})]
    assert answer.turn is None


def test_refusal_is_text_and_a_filter() -> None:
    """Section 3, table, and section 4, `response.refusal.delta`."""
    pieces = [event("response.refusal.delta", output_index=0, content_index=0, delta=text) for text in ("I ", "can't.")]
    done = event("response.refusal.done", output_index=0, content_index=0, refusal="I can't.")
    chunks, answer = read(CREATED, *pieces, done, ended())
    assert answer.content == join_chunks(chunks)[0] == "I can't."
    assert answer.stop_reason is StopReason.CONTENT_FILTER


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("max_output_tokens", StopReason.MAX_TOKENS), ("content_filter", StopReason.CONTENT_FILTER)],
)
def test_incomplete_answer_says_why(reason: str, expected: StopReason) -> None:
    """Section 3, table; thinking that nothing follows does not go back (section 5, trap 3)."""
    _, answer = read(item_event("done", 0, THOUGHT), ended("incomplete", incomplete_details={"reason": reason}))
    assert (answer.stop_reason, answer.turn) == (expected, None)


def test_calls_of_an_incomplete_answer_do_not_make_it_whole() -> None:
    """The last call may be cut."""
    _, answer = read(CALL, ended("incomplete", incomplete_details={"reason": "max_output_tokens"}))
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
def test_failure_is_the_same_error_in_all_its_forms(code: str | None, expected: type[LLMError]) -> None:
    """Section 3, table: a failed response; section 4: the flat error event."""
    told = {"code": code, "message": "secret prose"}
    for error in (
        failure(CREATED, ended("failed", error=told)),
        failure(CREATED, event("error", **told, param=None, sequence_number=3)),
    ):
        assert type(error) is expected
        assert error.code == (code or "")
        assert "secret" not in str(error)


def test_nested_error_event_is_a_context_overflow() -> None:
    """Section 4, as seen in the wild, word for word."""
    error = failure(
        b'data: {"type":"error","sequence_number":2,"error":{"type":"invalid_request_error",'
        b'"code":"context_length_exceeded","message":"Your input exceeds the context window of this model. ...",'
        b'"param":"input"}}\n\n'
    )
    assert type(error) is ContextLengthError


def test_failure_by_policy_is_a_filter() -> None:
    """Section 3, table."""
    _, answer = read(CREATED, ended("failed", error={"code": "bio_policy", "message": "..."}))
    assert (answer.content, answer.stop_reason) == ("", StopReason.CONTENT_FILTER)


@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n"])
def test_stream_without_a_terminal_event_is_cut(after: bytes) -> None:
    """Section 4: no `[DONE]` is required, and it ends nothing."""
    made = parser()
    made.feed(CREATED + MESSAGE + after)
    made.rest()
    assert not made.may_end
    with pytest.raises(StreamInterruptedError):
        made.close()
    assert (made.partial().content, made.partial().stop_reason) == ("Hi", StopReason.UNKNOWN)


def test_what_comes_after_the_terminal_event_is_none_of_it() -> None:
    """A tolerated `[DONE]`, and anything else."""
    assert read(STREAM, b"data: [DONE]\n\n", MESSAGE)[1] == read(STREAM)[1]


def test_unknown_events_and_odd_values_are_passed_over() -> None:
    """Hosted tools' events, and events of tomorrow."""
    odd = [
        event("response.web_search_call.searching", output_index=0, item_id="ws_1"),
        event("response.output_text.delta", delta=None),
        event("response.function_call_arguments.delta", delta=7, output_index=[]),
        event("response.output_item.done", item="x"),
        event("response.of.tomorrow.delta", delta="no"),
        b"data: {}\n\n",
    ]
    assert read(*odd, STREAM, *odd)[1] == read(STREAM)[1]
