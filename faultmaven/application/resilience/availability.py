"""How a provider stands at the moment, as the planner sees it: a value, taken once for each plan."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from ...domain.events import BreakerPhase
from ..configuration import Route, Target

PATIENCE_SECONDS = 2.0
"""While another provider is left, nobody waits longer than this for a limit."""


@dataclass(frozen=True, slots=True)
class Availability:
    """What keeps a provider from being asked now. Times are in seconds.

    Attributes:
        phase: Its circuit breaker's phase; an open one lets nothing through for `open_for`.
        is_probing: A half-open breaker's one probe is under way.
        limited_for: The vendor said that it takes nothing for so long.
        used_up_for: The row's own limits per minute let nothing through for so long.
        is_full: Every place of `max_concurrency` is taken, and so is the queue before them.
    """

    phase: BreakerPhase = "closed"
    open_for: float = 0.0
    is_probing: bool = False
    limited_for: float = 0.0
    used_up_for: float = 0.0
    is_full: bool = False

    @property
    def obstacle(self) -> str:
        """Why it is left alone while another provider can be asked, "" when it is not."""
        if self.phase == "open":
            return f"breaker open for {self.open_for:.3g} s more"
        if self.is_probing:
            return "breaker half-open: its one probe is under way"
        if self.limited_for > PATIENCE_SECONDS:
            return f"limit: the vendor takes nothing for {self.limited_for:.3g} s more"
        if self.used_up_for > PATIENCE_SECONDS:
            return f"limit: what the row allows in a minute is used up for {self.used_up_for:.3g} s more"
        if self.is_full:
            return "limit: every place of max_concurrency is taken, and so is the queue"
        return ""

    @property
    def clears_in(self) -> float | None:
        """Seconds until it can be asked again, None where that is not known."""
        return self.open_for or max(self.limited_for, self.used_up_for) or None


AVAILABLE = Availability()


class AvailabilitySource(Protocol):
    """Knows how providers stand."""

    @property
    def suspects(self) -> Collection[Target]:
        """Whose breaker is not closed, and who announced a pause: of all others, only limits of our own can stand in
        the way."""
        ...

    def standing(self, route: Route, model: str, tokens: int) -> Availability:
        """Return how `model` at `route` stands now, for an exchange of about `tokens`."""
        ...


class AllAvailable:
    """`AvailabilitySource` that knows of no trouble, for plans that are made without any calls before them."""

    suspects: Collection[Target] = ()

    def standing(self, route: Route, model: str, tokens: int) -> Availability:
        """Return that all is well."""
        return AVAILABLE
