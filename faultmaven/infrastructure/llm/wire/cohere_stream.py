"""The stream of Cohere v2. Source: cohere-v2-chat.md, section 4, 2026-11-23."""

from collections.abc import Mapping

from faultmaven.domain.chat import StopReason
from faultmaven.infrastructure.http.types import Json, WireReply
from faultmaven.infrastructure.llm.wire.cohere_reading import FAILED_REASONS, STOP_REASONS, kept_turn, read_usage
from faultmaven.infrastructure.llm.wire.framing import ServerSentEvents
from faultmaven.infrastructure.llm.wire.openai_chat_messages import call_object
from faultmaven.infrastructure.llm.wire.outcomes import failed_answer
from faultmaven.infrastructure.llm.wire.reading import object_or_empty, string_or_empty
from faultmaven.infrastructure.llm.wire.streaming import EventParser


class ChatStream(EventParser):
    """Named events; `message-end` ends them, and tells how."""

    stop_reasons: Mapping[str, StopReason] = STOP_REASONS

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._plan = ""
        self._thinking = ""

    @property
    def may_end(self) -> bool:
        """Whether the end marker came."""
        return self.ended

    def read(self, name: str, data: Json) -> None:
        """Take note of one event; unknown ones are passed over."""
        delta = object_or_empty(data.get("delta"))
        message = object_or_empty(delta.get("message"))
        match data.get("type"):
            case "content-start" | "content-delta":
                content = object_or_empty(message.get("content"))
                self.say(string_or_empty(content.get("text")))
                self._thinking += string_or_empty(content.get("thinking"))
                self.think(string_or_empty(content.get("thinking")))
            case "tool-plan-delta":
                self._plan += string_or_empty(message.get("tool_plan"))
            case "tool-call-start" | "tool-call-delta":
                self._read_call(data.get("index"), object_or_empty(message.get("tool_calls")))
            case "message-end":
                self._finish(delta)

    def turn(self) -> object:
        """Return the message with its plan and its thinking, None where there is neither."""
        calls = [call_object(call) for call in self.calls.finished()]
        blocks = [{"type": "thinking", "thinking": self._thinking}] if self._thinking else []
        blocks += [{"type": "text", "text": self.text}] if self.text else []
        return kept_turn({"content": blocks, "tool_plan": self._plan, "tool_calls": calls})

    def _read_call(self, index: object, call: Json) -> None:
        function = object_or_empty(call.get("function"))
        self.call(
            index if isinstance(index, int) else None,
            string_or_empty(call.get("id")),
            string_or_empty(function.get("name")),
            string_or_empty(function.get("arguments")),
        )

    def _finish(self, delta: Json) -> None:
        self.reason = string_or_empty(delta.get("finish_reason"))
        if self.reason in FAILED_REASONS or delta.get("error"):
            kind = FAILED_REASONS.get(self.reason, FAILED_REASONS["ERROR"])
            raise failed_answer(self.head, self.reason or "ERROR", kind)
        self.count(read_usage(delta.get("usage")))
        self.ended = True
