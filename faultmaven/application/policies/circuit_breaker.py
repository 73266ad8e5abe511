"""The circuit breaker's policy: when a breaker opens and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and for how long.

    Attributes:
        window: Seconds over which calls are counted; 0 turns breakers off.
        min_calls: Calls in the window below which it stays closed.
        rate: The share of failures at which it opens, above 0 up to 1.
        open_seconds: Seconds before a probe.
    """

    window: float = 60.0
    min_calls: int = 10
    rate: float = 0.5
    open_seconds: float = 30.0
