"""The retry policy of one provider. A host sets the number of retries; both delays are constants of the library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number and delays of retries at one provider.

    Attributes:
        max_retries: Attempts after the first one.
        base_delay: Seconds; the backoff before retry n is drawn from 0 up to `base_delay * 2 ** (n - 1)`, 8 s at most.
        max_delay: The longest delay in seconds that a vendor may ask for; a longer one prevents the retry.
    """

    max_retries: int = 3
    base_delay: float = 0.5
    max_delay: float = 8.0
