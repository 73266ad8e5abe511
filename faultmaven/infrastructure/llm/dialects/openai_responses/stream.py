"""The stream of OpenAI Responses. Source: openai-responses.md, section 4, 2026-11-23."""

from dataclasses import replace

from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.errors import raise_for_error_body
from ..shared.framing import ServerSentEvents
from ..shared.reading import object_or_empty, objects_in, string_or_empty
from ..shared.streaming import EventParser
from .response import (
    BETWEEN_THOUGHTS,
    CALL_TYPES,
    failed_response_error,
    has_refusal,
    read_answer,
    read_stop_reason,
    read_usage,
    replay_items,
)

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
# Where the `.done` event of each kind holds the whole; its `.delta` events hold the pieces.
TEXTS = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
}
ARGUMENTS = {"response.function_call_arguments": "arguments", "response.custom_tool_call_input": "input"}


class ResponseStream(EventParser):
    """Named events; a terminal one holds the status and the counts, the items come before it."""

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._items: dict[tuple[int | None, str, str], Json] = {}
        self._final: Json = {}
        self._told: set[tuple[str, int | None, object]] = set()
        self._thought_at: tuple[str, int | None, object] | None = None
        self._call_ids: dict[str | int | None, str] = {}  # by the item's id, and the newest by its place
        self._begun: set[tuple[int | None, str, str]] = set()
        self._argued: set[tuple[int | None, str]] = set()

    def read(self, name: str, data: Json) -> None:
        """Take note of one event; unknown ones are passed over."""
        kind = string_or_empty(data.get("type")) or name
        base, _, step = kind.rpartition(".")
        if base in TEXTS and step in ("delta", "done"):
            self._read_text(base, step, data)
        elif base in ARGUMENTS and step in ("delta", "done"):
            text = string_or_empty(data.get("delta" if step == "delta" else ARGUMENTS[base]))
            item_id = string_or_empty(data.get("item_id"))
            self._add_arguments(_index(data.get("output_index")), item_id, text, is_whole=step == "done")
        elif base == "response.output_item":
            self._read_item(step, _index(data.get("output_index")), object_or_empty(data.get("item")))
        elif kind == "response.created":
            self.model = string_or_empty(object_or_empty(data.get("response")).get("model"))
        elif kind in TERMINAL:
            self._finish(step, object_or_empty(data.get("response")))
        elif kind == "error":  # the flat form; the nested one has an `error`, which the base takes
            raise failed_response_error(self.head, {"code": data.get("code"), "message": data.get("message")})

    def close(self) -> Answer:
        """Return the whole answer; see `StreamParser`."""
        streamed = super().close()  # raises where there was no end
        ended = read_stop_reason(self.head, self._final, has_calls=self.calls.has_calls, is_refused=self.is_refused)
        return replace(streamed, stop_reason=ended)

    def replay_turn(self) -> object:
        """Return the items as they came, where they have to go back so."""
        if not self.has_ended:
            return None
        # Only when an item is done is what is encrypted in it complete.
        by_place = sorted(self._items.items(), key=lambda pair: len(self._items) if pair[0][0] is None else pair[0][0])
        done, final = [item for _, item in by_place], objects_in(self._final.get("output"))
        return replay_items(final if len(final) > len(done) else done)

    def _read_text(self, base: str, step: str, data: Json) -> None:
        text = string_or_empty(data.get("delta" if step == "delta" else TEXTS[base]))
        part = _index(data.get("summary_index" if base == "response.reasoning_summary_text" else "content_index"))
        place = (base, _index(data.get("output_index")), part)
        if not text or (step == "done" and place in self._told):
            return
        self._told.add(place)
        if "reasoning" in base:
            self.add_reasoning(BETWEEN_THOUGHTS if self._thought_at not in (None, place) else "")
            self.add_reasoning(text)
            self._thought_at = place
        else:
            self.is_refused = self.is_refused or base == "response.refusal"
            self.add_text(text)

    def _read_item(self, step: str, index: int | None, item: Json) -> None:
        if item.get("type") in CALL_TYPES and step in ("added", "done"):
            self._begin_call(index, item)
        if step == "done" and item:
            self._items[_key(index, item)] = item
            if item.get("type") in CALL_TYPES:
                whole = string_or_empty(item.get("arguments", item.get("input")))
                self._add_arguments(index, string_or_empty(item.get("id")), whole, is_whole=True)

    def _begin_call(self, index: int | None, item: Json) -> None:
        key = _key(index, item)
        if key in self._begun:
            return
        self._begun.add(key)
        _, item_id, call_id = key
        self._call_ids[index] = call_id
        if item_id:
            self._call_ids[item_id] = call_id
        self.add_call(index, call_id, string_or_empty(item.get("name")), "")

    def _add_arguments(self, index: int | None, item_id: str, text: str, *, is_whole: bool) -> None:
        """Add to the call of this item: two may have one index. The whole counts where no piece came before it."""
        call_id = self._call_ids.get(item_id) or self._call_ids.get(index, "")
        if not text or (is_whole and (index, call_id) in self._argued):
            return
        self._argued.add((index, call_id))
        self.add_call(index, call_id, "", text)

    def _finish(self, status: str, response: Json) -> None:
        self._final = {**response, "status": status}
        raise_for_error_body(self.head, {} if status == "failed" else response)
        self._add_missing(objects_in(response.get("output")))
        self.model = string_or_empty(response.get("model")) or self.model
        self.set_usage(read_usage(response.get("usage")))
        self.has_ended = True

    def _add_missing(self, items: list[Json]) -> None:
        """Add what only the terminal event says: some servers send few events before it."""
        told = read_answer(self.head, self._final, items)  # raises where the response failed
        if not self._reasoning:
            self.add_reasoning(told.reasoning)
        if not self.has_text:
            self.is_refused = self.is_refused or has_refusal(items)
            self.add_text(told.content)
        if not self.calls.has_calls:
            for place, call in enumerate(told.tool_calls):
                self.add_call(place, call.id, call.name, call.raw_arguments)


def _index(place: object) -> int | None:
    return place if isinstance(place, int) else None


def _key(index: int | None, item: Json) -> tuple[int | None, str, str]:
    return index, string_or_empty(item.get("id")), string_or_empty(item.get("call_id"))
