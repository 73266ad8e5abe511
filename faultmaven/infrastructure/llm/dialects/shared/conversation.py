"""What every dialect needs to write a conversation: ids that match, tool names, turns that go home unchanged."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .....domain.messages import Message

ReplayTarget: TypeAlias = tuple[str, str, str]
"""The provider, the dialect and the model that are asked."""

PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(slots=True)
class LinkedConversation:
    """A conversation whose calls and results belong together by ids that no two calls share.

    Attributes:
        messages: The turns; where a vendor gave an id twice, or one that others refuse, both ends have another.
        names: For each of them the tool whose result it is, by the newest call of that id: some are sent by name. ""
            where a turn is no result.
    """

    messages: list[Message] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, message: Message, name: str = "") -> None:
        """Add a turn."""
        self.messages.append(message)
        self.names.append(name)


def link_calls(
    messages: Iterable[Message], target: ReplayTarget, id_pattern: re.Pattern[str] = PLAIN_ID, id_length: int = 20
) -> LinkedConversation:
    """Return the turns with ids that are unique in the conversation and match `form`.

    Args:
        home: Who is asked: turns that go home as they are keep their ids.
        form: What this vendor takes as an id.
        length: How long an id of ours is: letters and digits, told from the old one, so that a retry sends the same.
    """
    turns = [(message, replayable_turn(message, target) is not None) for message in messages]
    taken = {call.id for message, is_own in turns if is_own for call in message.tool_calls}
    told = LinkedConversation()
    now: dict[str, tuple[str, str]] = {}  # the id as the host has it, to the one that is sent and the tool's name
    for message, is_own in turns:
        if message.role == "tool":
            sent, name = now.get(message.tool_call_id, (message.tool_call_id, message.tool_call_id))
            told.add(replace(message, tool_call_id=sent), name)
            continue
        calls = []
        for call in message.tool_calls:
            sent = call.id if is_own else _free_id(call.id or call.name, taken, id_pattern, id_length)
            taken.add(sent)
            now[call.id] = sent, call.name
            calls.append(call if call.id == sent else replace(call, id=sent))
        told.add(replace(message, tool_calls=tuple(calls)) if calls else message)
    return told


def _free_id(wanted: str, taken: Collection[str], id_pattern: re.Pattern[str], id_length: int) -> str:
    if id_pattern.fullmatch(wanted) and wanted not in taken:
        return wanted
    number = 0
    while True:
        made = hashlib.sha256(f"{wanted}/{number}".encode()).hexdigest()[:id_length]
        if made not in taken:
            return made
        number += 1


def replayable_turn(message: Message, target: ReplayTarget) -> Any:
    """Return the turn in this vendor's own form, where it came from here and was not edited since; else None."""
    replay = message.replay
    if replay is None or not replay.came_from(*target) or _is_edited(message):
        return None
    return replay.turn


def lost_replay_notes(messages: Iterable[Message], target: ReplayTarget) -> tuple[str, ...]:
    """Return a note for each place that turns came from whose opaque parts stay behind, and for edited turns."""
    notes = []
    for message in messages:
        replay = message.replay
        if replay is None:
            continue
        if not replay.came_from(*target):
            notes.append(f"what {replay.provider} ({replay.model}) wants back of its turns is left out here")
        elif _is_edited(message):
            notes.append("an answer was edited: it is sent as text and calls, without its vendor's own parts")
    return tuple(dict.fromkeys(notes))


def _is_edited(message: Message) -> bool:
    replay = message.replay
    calls = tuple(call.id for call in message.tool_calls)
    return replay is not None and (message.text, calls) != (replay.text, replay.call_ids)
