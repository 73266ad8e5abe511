"""Streams of Anthropic Messages. Source: wire/anthropic-messages.md 4, 2026-11-23."""

from dataclasses import dataclass, field
from typing import Any

from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..shared.errors import build_error, parse_error_object
from ..shared.framing import ServerSentEvents
from ..shared.reading import object_at, object_or_empty, parse_json, string_or_empty, text_at, write_json
from ..shared.streaming import EventParser
from .response import STOP_REASONS, call_id_at, read_usage, replay_blocks

# What a piece adds to its block, by the piece's type: its own key, and the block's.
TEXTS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
BLOCK_OF_PIECE = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


@dataclass(slots=True)
class _Block:
    """One content block as it grows.

    Attributes:
        start: The block as it began.
        call: Its place among the tool calls; None where it is none.
        texts: Pieces of its strings, by their key.
        input: Pieces of its input's JSON text.
    """

    start: Json
    call: int | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    input: list[str] = field(default_factory=list)
    citations: list[Any] = field(default_factory=list)
    stopped: bool = False

    def whole(self) -> Json:
        """Return the block as it would stand in an answer that is not streamed."""
        block = dict(self.start)
        for key, pieces in self.texts.items():
            block[key] = string_or_empty(block.get(key)) + "".join(pieces)
        if self.citations:
            present = block.get("citations")
            block["citations"] = [*(present if isinstance(present, list) else []), *self.citations]
        raw = "".join(self.input)
        if raw.strip():
            parsed = parse_json(raw)
            block["input"] = parsed if isinstance(parsed, dict) else {}
        elif self.call is not None:
            block.setdefault("input", {})
        return block


class MessageStream(EventParser):
    """Named events; every content block is rebuilt as it was. `message_stop` alone is the end, not a stop reason."""

    stop_reasons = STOP_REASONS

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._blocks: list[_Block] = []
        self._at: dict[int, _Block] = {}
        self._counts: Json = {}
        self._calls_begun = 0
        self._is_exact = True

    def replay_turn(self) -> object:
        """Return the content blocks; None where nothing in them is opaque, or a piece came whose meaning is unknown."""
        return replay_blocks([block.whole() for block in self._blocks]) if self._is_exact else None

    def read(self, name: str, data: Json) -> None:
        """Take note of one event; `ping` and unknown ones say nothing."""
        match string_or_empty(data.get("type")) or name:
            case "message_start":
                self._begin(object_at(self.head, data, "message"))
            case "content_block_start":
                self._begin_block(data.get("index"), object_at(self.head, data, "content_block"))
            case "content_block_delta":
                self._grow(data.get("index"), object_at(self.head, data, "delta"))
            case "content_block_stop":
                self._stop_block(self._at.get(_index(data.get("index"))))
            case "message_delta":
                delta = object_or_empty(data.get("delta"))
                self.reason = text_at(self.head, delta, "stop_reason") or self.reason
                self.set_usage(self._counted(data.get("usage")))
            case "message_stop":
                for block in self._blocks:
                    self._stop_block(block)
                self.has_ended = True
            case "error":  # one with an `error` object was raised before
                raise build_error(self.head, parse_error_object(data), status=500)

    def _begin(self, message: Json) -> None:
        self.model = string_or_empty(message.get("model")) or self.model
        self.usage = self._counted(message.get("usage"))  # no chunk yet: that would pass for a first token

    def _counted(self, usage: Any) -> Usage | None:
        """Counts are cumulative: newer ones replace older ones, null and absent ones do not."""
        self._counts |= {name: value for name, value in object_or_empty(usage).items() if value is not None}
        return read_usage(self._counts)

    def _begin_block(self, index: Any, start: Json) -> _Block:
        block = _Block(dict(start))
        self._blocks.append(block)
        self._at[_index(index)] = block
        if start.get("type") == "tool_use":
            block.start["id"] = call_id_at(start, self._calls_begun)
            block.call = self._calls_begun
            self._calls_begun += 1
            self.add_call(block.call, block.start["id"], text_at(self.head, start, "name"), "")
        elif start.get("type") == "text":
            self.add_text(text_at(self.head, start, "text"))
        elif start.get("type") == "thinking":
            self.add_reasoning(text_at(self.head, start, "thinking"))
        return block

    def _grow(self, index: Any, delta: Json) -> None:
        kind = string_or_empty(delta.get("type"))
        if kind not in BLOCK_OF_PIECE:
            self._is_exact = False
            return
        block = self._block_for(index, kind)
        if kind in TEXTS:
            name, key = TEXTS[kind]
            piece = text_at(self.head, delta, name)
            block.texts.setdefault(key, []).append(piece)
            if kind != "signature_delta":
                (self.add_text if kind == "text_delta" else self.add_reasoning)(piece)
        elif kind == "citations_delta":
            block.citations.append(delta.get("citation"))
        else:
            self._add_input(block, text_at(self.head, delta, "partial_json"))

    def _block_for(self, index: Any, piece: str) -> _Block:
        """Return the block at `index`, else the newest where the piece fits it, else a new one."""
        known = self._at.get(_index(index))
        if known is not None:
            return known
        wanted = BLOCK_OF_PIECE[piece]
        if self._blocks and self._blocks[-1].start.get("type") == wanted:
            return self._blocks[-1]
        return self._begin_block(index, {"type": wanted})

    def _add_input(self, block: _Block, piece: str) -> None:
        block.input.append(piece)
        if block.call is not None:
            self.add_call(block.call, "", "", piece)

    def _stop_block(self, block: _Block | None) -> None:
        """Some hosts send a tool's whole input with the block's start, and no pieces of it."""
        if block is None or block.stopped:
            return
        block.stopped = True
        given = object_or_empty(block.start.get("input"))
        if given and block.call is not None and not "".join(block.input).strip():
            self.add_call(block.call, "", "", write_json(given).decode())


def _index(value: Any) -> int:
    """Return the vendor's count of a block; -1 for one that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
