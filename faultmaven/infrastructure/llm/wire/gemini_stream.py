"""The stream of Gemini. Source: gemini-generate-content.md, section 4, 2026-11-23."""

from collections.abc import Mapping

from faultmaven.domain.chat import StopReason
from faultmaven.infrastructure.http.types import Json, WireReply
from faultmaven.infrastructure.llm.wire.framing import ServerSentEvents
from faultmaven.infrastructure.llm.wire.gemini_reading import (
    FAILED_REASONS,
    STOP_REASONS,
    is_blocked,
    kept_turn,
    read_usage,
)
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer
from faultmaven.infrastructure.llm.wire.reading import object_or_empty, objects, string_or_empty, write_json
from faultmaven.infrastructure.llm.wire.streaming import EventParser


class GenerateStream(EventParser):
    """Data-only events, each a whole response; the connection's end behind a finish reason is the end."""

    stop_reasons: Mapping[str, StopReason] = STOP_REASONS
    reason_ends = True

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._parts: list[Json] = []
        self._called = 0

    def read(self, name: str, data: Json) -> None:
        """Take note of one response; its counts replace those before."""
        self.model = string_or_empty(data.get("modelVersion")) or self.model
        self.count(read_usage(data.get("usageMetadata")))
        if is_blocked(data):
            self.refused, self.reason = True, self.reason or "BLOCKED"
            return
        candidates = objects(data.get("candidates"))
        if not candidates:
            return
        for part in objects(object_or_empty(candidates[0].get("content")).get("parts")):
            self._read_part(part)
        self.reason = string_or_empty(candidates[0].get("finishReason")) or self.reason
        if self.reason in FAILED_REASONS and not self.text and not self.calls.any:
            raise failed_answer(self.head, self.reason)

    def turn(self) -> object:
        """Return the parts, texts of one kind joined, where a signature is among them."""
        return kept_turn(self._parts)

    def _read_part(self, part: Json) -> None:
        text = string_or_empty(part.get("text"))
        (self.think if part.get("thought") is True else self.say)(text)
        call = object_or_empty(part.get("functionCall"))
        if call:
            self._called += 1
            arguments = write_json(object_or_empty(call.get("args"))).decode()
            told_id, name = string_or_empty(call.get("id")), string_or_empty(call.get("name"))
            self.call(self._called, told_id, name, arguments)
        self._keep(part)

    def _keep(self, part: Json) -> None:
        """A part that is only more text of the same kind joins the one before; a signature stays on its own part."""
        before = self._parts[-1] if self._parts else {}
        if part.keys() == before.keys() and part.keys() <= {"text", "thought"}:
            self._parts[-1] = {**before, "text": string_or_empty(before["text"]) + string_or_empty(part["text"])}
        else:
            self._parts.append(part)
