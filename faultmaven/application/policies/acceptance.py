"""The acceptance policy: the action for each defect of a response."""

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from ...domain.errors import ConfigurationError
from ...domain.names import did_you_mean

Action: TypeAlias = Literal["accept", "move_on", "raise"]

ACTIONS: tuple[Action, ...] = ("accept", "move_on", "raise")


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """Actions for defective responses: "accept", "move_on" to the next provider, or "raise" at once.

    When "move_on" leads to no better response, a truncated response and one of low confidence are returned, with the
    reason in `response.attempts`. An empty, refused or invalid response is raised as an error that holds the response.

    Attributes:
        empty: The response has no text and no tool calls.
        truncated: The response was cut below the caller's `min_output_tokens`.
        refused: A filter or the model itself stopped the response.
        invalid: The response does not match the schema of `response_format`.
        unsure: The confidence that a custom class reports is below the threshold.
    """

    empty: Action = "move_on"
    truncated: Action = "move_on"
    refused: Action = "move_on"
    invalid: Action = "move_on"
    unsure: Action = "move_on"

    def __post_init__(self) -> None:
        for defect in fields(self):
            action = getattr(self, defect.name)
            if action not in ACTIONS:
                raise ConfigurationError(
                    f"AcceptancePolicy has {defect.name}={action!r}{did_you_mean(str(action), ACTIONS)}"
                )
