"""The circuit breaker policy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Conditions under which a circuit breaker opens, and how long it stays open.

    Attributes:
        window: Seconds over which calls are counted; 0 turns circuit breakers off.
        min_calls: The circuit breaker stays closed below this number of calls in the window.
        rate: Share of failures at which the circuit breaker opens, above 0 up to 1.
        open_seconds: Seconds that the circuit breaker stays open before it admits a probe.
    """

    window: float = 60.0
    min_calls: int = 10
    rate: float = 0.5
    open_seconds: float = 30.0
