"""The acceptance policy: the action for each fact about an answer."""

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from ...domain.errors import ConfigurationError
from ...domain.names import did_you_mean

Action: TypeAlias = Literal["accept", "move_on", "raise"]


ACTIONS: tuple[Action, ...] = ("accept", "move_on", "raise")


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """What each fact about an answer leads to: take it, ask the next provider, or raise at once.

    Where the next provider is asked and nothing better comes, a truncated answer and one of low confidence are returned
    all the same, with the reason in the ledger; an empty, refused or invalid one is raised as an error that holds it.

    Attributes:
        empty: No text and no tool calls.
        truncated: Cut below the caller's `min_output_tokens`.
        refused: Stopped by a filter, or by the model itself.
        invalid: Not of the schema that `response_format` asks for.
        unsure: A custom class's own confidence is below the threshold.
    """

    empty: Action = "move_on"
    truncated: Action = "move_on"
    refused: Action = "move_on"
    invalid: Action = "move_on"
    unsure: Action = "move_on"

    def __post_init__(self) -> None:
        for fact in fields(self):
            action = getattr(self, fact.name)
            if action not in ACTIONS:
                raise ConfigurationError(
                    f"AcceptancePolicy has {fact.name}={action!r}{did_you_mean(str(action), ACTIONS)}"
                )
