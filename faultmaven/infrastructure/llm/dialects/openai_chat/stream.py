"""Stream parser of OpenAI Chat. Source: openai-chat.md, sections 4 and 9.3, 2026-11-23."""

from collections.abc import Mapping
from typing import Any

from .....domain.responses import StopReason
from ....http.types import Json, WireReply
from ..shared.errors import raise_for_error_body
from ..shared.framing import ServerSentEvents
from ..shared.outcomes import failed_answer_error
from ..shared.reading import object_or_empty, objects_in, string_or_empty, write_json
from ..shared.streaming import EventParser
from .messages import write_call
from .response import FAILED_REASONS, STOP_REASONS, read_call_id, read_content_text, read_reasoning, read_usage


class OpenAIChatStream(EventParser):
    """Parser of data-only events. `[DONE]` is the end marker; an answer with a finish reason is complete."""

    stop_reasons: Mapping[str, StopReason] = STOP_REASONS
    ends_with_done = True
    ends_with_reason = True

    def __init__(self, head: WireReply, returned: frozenset[str]) -> None:
        super().__init__(head, ServerSentEvents())
        self._returned = returned
        self._replayed: dict[str, Any] = {}

    def read(self, name: str, data: Json) -> None:
        """Read one chunk."""
        self.model = string_or_empty(data.get("model")) or self.model
        groq = object_or_empty(data.get("x_groq"))
        if groq:
            raise_for_error_body(self.head, groq)
        usage = data.get("usage") or groq.get("usage")
        if usage:
            self.set_usage(read_usage(usage))
        choices = objects_in(data.get("choices"))
        if not choices:
            return
        self._read_delta(self._delta_of(choices[0]))
        reason = string_or_empty(choices[0].get("finish_reason"))
        if reason in FAILED_REASONS:
            raise failed_answer_error(self.head, reason)
        self.reason = reason or self.reason

    def replay_turn(self) -> object:
        """Return the message with the fields that this vendor requires in a replay, None without such fields."""
        if not self._replayed:
            return None
        calls = [write_call(call) for call in self.calls.build_calls()]
        message: Json = {"role": "assistant", "content": self.text or (None if calls else ""), **self._replayed}
        return {**message, "tool_calls": calls} if calls else message

    def _delta_of(self, choice: Json) -> Json:
        """Return the delta of a choice. A `message` without any delta is the answer; after deltas it repeats them."""
        delta = choice.get("delta")
        if isinstance(delta, dict):
            return delta
        return {} if self.has_text or self.calls.has_calls else object_or_empty(choice.get("message"))

    def _read_delta(self, delta: Json) -> None:
        self.add_reasoning(read_reasoning(delta))
        self.add_text(read_content_text(self.head, delta.get("content")))
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self.is_refused = True
            self.add_text(refusal)
        for call in objects_in(delta.get("tool_calls")):
            self._read_call(call)
        for field in self._returned:
            self._add_returned(field, delta.get(field))

    def _read_call(self, call: Json) -> None:
        function = object_or_empty(call.get("function")) or object_or_empty(call.get("custom"))
        index = call.get("index")
        arguments = function.get("arguments", function.get("input"))
        text = write_json(arguments).decode() if isinstance(arguments, dict) else string_or_empty(arguments)
        self.add_call(
            index if isinstance(index, int) else None,
            read_call_id(call.get("id")),
            string_or_empty(function.get("name")),
            text,
        )

    def _add_returned(self, field: str, piece: Any) -> None:
        if isinstance(piece, str) and piece:
            self._replayed[field] = self._replayed.get(field, "") + piece
        elif isinstance(piece, list) and piece:
            self._replayed[field] = join_reasoning_details([*self._replayed.get(field, []), *objects_in(piece)])


def join_reasoning_details(pieces: list[Json]) -> list[Json]:
    """Return OpenRouter's reasoning details, each joined from its pieces, with the signature."""
    details: list[Json] = []
    for piece in pieces:
        last = details[-1] if details else {}
        if "data" in piece or not last or any(last.get(key) != piece.get(key) for key in ("type", "index")):
            details.append(piece)
            continue
        details[-1] = {**last, **{key: _merge_value(key, last.get(key), value) for key, value in piece.items()}}
    return details


def _merge_value(key: str, before: Any, piece: Any) -> Any:
    if key in ("text", "summary") and isinstance(before, str) and isinstance(piece, str):
        return before + piece
    return before if piece is None else piece
