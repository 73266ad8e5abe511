"""Tool calls of a stream, rebuilt from their pieces."""

from dataclasses import dataclass, field

from .....domain.tool_calls import ToolCall, ToolCallDelta
from .outcomes import unused_id
from .reading import parse_json, parse_tool_call


@dataclass(slots=True)
class _Draft:
    """One tool call while its pieces arrive.

    Attributes:
        position: Position among the tool calls of the answer.
        index: The vendor's index, None where the vendor sends none.
        vendor_id: The vendor's id, "" where the vendor sends none.
        id: The id that the host sees; unique within the answer.
        pieces: Pieces of the arguments' JSON text.
    """

    position: int
    index: int | None
    vendor_id: str
    name: str
    id: str
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def fill_in(self, call_id: str, name: str) -> str:
        """Set the vendor's id and the name where they are missing; return the name if it is new, else ""."""
        new_name = "" if self.name else name
        self.vendor_id, self.name = self.vendor_id or call_id, self.name or name
        return new_name


class StreamedCalls:
    """Rebuilds tool calls from their pieces, even if the vendor's index repeats, is missing or begins at 1.

    Each call has an id from its first piece on: the vendor's id, or a new id if that one is missing or repeated.
    """

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []

    @property
    def has_calls(self) -> bool:
        """Whether any tool call has begun."""
        return bool(self._drafts)

    def add(self, index: int | None, call_id: str, name: str, arguments: str) -> ToolCallDelta | None:
        """Add a piece of a tool call and return the delta for the caller, None when the piece holds nothing new.

        A piece begins another call when its id differs from the id of the call at its index, or when the piece has a
        name and no id and the call at its index is complete. A piece without an index belongs to the call with the same
        id, or else to the newest call.

        Args:
            index: The vendor's index of the call, None where the vendor sends none.
        """
        if not (call_id or name or arguments):
            return None
        draft = self._find(index, call_id, name)
        if draft is None:
            draft = self._begin(index, call_id, name)
            new_id, new_name = draft.id, name
        else:
            new_id, new_name = "", draft.fill_in(call_id, name) if call_id or name else ""
        if arguments:
            draft.pieces.append(arguments)
        elif not (new_id or new_name):
            return None
        return ToolCallDelta(draft.position, new_id, new_name, arguments)

    def build_calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls with the arguments that have arrived so far."""
        return tuple(parse_tool_call(draft.id, draft.name, draft.arguments) for draft in self._drafts)

    def _find(self, index: int | None, call_id: str, name: str) -> _Draft | None:
        """Return the call that a piece belongs to, None when the piece begins a new call."""
        newest: _Draft | None = None
        for draft in reversed(self._drafts):
            if index is not None and draft.index is not None and draft.index != index:
                continue
            if call_id and draft.vendor_id == call_id:
                return draft
            newest = newest or draft
        is_arguments_only = not (call_id or name)
        if newest is None or is_arguments_only:
            return newest
        return None if _begins_another_call(newest, call_id, name) else newest

    def _begin(self, index: int | None, call_id: str, name: str) -> _Draft:
        used_ids = [draft.id for draft in self._drafts]
        new_id = call_id if call_id and call_id not in used_ids else unused_id(used_ids)
        draft = _Draft(len(used_ids), index, call_id, name, new_id)
        self._drafts.append(draft)
        return draft


def _begins_another_call(draft: _Draft, call_id: str, name: str) -> bool:
    """Return whether a piece with another id, or with a name and no id, begins a call after `draft`."""
    if call_id:
        return draft.vendor_id != ""
    return bool(name and draft.name) and _is_complete(draft)


def _is_complete(draft: _Draft) -> bool:
    return isinstance(parse_json(draft.arguments), dict) if draft.pieces else draft.name != ""
