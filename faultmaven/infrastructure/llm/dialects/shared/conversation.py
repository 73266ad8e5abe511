"""Conversations for all dialects: unique ids of tool calls, tool names of results, replay of a vendor's messages."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .....domain.messages import Message

ReplayTarget: TypeAlias = tuple[str, str, str]
"""Provider, dialect and model of a request. A vendor's own form of a message is replayed to the same target only."""

PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(slots=True)
class LinkedConversation:
    """A conversation in which unique ids link each tool call with its result.

    Attributes:
        messages: The messages. Where a vendor repeated an id, or where the target does not accept it, call and result
            have a new id.
        names: For each message, the name of the tool if the message is a result, else "". Some vendors link results by
            this name. The newest call with the id decides.
    """

    messages: list[Message] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, message: Message, name: str = "") -> None:
        """Add a message."""
        self.messages.append(message)
        self.names.append(name)


def link_calls(
    messages: Iterable[Message], target: ReplayTarget, id_pattern: re.Pattern[str] = PLAIN_ID, id_length: int = 20
) -> LinkedConversation:
    """Return the messages with ids that are unique in the conversation and match `id_pattern`.

    Args:
        target: Provider, dialect and model of the request. Messages that are replayed there keep their ids.
        id_pattern: The ids that this vendor accepts.
        id_length: Length of a new id in characters. New ids are hex digits of a hash of the old id, so that a retry
            sends the same ids.
    """
    replayed = [(message, replayable_turn(message, target) is not None) for message in messages]
    used_ids = {call.id for message, is_replayed in replayed if is_replayed for call in message.tool_calls}
    conversation = LinkedConversation()
    links: dict[str, tuple[str, str]] = {}  # the host's id of a call to the id that is sent and the name of the tool
    for message, is_replayed in replayed:
        if message.role == "tool":
            sent_id, name = links.get(message.tool_call_id, (message.tool_call_id, message.tool_call_id))
            conversation.add(replace(message, tool_call_id=sent_id), name)
            continue
        calls = []
        for call in message.tool_calls:
            sent_id = call.id if is_replayed else _unique_id(call.id or call.name, used_ids, id_pattern, id_length)
            used_ids.add(sent_id)
            links[call.id] = sent_id, call.name
            calls.append(call if call.id == sent_id else replace(call, id=sent_id))
        conversation.add(replace(message, tool_calls=tuple(calls)) if calls else message)
    return conversation


def _unique_id(preferred: str, used_ids: Collection[str], id_pattern: re.Pattern[str], id_length: int) -> str:
    if id_pattern.fullmatch(preferred) and preferred not in used_ids:
        return preferred
    number = 0
    while True:
        new_id = hashlib.sha256(f"{preferred}/{number}".encode()).hexdigest()[:id_length]
        if new_id not in used_ids:
            return new_id
        number += 1


def replayable_turn(message: Message, target: ReplayTarget) -> Any:
    """Return the message in the vendor's own form if it came from `target` and is not edited; else None."""
    replay = message.replay
    if replay is None or not replay.came_from(*target) or _is_edited(message):
        return None
    return replay.turn


def lost_replay_notes(messages: Iterable[Message], target: ReplayTarget) -> tuple[str, ...]:
    """Return a note for each other provider whose opaque parts are left out, and one for edited messages."""
    notes = []
    for message in messages:
        replay = message.replay
        if replay is None:
            continue
        if not replay.came_from(*target):
            notes.append(f"data that only {replay.provider} ({replay.model}) accepts is left out of earlier turns")
        elif _is_edited(message):
            notes.append("an edited answer is sent as text and calls, without the vendor's own parts")
    return tuple(dict.fromkeys(notes))


def _is_edited(message: Message) -> bool:
    replay = message.replay
    calls = tuple(call.id for call in message.tool_calls)
    return replay is not None and (message.text, calls) != (replay.text, replay.call_ids)
