"""Stream parser of Cohere v2. Source: cohere-v2-chat.md, section 4, 2026-11-23."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .....domain.responses import StopReason
from ....http.types import Json, WireReply
from ..openai_chat.messages import write_call
from ..shared.errors import build_error, parse_error_object
from ..shared.framing import ServerSentEvents
from ..shared.outcomes import failed_answer_error
from ..shared.reading import object_or_empty, objects_in, string_or_empty
from ..shared.streaming import EventParser
from .response import FAILED_REASONS, STOP_REASONS, read_usage, replay_message


@dataclass(slots=True)
class _Block:
    """One block of the content: the block in `content-start`, and the later pieces of each string by key."""

    index: object
    start: Json
    pieces: dict[str, list[str]] = field(default_factory=dict)

    def add(self, content: Json) -> None:
        for name, piece in content.items():
            if name != "type" and isinstance(piece, str):
                self.pieces.setdefault(name, []).append(piece)

    def build(self) -> Json:
        joined = {name: string_or_empty(self.start.get(name)) + "".join(pieces) for name, pieces in self.pieces.items()}
        return {**self.start, **joined}


class CohereStream(EventParser):
    """Parser of named events. `message-end` is the end marker and holds the stop reason."""

    stop_reasons: Mapping[str, StopReason] = STOP_REASONS

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._tool_plan: list[str] = []
        self._blocks: list[_Block] = []

    def read(self, name: str, data: Json) -> None:
        """Read one event; unknown events are ignored."""
        delta = object_or_empty(data.get("delta"))
        message = object_or_empty(delta.get("message"))
        match string_or_empty(data.get("type")) or name:
            case "content-start" | "content-delta" as event_type:
                content = object_or_empty(message.get("content"))
                self._read_content(data.get("index"), content, is_start=event_type == "content-start")
            case "tool-plan-delta":
                self._tool_plan.append(string_or_empty(message.get("tool_plan")))
            case "tool-call-start" | "tool-call-delta":
                self._read_call(data.get("index"), message.get("tool_calls"))
            case "message-end":
                self._finish(delta)
            case "" if "message" in data:  # the flat error body of section 5
                raise build_error(self.head, parse_error_object(data), status=500)

    def replay_turn(self) -> object:
        """Return the message with its tool plan and thinking for replay, None without both."""
        if not self.has_ended:
            return None
        calls = [write_call(call) for call in self.calls.build_calls()]
        blocks = [block.build() for block in self._blocks]
        return replay_message({"content": blocks, "tool_plan": "".join(self._tool_plan), "tool_calls": calls})

    def _read_content(self, index: object, content: Json, *, is_start: bool) -> None:
        text, thinking = string_or_empty(content.get("text")), string_or_empty(content.get("thinking"))
        self.add_text(text)
        self.add_reasoning(thinking)
        if is_start:
            self._blocks.append(_Block(index, content))
            return
        matching = (block for block in reversed(self._blocks) if block.index == index)
        block = next(matching, None)
        if block is None:
            block = _Block(index, {"type": "thinking", "thinking": ""} if thinking else {"type": "text", "text": ""})
            self._blocks.append(block)
        block.add(content)

    def _read_call(self, index: object, calls: object) -> None:
        """Read a tool call: one object in events, a list of objects in a complete reply (section 7, trap 6)."""
        call = objects_in(calls)[0] if objects_in(calls) else object_or_empty(calls)
        function = object_or_empty(call.get("function"))
        self.add_call(
            index if isinstance(index, int) else None,
            string_or_empty(call.get("id")),
            string_or_empty(function.get("name")),
            string_or_empty(function.get("arguments")),
        )

    def _finish(self, delta: Json) -> None:
        self.reason = string_or_empty(delta.get("finish_reason"))
        if self.reason in FAILED_REASONS or delta.get("error"):
            error_class = FAILED_REASONS.get(self.reason, FAILED_REASONS["ERROR"])
            raise failed_answer_error(self.head, self.reason or "ERROR", error_class)
        self.set_usage(read_usage(delta.get("usage")))
        self.has_ended = True
