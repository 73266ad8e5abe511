"""The retry policy of one provider."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one provider is asked again.

    Attributes:
        max_retries: Calls after the first one.
        base_delay: Seconds; the backoff before retry n is drawn from 0 up to `base_delay * 2 ** (n - 1)`, 8 s at most.
        max_delay: Seconds that a vendor's own delay may be at most; a longer one is not waited for.
    """

    max_retries: int = 3
    base_delay: float = 0.5
    max_delay: float = 8.0
