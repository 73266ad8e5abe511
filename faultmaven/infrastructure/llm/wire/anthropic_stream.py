"""The stream of Anthropic Messages. Source: anthropic-messages.md, section 4, 2026-11-23."""

from collections.abc import Mapping
from typing import Any

from faultmaven.domain.chat import StopReason
from faultmaven.infrastructure.http.types import Json, WireReply
from faultmaven.infrastructure.llm.wire.anthropic_reading import STOP_REASONS, kept_turn, read_usage
from faultmaven.infrastructure.llm.wire.framing import ServerSentEvents
from faultmaven.infrastructure.llm.wire.reading import object_or_empty, parse_json, string_or_empty
from faultmaven.infrastructure.llm.wire.streaming import EventParser


class MessageStream(EventParser):
    """Named events; only `message_stop` ends them. Every block is rebuilt as it came, for the turn that goes home."""

    stop_reasons: Mapping[str, StopReason] = STOP_REASONS

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._blocks: dict[int, Json] = {}
        self._arguments: dict[int, str] = {}
        self._counts: Json = {}

    @property
    def may_end(self) -> bool:
        """Whether the end marker came: a stop reason before it is not the end."""
        return self.ended

    def read(self, name: str, data: Json) -> None:
        """Take note of one event; unknown ones are passed over."""
        match data.get("type"):
            case "message_start":
                message = object_or_empty(data.get("message"))
                self.model = string_or_empty(message.get("model"))
                self._count(message.get("usage"))
            case "content_block_start":
                self._start(_index(data), object_or_empty(data.get("content_block")))
            case "content_block_delta":
                self._grow(_index(data), object_or_empty(data.get("delta")))
            case "message_delta":
                self.reason = string_or_empty(object_or_empty(data.get("delta")).get("stop_reason")) or self.reason
                self._count(data.get("usage"))
            case "message_stop":
                self.ended = True

    def turn(self) -> object:
        """Return the content as it came, where something in it is opaque."""
        return kept_turn([self._block(place) for place in sorted(self._blocks)])

    def _start(self, place: int, block: Json) -> None:
        self._blocks[place] = dict(block)
        if block.get("type") == "tool_use":
            self.call(place, string_or_empty(block.get("id")), string_or_empty(block.get("name")), "")
        self.say(string_or_empty(block.get("text")) if block.get("type") == "text" else "")
        self.think(string_or_empty(block.get("thinking")) if block.get("type") == "thinking" else "")

    def _grow(self, place: int, delta: Json) -> None:
        block = self._blocks.setdefault(place, {})
        match delta.get("type"):
            case "text_delta":
                self.say(_append(block, "text", delta.get("text")))
            case "thinking_delta":
                self.think(_append(block, "thinking", delta.get("thinking")))
            case "signature_delta":
                _append(block, "signature", delta.get("signature"))
            case "input_json_delta":
                piece = string_or_empty(delta.get("partial_json"))
                self._arguments[place] = self._arguments.get(place, "") + piece
                self.call(place, "", "", piece)
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta.get("citation")]

    def _block(self, place: int) -> Json:
        block, arguments = self._blocks[place], parse_json(self._arguments.get(place, "") or "{}")
        return (
            {**block, "input": arguments} if block.get("type") == "tool_use" and isinstance(arguments, dict) else block
        )

    def _count(self, value: Any) -> None:
        """Counts that come again replace the earlier ones; a null leaves them as they are."""
        self._counts |= {name: count for name, count in object_or_empty(value).items() if count is not None}
        self.count(read_usage(self._counts))


def _index(data: Json) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0


def _append(block: Json, name: str, value: Any) -> str:
    piece = string_or_empty(value)
    block[name] = string_or_empty(block.get(name)) + piece
    return piece
