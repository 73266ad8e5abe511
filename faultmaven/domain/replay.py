"""What vendors want back unchanged: thinking with its signature, reasoning items, thought signatures."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Replay:
    """An assistant turn in its vendor's own form, kept so that the conversation can go on there as if never left.

    It is opaque to everybody else: another vendor gets the turn's text and tool calls, and the ledger says what was
    left out. A turn that was edited afterwards is no longer its own, and is rebuilt from its text and calls as well.

    Attributes:
        provider: Who gave it.
        dialect: In which wire format.
        model: As which model.
        turn: The vendor's JSON: a list of blocks, parts or items, or an object.
        text: The text of the turn that it is the form of.
        call_ids: The ids of that turn's tool calls.
    """

    provider: str
    dialect: str
    model: str
    turn: Any = field(repr=False)
    text: str = field(default="", repr=False)
    call_ids: tuple[str, ...] = ()

    def came_from(self, provider: str, dialect: str, model: str) -> bool:
        """Return whether it may go back to this provider and model as it is."""
        return (self.provider, self.dialect, self.model) == (provider, dialect, model)
