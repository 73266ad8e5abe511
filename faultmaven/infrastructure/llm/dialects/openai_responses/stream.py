"""Stream parser of OpenAI Responses. Source: openai-responses.md, section 4, 2026-11-23."""

from dataclasses import replace

from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.errors import raise_for_error_body
from ..shared.framing import ServerSentEvents
from ..shared.reading import object_or_empty, objects_in, string_or_empty
from ..shared.streaming import EventParser
from .response import (
    CALL_TYPES,
    REASONING_SEPARATOR,
    failed_response_error,
    has_refusal,
    read_answer,
    read_stop_reason,
    read_usage,
    replay_items,
)

TERMINAL_EVENTS = ("response.completed", "response.incomplete", "response.failed")
# Event type to the key that holds the complete text in its `.done` event. Its `.delta` events hold the pieces.
TEXT_EVENTS = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
}
ARGUMENT_EVENTS = {"response.function_call_arguments": "arguments", "response.custom_tool_call_input": "input"}


class ResponseStream(EventParser):
    """Parser of named events. A terminal event holds the status and the token counts; the items come before."""

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._items: dict[tuple[int | None, str, str], Json] = {}
        self._final: Json = {}
        self._received_texts: set[tuple[str, int | None, object]] = set()
        self._reasoning_part: tuple[str, int | None, object] | None = None
        self._call_ids: dict[str | int | None, str] = {}  # by item id; also the newest by output index
        self._begun_calls: set[tuple[int | None, str, str]] = set()
        self._calls_with_arguments: set[tuple[int | None, str]] = set()

    def read(self, name: str, data: Json) -> None:
        """Read one event; unknown events are ignored."""
        event_type = string_or_empty(data.get("type")) or name
        family, _, step = event_type.rpartition(".")
        if family in TEXT_EVENTS and step in ("delta", "done"):
            self._read_text(family, step, data)
        elif family in ARGUMENT_EVENTS and step in ("delta", "done"):
            text = string_or_empty(data.get("delta" if step == "delta" else ARGUMENT_EVENTS[family]))
            item_id = string_or_empty(data.get("item_id"))
            self._add_arguments(_read_index(data.get("output_index")), item_id, text, is_complete=step == "done")
        elif family == "response.output_item":
            self._read_item(step, _read_index(data.get("output_index")), object_or_empty(data.get("item")))
        elif event_type == "response.created":
            self.model = string_or_empty(object_or_empty(data.get("response")).get("model"))
        elif event_type in TERMINAL_EVENTS:
            self._finish(step, object_or_empty(data.get("response")))
        elif event_type == "error":  # the flat form; the base class handles the nested form with an `error` object
            raise failed_response_error(self.head, {"code": data.get("code"), "message": data.get("message")})

    def close(self) -> Answer:
        """Return the complete answer; see `StreamParser`."""
        streamed = super().close()  # raises if the stream is incomplete
        reason = read_stop_reason(self.head, self._final, has_calls=self.calls.has_calls, is_refused=self.is_refused)
        return replace(streamed, stop_reason=reason)

    def replay_turn(self) -> object:
        """Return the original items for replay, None where text and calls are enough."""
        if not self.has_ended:
            return None
        # Encrypted content is complete only in the `.done` event of an item.
        ordered = sorted(self._items.items(), key=lambda pair: len(self._items) if pair[0][0] is None else pair[0][0])
        done, final = [item for _, item in ordered], objects_in(self._final.get("output"))
        return replay_items(final if len(final) > len(done) else done)

    def _read_text(self, family: str, step: str, data: Json) -> None:
        text = string_or_empty(data.get("delta" if step == "delta" else TEXT_EVENTS[family]))
        index_key = "summary_index" if family == "response.reasoning_summary_text" else "content_index"
        part = (family, _read_index(data.get("output_index")), _read_index(data.get(index_key)))
        if not text or (step == "done" and part in self._received_texts):
            return
        self._received_texts.add(part)
        if "reasoning" in family:
            self.add_reasoning(REASONING_SEPARATOR if self._reasoning_part not in (None, part) else "")
            self.add_reasoning(text)
            self._reasoning_part = part
        else:
            self.is_refused = self.is_refused or family == "response.refusal"
            self.add_text(text)

    def _read_item(self, step: str, index: int | None, item: Json) -> None:
        if item.get("type") in CALL_TYPES and step in ("added", "done"):
            self._begin_call(index, item)
        if step == "done" and item:
            self._items[_item_key(index, item)] = item
            if item.get("type") in CALL_TYPES:
                arguments = string_or_empty(item.get("arguments", item.get("input")))
                self._add_arguments(index, string_or_empty(item.get("id")), arguments, is_complete=True)

    def _begin_call(self, index: int | None, item: Json) -> None:
        key = _item_key(index, item)
        if key in self._begun_calls:
            return
        self._begun_calls.add(key)
        _, item_id, call_id = key
        self._call_ids[index] = call_id
        if item_id:
            self._call_ids[item_id] = call_id
        self.add_call(index, call_id, string_or_empty(item.get("name")), "")

    def _add_arguments(self, index: int | None, item_id: str, text: str, *, is_complete: bool) -> None:
        """Add arguments to the call of this item, since two calls may share an index.

        The complete text is used only if no piece came before.
        """
        call_id = self._call_ids.get(item_id) or self._call_ids.get(index, "")
        if not text or (is_complete and (index, call_id) in self._calls_with_arguments):
            return
        self._calls_with_arguments.add((index, call_id))
        self.add_call(index, call_id, "", text)

    def _finish(self, status: str, response: Json) -> None:
        self._final = {**response, "status": status}
        raise_for_error_body(self.head, {} if status == "failed" else response)
        self._add_missing(objects_in(response.get("output")))
        self.model = string_or_empty(response.get("model")) or self.model
        self.set_usage(read_usage(response.get("usage")))
        self.has_ended = True

    def _add_missing(self, items: list[Json]) -> None:
        """Add text, reasoning and calls that only the terminal event holds: some servers send few other events."""
        final = read_answer(self.head, self._final, items)  # raises if the response failed
        if not self._reasoning:
            self.add_reasoning(final.reasoning)
        if not self.has_text:
            self.is_refused = self.is_refused or has_refusal(items)
            self.add_text(final.content)
        if not self.calls.has_calls:
            for position, call in enumerate(final.tool_calls):
                self.add_call(position, call.id, call.name, call.raw_arguments)


def _read_index(position: object) -> int | None:
    return position if isinstance(position, int) else None


def _item_key(index: int | None, item: Json) -> tuple[int | None, str, str]:
    return index, string_or_empty(item.get("id")), string_or_empty(item.get("call_id"))
