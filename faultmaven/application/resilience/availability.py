"""Availability of a provider at the moment of planning, as a value."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from ...domain.events import BreakerPhase
from ..configuration import Route, Target

MAX_WAIT_SECONDS = 2.0
"""The longest wait for a limit while another candidate is left."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Everything that keeps a provider from being tried now. Times are in seconds.

    Attributes:
        phase: The circuit breaker's phase; an open breaker refuses requests for `open_for`.
        is_probing: The one probe of a half-open circuit breaker is in flight.
        limited_for: The vendor announced a pause of so long.
        used_up_for: The row's own limits per minute refuse requests for so long.
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
        """The reason for which the provider is skipped while another one is available; "" when it is available."""
        if self.phase == "open":
            return f"circuit breaker open for {self.open_for:.3g} s more"
        if self.is_probing:
            return "circuit breaker half-open: its probe is in flight"
        if self.limited_for > MAX_WAIT_SECONDS:
            return f"limit: the vendor accepts no request for {self.limited_for:.3g} s more"
        if self.used_up_for > MAX_WAIT_SECONDS:
            return f"limit: the row's limit per minute is used up for {self.used_up_for:.3g} s more"
        if self.is_full:
            return "limit: max_concurrency is reached and the queue is full"
        return ""

    @property
    def clears_in(self) -> float | None:
        """Seconds until the provider is available again, None where that is unknown."""
        return self.open_for or max(self.limited_for, self.used_up_for) or None


AVAILABLE = Availability()


class AvailabilitySource(Protocol):
    """Source of the availability of providers, read by the planner."""

    @property
    def possibly_unavailable(self) -> Collection[Target]:
        """Targets whose circuit breaker is not closed or whose vendor announced a pause.

        Only the row's own limits can make any other target unavailable.
        """
        ...

    def availability(self, route: Route, model: str, tokens: int) -> Availability:
        """Return the availability of `model` at `route` now, for an exchange of about `tokens` tokens."""
        ...


class AllAvailable:
    """An `AvailabilitySource` for plans without earlier calls: every provider is available."""

    possibly_unavailable: Collection[Target] = ()

    def availability(self, route: Route, model: str, tokens: int) -> Availability:
        """Return `AVAILABLE`."""
        return AVAILABLE
