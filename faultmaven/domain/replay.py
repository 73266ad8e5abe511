"""Parts of a response that a vendor requires back unchanged: signed thinking, reasoning items, thought signatures."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Replay:
    """An assistant message in its vendor's own format, sent back when the conversation returns to this vendor.

    The format is opaque to other vendors: another vendor gets the text and tool calls of the message, and the ledger
    names the omitted parts. A message that was edited afterwards is also rebuilt from its text and tool calls.

    Attributes:
        provider: The provider that sent the message.
        dialect: The dialect (the vendor's HTTP format) of the message.
        model: The model that wrote the message.
        turn: The vendor's JSON: a list of blocks, parts or items, or an object.
        text: The text of the message.
        call_ids: The ids of the message's tool calls.
    """

    provider: str
    dialect: str
    model: str
    turn: Any = field(repr=False)
    text: str = field(default="", repr=False)
    call_ids: tuple[str, ...] = ()

    def came_from(self, provider: str, dialect: str, model: str) -> bool:
        """Return whether this provider and model get the message back unchanged."""
        return (self.provider, self.dialect, self.model) == (provider, dialect, model)
