"""Messages in requests of Anthropic Messages.

Source: wire reference, anthropic-messages.md 2 (2) to (5) and 7, 2026-11-23.
"""

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

_STALE = "an earlier answer was edited: later answers are sent as text and calls, without thinking"
_BROKEN = "broken arguments of an earlier tool call are sent as an empty object"


def write_conversation(
    request: ChatRequest, target: ReplayTarget, facts: ModelFacts
) -> tuple[list[Json], tuple[str, ...]]:
    """Return the conversation as alternating user and assistant messages, and notes on omitted parts."""
    notes = list(lost_replay_notes(request.messages, target))
    messages: list[tuple[str, list[Json]]] = []
    is_edited = False  # whether an earlier answer of this target was edited
    for message in _link_messages(request, target):
        replayed = replayable_turn(message, target)
        if replayed is None and message.replay is not None and message.replay.came_from(*target):
            is_edited = True
        if replayed is not None and is_edited and facts.binds_thinking:
            notes.append(_STALE)
            replayed = None
        if replayed is None and any(call.problem for call in message.tool_calls):
            notes.append(_BROKEN)
        messages.append(("assistant" if message.role == "assistant" else "user", _write_blocks(message, replayed)))
    return _merge_by_role(messages), tuple(dict.fromkeys(notes))


def find_problem(request: ChatRequest, target: ReplayTarget, facts: ModelFacts) -> str:
    """Return the reason why the vendor would refuse the conversation, as one clause; "" when there is none."""
    messages = _link_messages(request, target)
    attachment_problems = (_find_attachment_problem(message, part) for message in messages for part in message.parts)
    return (
        next(filter(None, attachment_problems), "")
        or _find_pairing_problem(messages)
        or _find_prefill_problem(messages, target, facts)
    )


def mark_last_block(blocks: Sequence[Json]) -> list[Json]:
    """Return the blocks with the last one marked: the prompt cache may store all tokens up to its end."""
    return [*blocks[:-1], {**blocks[-1], **CACHED}]


def mark_last_user_message(messages: list[Json]) -> None:
    """Mark the last block if the last message is the user's. Assistant messages are replayed without changes."""
    if not messages or messages[-1]["role"] != "user":
        return
    content = messages[-1]["content"]
    blocks = [write_text_block(content)] if isinstance(content, str) else content
    messages[-1] = {"role": "user", "content": mark_last_block(blocks)}


def write_text_block(text: str) -> Json:
    """Return a text block."""
    return {"type": "text", "text": text}


def _link_messages(request: ChatRequest, target: ReplayTarget) -> list[Message]:
    return [message for message in link_calls(request.messages, target).messages if message.role != "system"]


def _write_blocks(message: Message, replayed: Any) -> list[Json]:
    if replayed is not None:
        return [block for block in replayed if block.get("type") != "text" or block.get("text")]
    if message.role == "tool":
        return [_write_tool_result(message)]
    return [*_write_content(message.parts), *map(_write_tool_use, message.tool_calls)]


def _write_content(parts: Iterable[Part]) -> list[Json]:
    """Return the content blocks.

    Adjacent texts become one block. Empty texts are left out, since the vendor refuses them (trap 7).
    """
    blocks: list[Json] = []
    for part in parts:
        if isinstance(part, Attachment):
            blocks.append(_write_attachment(part))
        elif part and blocks and blocks[-1]["type"] == "text":
            blocks[-1]["text"] += part
        elif part:
            blocks.append(write_text_block(part))
    return blocks


def _write_attachment(part: Attachment) -> Json:
    if part.data is None:
        source: Json = {"type": "url", "url": part.url}
    else:
        media_type = part.media_type or (PDF if isinstance(part, File) else "")
        source = {"type": "base64", "media_type": media_type, "data": to_base64(part)}
    if not isinstance(part, File):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _write_tool_use(call: ToolCall) -> Json:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _write_tool_result(message: Message) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    content = _write_content(message.parts)
    if content:
        block["content"] = _simplify(content)
    if message.error:
        block["is_error"] = True
    return block


def _simplify(blocks: list[Json]) -> Any:
    """Return the text of a single plain text block, or else the blocks."""
    is_text_only = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
    return blocks[0]["text"] if is_text_only else blocks


def _merge_by_role(messages: Iterable[tuple[str, list[Json]]]) -> list[Json]:
    """Merge adjacent messages of the same role, with tool results first.

    Whether the server would merge such messages is UNVERIFIED.
    """
    merged: list[tuple[str, list[Json]]] = []
    for role, blocks in messages:
        if not blocks:
            continue
        if merged and merged[-1][0] == role:
            merged[-1][1].extend(blocks)
        else:
            merged.append((role, list(blocks)))
    return [
        {"role": role, "content": _simplify(sorted(blocks, key=_comes_later) if role == "user" else blocks)}
        for role, blocks in merged
    ]


def _comes_later(block: Json) -> bool:
    is_result: bool = block["type"] == "tool_result"
    return not is_result


def _find_attachment_problem(message: Message, part: Part) -> str:
    if not isinstance(part, Attachment):
        return ""
    if message.role == "assistant":
        return "an assistant turn holds an image or a file, which only a user turn may hold"
    media_types, noun = (IMAGE_TYPES, "images") if isinstance(part, Image) else ((PDF,), "files")
    if part.media_type and part.media_type not in media_types:
        return f"{noun} must be {' or '.join(media_types)}"
    return ""


def _find_pairing_problem(messages: Iterable[Message]) -> str:
    """Return the reason if a call has no result in the next user message, or a result no call (trap 5); else ""."""
    open_calls: set[str] = set()
    last_role = ""
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                return "a tool result belongs to no call of the previous turn"
            open_calls.remove(message.tool_call_id)
        elif not _is_sent(message):
            continue
        elif message.role == "assistant":
            if open_calls and last_role != "assistant":
                return _UNANSWERED
            open_calls.update(call.id for call in message.tool_calls)
        last_role = message.role
    return _UNANSWERED if open_calls else ""


_UNANSWERED = "a tool call has no result in the next turn"


def _is_sent(message: Message) -> bool:
    return message.role == "tool" or any(message.parts) or bool(message.tool_calls) or message.replay is not None


def _find_prefill_problem(messages: Sequence[Message], target: ReplayTarget, facts: ModelFacts) -> str:
    """Return the reason if the last message is a prefill and the model refuses one; else "".

    An assistant message that the vendor's own tools paused is no prefill: the vendor continues it.
    """
    sent = [message for message in messages if _is_sent(message)]
    if not sent or sent[-1].role != "assistant" or not facts.refuses_prefill:
        return ""
    replayed = replayable_turn(sent[-1], target) or []
    if any(block.get("type") == "server_tool_use" for block in replayed):
        return ""
    return f"the conversation ends with an assistant turn, which this model refuses to continue ({facts.source})"
