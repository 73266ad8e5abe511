"""Whether the same provider is asked again, and when: a decision over values."""

import threading

from ...domain.errors import LLMError
from ..policies.errors import DEFAULT_ERROR_POLICY, ErrorPolicy, reaction
from ..policies.retry import RetryPolicy
from .sliding_window import SlidingWindow

MAX_BACKOFF_SECONDS = 8.0


LONGEST_PATIENCE_SECONDS = 120.0
"""What a vendor may ask for at most before it is given up, even when nobody else is left (as OpenAI's SDK does)."""


def next_delay(
    policy: RetryPolicy,
    attempt: int,
    error: LLMError,
    chance: float = 1.0,
    errors: ErrorPolicy = DEFAULT_ERROR_POLICY,
) -> float | None:
    """Decide how long to wait before trying the same provider again.

    Args:
        attempt: Attempts made so far, counted from 1.
        chance: From 0 to 1, for full jitter: without it, the retries of many callers come at the same moment.
        errors: Which class of error may be retried at all.

    Returns:
        Seconds to wait, or None to give up. The vendor's own delay, the newest one, wins while it is within
        `policy.max_delay`.

    Source: RFC 9110, 10.2.3 (Retry-After); AWS Architecture Blog, "Exponential Backoff And Jitter" (full jitter).
    """
    limit = policy.max_retries if error.retry_limit is None else min(error.retry_limit, policy.max_retries)
    allowed = reaction(errors, error)
    if allowed.retry_limit is not None:
        limit = min(limit, allowed.retry_limit)
    if attempt > limit or not allowed.retry:
        return None
    if error.retry_after:
        return error.retry_after if error.retry_after <= policy.max_delay else None
    return float(min(MAX_BACKOFF_SECONDS, policy.base_delay * 2 ** min(attempt - 1, 30)) * chance)


class RetryBudget:
    """Retries of one provider as a share of its recent calls, so that they multiply nothing when everything fails.

    A few are always free: with little traffic, a share of it would allow none.
    """

    SECONDS = 30.0
    SHARE = 0.2
    FREE = 10

    def __init__(self) -> None:
        self._window = SlidingWindow(self.SECONDS)
        self._lock = threading.Lock()

    def count_call(self, now: float) -> None:
        """Take note of a first attempt."""
        with self._lock:
            self._window.add(0, now)

    def take(self, now: float) -> bool:
        """Return whether one more retry may be made, and count it if so."""
        with self._lock:
            calls, retries = self._window.totals(now)
            if retries >= self.FREE + calls * self.SHARE:
                return False
            self._window.add(1, now)
            return True
