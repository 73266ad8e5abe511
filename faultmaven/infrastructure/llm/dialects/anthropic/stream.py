"""Stream parser of Anthropic Messages. Source: wire reference, anthropic-messages.md 4, 2026-11-23."""

from dataclasses import dataclass, field
from typing import Any

from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..shared.errors import build_error, parse_error_object
from ..shared.framing import ServerSentEvents
from ..shared.reading import object_at, object_or_empty, parse_json, string_or_empty, text_at, write_json
from ..shared.streaming import EventParser
from .response import STOP_REASONS, call_id_at, read_usage, replay_blocks

# Type of a delta to its key, and to the key of the block that the delta extends.
TEXT_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
}
BLOCK_TYPE_OF_DELTA = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


@dataclass(slots=True)
class _Block:
    """One content block while its deltas arrive.

    Attributes:
        start: The block in the event `content_block_start`.
        call: Position among the tool calls, None for other blocks.
        texts: Pieces of the block's strings, by key.
        input: Pieces of the JSON text of a tool call's input.
    """

    start: Json
    call: int | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    input: list[str] = field(default_factory=list)
    citations: list[Any] = field(default_factory=list)
    has_stopped: bool = False

    def build(self) -> Json:
        """Return the block in the form of an answer without streaming."""
        block = dict(self.start)
        for key, pieces in self.texts.items():
            block[key] = string_or_empty(block.get(key)) + "".join(pieces)
        if self.citations:
            present = block.get("citations")
            block["citations"] = [*(present if isinstance(present, list) else []), *self.citations]
        input_text = "".join(self.input)
        if input_text.strip():
            parsed = parse_json(input_text)
            block["input"] = parsed if isinstance(parsed, dict) else {}
        elif self.call is not None:
            block.setdefault("input", {})
        return block


class MessageStream(EventParser):
    """Parser of named events, which rebuilds every content block. Only `message_stop` ends the stream."""

    stop_reasons = STOP_REASONS

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._blocks: list[_Block] = []
        self._block_at: dict[int, _Block] = {}
        self._usage_fields: Json = {}
        self._call_count = 0
        self._is_fully_known = True

    def replay_turn(self) -> object:
        """Return the content blocks for replay, None where no block is opaque or a delta of unknown type arrived."""
        return replay_blocks([block.build() for block in self._blocks]) if self._is_fully_known else None

    def read(self, name: str, data: Json) -> None:
        """Read one event; `ping` and unknown events are ignored."""
        match string_or_empty(data.get("type")) or name:
            case "message_start":
                self._begin(object_at(self.head, data, "message"))
            case "content_block_start":
                self._begin_block(data.get("index"), object_at(self.head, data, "content_block"))
            case "content_block_delta":
                self._read_delta(data.get("index"), object_at(self.head, data, "delta"))
            case "content_block_stop":
                self._stop_block(self._block_at.get(_read_index(data.get("index"))))
            case "message_delta":
                delta = object_or_empty(data.get("delta"))
                self.reason = text_at(self.head, delta, "stop_reason") or self.reason
                self.set_usage(self._merge_usage(data.get("usage")))
            case "message_stop":
                for block in self._blocks:
                    self._stop_block(block)
                self.has_ended = True
            case "error":  # without an `error` object, which the base class raises
                raise build_error(self.head, parse_error_object(data), status=500)

    def _begin(self, message: Json) -> None:
        self.model = string_or_empty(message.get("model")) or self.model
        self.usage = self._merge_usage(message.get("usage"))  # without a chunk, which would count as the first token

    def _merge_usage(self, usage: Any) -> Usage | None:
        """Return the token counts so far. Newer counts replace older ones; null and absent counts change nothing."""
        self._usage_fields |= {name: value for name, value in object_or_empty(usage).items() if value is not None}
        return read_usage(self._usage_fields)

    def _begin_block(self, index: Any, start: Json) -> _Block:
        block = _Block(dict(start))
        self._blocks.append(block)
        self._block_at[_read_index(index)] = block
        if start.get("type") == "tool_use":
            block.start["id"] = call_id_at(start, self._call_count)
            block.call = self._call_count
            self._call_count += 1
            self.add_call(block.call, block.start["id"], text_at(self.head, start, "name"), "")
        elif start.get("type") == "text":
            self.add_text(text_at(self.head, start, "text"))
        elif start.get("type") == "thinking":
            self.add_reasoning(text_at(self.head, start, "thinking"))
        return block

    def _read_delta(self, index: Any, delta: Json) -> None:
        delta_type = string_or_empty(delta.get("type"))
        if delta_type not in BLOCK_TYPE_OF_DELTA:
            self._is_fully_known = False
            return
        block = self._block_for(index, delta_type)
        if delta_type in TEXT_DELTAS:
            name, key = TEXT_DELTAS[delta_type]
            piece = text_at(self.head, delta, name)
            block.texts.setdefault(key, []).append(piece)
            if delta_type != "signature_delta":
                (self.add_text if delta_type == "text_delta" else self.add_reasoning)(piece)
        elif delta_type == "citations_delta":
            block.citations.append(delta.get("citation"))
        else:
            self._add_input(block, text_at(self.head, delta, "partial_json"))

    def _block_for(self, index: Any, delta_type: str) -> _Block:
        """Return the block at `index`, else the newest block if its type fits the delta, else a new block."""
        block = self._block_at.get(_read_index(index))
        if block is not None:
            return block
        block_type = BLOCK_TYPE_OF_DELTA[delta_type]
        if self._blocks and self._blocks[-1].start.get("type") == block_type:
            return self._blocks[-1]
        return self._begin_block(index, {"type": block_type})

    def _add_input(self, block: _Block, piece: str) -> None:
        block.input.append(piece)
        if block.call is not None:
            self.add_call(block.call, "", "", piece)

    def _stop_block(self, block: _Block | None) -> None:
        """Add the input of a tool call that some hosts send with the start of the block, without deltas."""
        if block is None or block.has_stopped:
            return
        block.has_stopped = True
        input_object = object_or_empty(block.start.get("input"))
        if input_object and block.call is not None and not "".join(block.input).strip():
            self.add_call(block.call, "", "", write_json(input_object).decode())


def _read_index(value: Any) -> int:
    """Return the index of a block, -1 for an invalid one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
