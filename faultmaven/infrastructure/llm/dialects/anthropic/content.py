"""Conversations as Anthropic Messages takes them. Source: wire/anthropic-messages.md 2 (2) to (5) and 7, 2026-11-23."""

from collections.abc import Iterable, Sequence
from typing import Any

from .....domain.attachments import Attachment, File, Image
from .....domain.messages import Message, Part
from .....domain.requests import ChatRequest
from .....domain.tool_calls import ToolCall
from ....http.types import Json
from ...models import ModelFacts
from ..shared.conversation import ReplayTarget, link_calls, lost_replay_notes, replayable_turn
from ..shared.encoding import to_base64

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF = "application/pdf"
CACHED = {"cache_control": {"type": "ephemeral"}}

_STALE = "an earlier answer was edited: the answers after it are sent as text and calls, without their thinking"
_BROKEN = "a tool call with broken arguments is sent with none: only an object can be sent"


def write_conversation(
    request: ChatRequest, target: ReplayTarget, facts: ModelFacts
) -> tuple[list[Json], tuple[str, ...]]:
    """Return the conversation as alternating turns, and notes on what of it stays behind."""
    notes = list(lost_replay_notes(request.messages, target))
    turns: list[tuple[str, list[Json]]] = []
    is_edited = False  # whether an own turn before this one was
    for message in _turns(request, target):
        own = replayable_turn(message, target)
        if own is None and message.replay is not None and message.replay.came_from(*target):
            is_edited = True
        if own is not None and is_edited and facts.binds_thinking:
            notes.append(_STALE)
            own = None
        if own is None and any(call.problem for call in message.tool_calls):
            notes.append(_BROKEN)
        turns.append(("assistant" if message.role == "assistant" else "user", _blocks(message, own)))
    return _alternating(turns), tuple(dict.fromkeys(notes))


def find_problem(request: ChatRequest, target: ReplayTarget, facts: ModelFacts) -> str:
    """Return why the conversation would be refused, as one clause; "" when it would not."""
    turns = _turns(request, target)
    return (
        next((problem for turn in turns for part in turn.parts if (problem := _part_problem(turn, part))), "")
        or _pairing_problem(turns)
        or _prefill_problem(turns, target, facts)
    )


def mark_last_block(blocks: Sequence[Json]) -> list[Json]:
    """Return the blocks with the last one marked: what stands before its end may be kept in the prompt cache."""
    return [*blocks[:-1], {**blocks[-1], **CACHED}]


def mark_last_user_turn(messages: list[Json]) -> None:
    """Mark the last turn's last block. An assistant's turn goes back unchanged, so it gets no mark."""
    if not messages or messages[-1]["role"] != "user":
        return
    content = messages[-1]["content"]
    blocks = [write_text_block(content)] if isinstance(content, str) else content
    messages[-1] = {"role": "user", "content": mark_last_block(blocks)}


def write_text_block(text: str) -> Json:
    """Return a block of text."""
    return {"type": "text", "text": text}


def _turns(request: ChatRequest, target: ReplayTarget) -> list[Message]:
    return [message for message in link_calls(request.messages, target).messages if message.role != "system"]


def _blocks(message: Message, own: Any) -> list[Json]:
    if own is not None:
        return [block for block in own if block.get("type") != "text" or block.get("text")]
    if message.role == "tool":
        return [_result(message)]
    return [*_content(message.parts), *map(_call, message.tool_calls)]


def _content(parts: Iterable[Part]) -> list[Json]:
    """Texts in a row become one block, and empty ones none: they are refused (trap 7)."""
    blocks: list[Json] = []
    for part in parts:
        if isinstance(part, Attachment):
            blocks.append(_attachment(part))
        elif part and blocks and blocks[-1]["type"] == "text":
            blocks[-1]["text"] += part
        elif part:
            blocks.append(write_text_block(part))
    return blocks


def _attachment(part: Attachment) -> Json:
    if part.data is None:
        source: Json = {"type": "url", "url": part.url}
    else:
        media_type = part.media_type or (PDF if isinstance(part, File) else "")
        source = {"type": "base64", "media_type": media_type, "data": to_base64(part)}
    if not isinstance(part, File):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _call(call: ToolCall) -> Json:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _result(message: Message) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    content = _content(message.parts)
    if content:
        block["content"] = _plain(content)
    if message.error:
        block["is_error"] = True
    return block


def _plain(blocks: list[Json]) -> Any:
    """One text alone is sent as a string."""
    alone = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
    return blocks[0]["text"] if alone else blocks


def _alternating(turns: Iterable[tuple[str, list[Json]]]) -> list[Json]:
    """Merge turns of the same role: that the server does it is UNVERIFIED. Results come first in their turn."""
    merged: list[tuple[str, list[Json]]] = []
    for role, blocks in turns:
        if not blocks:
            continue
        if merged and merged[-1][0] == role:
            merged[-1][1].extend(blocks)
        else:
            merged.append((role, list(blocks)))
    return [
        {"role": role, "content": _plain(sorted(blocks, key=_comes_later) if role == "user" else blocks)}
        for role, blocks in merged
    ]


def _comes_later(block: Json) -> bool:
    is_result: bool = block["type"] == "tool_result"
    return not is_result


def _part_problem(turn: Message, part: Part) -> str:
    if not isinstance(part, Attachment):
        return ""
    if turn.role == "assistant":
        return "an assistant's turn holds an image or a file, and only a user's may"
    kinds: tuple[type[Attachment], Sequence[str], str]
    kinds = (Image, IMAGE_TYPES, "images") if isinstance(part, Image) else (File, (PDF,), "files")
    if part.media_type and part.media_type not in kinds[1]:
        return f"{kinds[2]} must be {' or '.join(kinds[1])} here"
    return ""


def _pairing_problem(turns: Iterable[Message]) -> str:
    """Every call needs its result in the very next user turn, and every result its call (trap 5)."""
    open_calls: set[str] = set()
    last = ""
    for turn in turns:
        if turn.role == "tool":
            if turn.tool_call_id not in open_calls:
                return "a tool result answers no call of the turn before it"
            open_calls.remove(turn.tool_call_id)
        elif not _is_sent(turn):
            continue
        elif turn.role == "assistant":
            if open_calls and last != "assistant":
                return _UNANSWERED
            open_calls.update(call.id for call in turn.tool_calls)
        last = turn.role
    return _UNANSWERED if open_calls else ""


_UNANSWERED = "a tool call has no result in the turn after it"


def _is_sent(turn: Message) -> bool:
    return turn.role == "tool" or any(turn.parts) or bool(turn.tool_calls) or turn.replay is not None


def _prefill_problem(turns: Sequence[Message], target: ReplayTarget, facts: ModelFacts) -> str:
    """A turn that the vendor's own tools paused goes back to be continued; any other at the end is a prefill."""
    sent = [turn for turn in turns if _is_sent(turn)]
    if not sent or sent[-1].role != "assistant" or not facts.refuses_prefill:
        return ""
    own = replayable_turn(sent[-1], target) or []
    if any(block.get("type") == "server_tool_use" for block in own):
        return ""
    return f"the conversation ends with an assistant's turn, and this model refuses to continue one ({facts.source})"
