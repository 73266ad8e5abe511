"""Tool calls that come in pieces."""

from dataclasses import dataclass, field

from .....domain.tool_calls import ToolCall, ToolCallDelta
from .outcomes import unused_id
from .reading import parse_json, parse_tool_call


@dataclass(slots=True)
class _Draft:
    """One call as it grows; `index` and `vendor_id` are as the vendor has them, `id` is ours to give."""

    index: int | None
    vendor_id: str
    name: str
    id: str
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class StreamedCalls:
    """Rebuilds calls from their pieces, whatever index the vendor sends: twice the same, none, or beginning at 1.

    Each has an id from its first piece on: the vendor's, or one of ours where it gives none, or one twice.
    """

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []

    @property
    def has_calls(self) -> bool:
        """Whether there is a call."""
        return bool(self._drafts)

    def add(self, index: int | None, call_id: str, name: str, arguments: str) -> ToolCallDelta | None:
        """Add a piece; return it with the place of its call, None when it says nothing.

        A piece begins another call when its id is another one than that of the call at its index, or when it has a name
        and no id and the call there is complete. Without an index it belongs to the call of its id, else to the newest.

        Args:
            index: The vendor's count, None where it gives none.
        """
        if not (call_id or name or arguments):
            return None
        place = self._place_of(index, call_id, name)
        told_id, told_name = "", name
        if place is None:
            taken = [draft.id for draft in self._drafts]
            told_id = call_id if call_id and call_id not in taken else unused_id(taken)
            self._drafts.append(_Draft(index, call_id, name, told_id))
            place = len(self._drafts) - 1
        else:
            draft = self._drafts[place]
            told_name = "" if draft.name else name
            draft.vendor_id, draft.name = draft.vendor_id or call_id, draft.name or name
        if arguments:
            self._drafts[place].pieces.append(arguments)
        if not (told_id or told_name or arguments):
            return None
        return ToolCallDelta(place, told_id, told_name, arguments)

    def build_calls(self) -> tuple[ToolCall, ...]:
        """Return the calls as they stand."""
        return tuple(parse_tool_call(draft.id, draft.name, draft.arguments) for draft in self._drafts)

    def _place_of(self, index: int | None, call_id: str, name: str) -> int | None:
        """Return the place of the call that a piece belongs to, None for a new one."""
        newest: int | None = None
        for place in range(len(self._drafts) - 1, -1, -1):
            draft = self._drafts[place]
            if index is not None and draft.index is not None and draft.index != index:
                continue
            if call_id and draft.vendor_id == call_id:
                return place
            newest = place if newest is None else newest
        if newest is None:
            return None
        draft = self._drafts[newest]
        if call_id and draft.vendor_id:
            return None
        begins_anew = bool(name and draft.name and not call_id) and _is_complete(draft)
        return None if begins_anew else newest


def _is_complete(draft: _Draft) -> bool:
    return isinstance(parse_json(draft.arguments), dict) if draft.pieces else draft.name != ""
