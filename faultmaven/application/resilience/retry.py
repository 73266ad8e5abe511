"""The delay before a retry at the same provider, and the budget of retries: decisions over values."""

import threading

from ...domain.errors import LLMError
from ..policies.errors import NO_OVERRIDES, ErrorPolicy, reaction
from ..policies.retry import RetryPolicy
from .sliding_window import SlidingWindow

MAX_BACKOFF_SECONDS = 8.0

MAX_LAST_DELAY_SECONDS = 120.0
"""The longest delay that a vendor may ask for when no other candidate is left; a longer one ends the retries, as in
OpenAI's SDK."""


def next_delay(
    policy: RetryPolicy,
    attempts_made: int,
    error: LLMError,
    random: float = 1.0,
    errors: ErrorPolicy = NO_OVERRIDES,
) -> float | None:
    """Return the seconds to wait before the next attempt at the same provider, None for no further attempt.

    The vendor's newest `retry_after` wins over the backoff while it is within `policy.max_delay`.

    The number of retries has up to three limits, and the smallest one applies: `policy.max_retries` (the provider's row
    or LLM_MAX_RETRIES), `error.retry_limit` (this error, from a vendor's rule), and the `retry_limit` of the reaction.
    The reaction is the host's override of the error's class, or else has the `max_retries` of the class itself. Each
    limit counts all attempts at the provider in this call, whatever errors they had. A repair asks for no delay here,
    so none of these limits applies to a repair.

    Args:
        attempts_made: The number of attempts at the provider in this call so far, at least 1.
        random: A number from 0 to 1 for full jitter, which spreads the retries of many callers.
        errors: The host's overrides of reactions to errors.

    Source: RFC 9110, 10.2.3 (Retry-After); AWS Architecture Blog, "Exponential Backoff And Jitter" (full jitter).
    """
    limit = policy.max_retries if error.retry_limit is None else min(error.retry_limit, policy.max_retries)
    allowed = reaction(errors, error)
    if allowed.retry_limit is not None:
        limit = min(limit, allowed.retry_limit)
    if attempts_made > limit or not allowed.retry:
        return None
    if error.retry_after:
        return error.retry_after if error.retry_after <= policy.max_delay else None
    return float(min(MAX_BACKOFF_SECONDS, policy.base_delay * 2 ** min(attempts_made - 1, 30)) * random)


class RetryBudget:
    """The budget of retries at one provider: a share of its recent calls, so that an outage multiplies no requests.

    The first `FLOOR` retries of a window are always allowed, since a share of few calls would allow none.
    """

    WINDOW_SECONDS = 30.0
    SHARE = 0.2
    FLOOR = 10

    def __init__(self) -> None:
        self._window = SlidingWindow(self.WINDOW_SECONDS)
        self._lock = threading.Lock()

    def count_call(self, now: float) -> None:
        """Count a first attempt at `now` seconds."""
        with self._lock:
            self._window.add(0, now)

    def take(self, now: float) -> bool:
        """Take one retry from the budget at `now` seconds; return False when the budget is used up."""
        with self._lock:
            calls, retries = self._window.totals(now)
            if retries >= self.FLOOR + calls * self.SHARE:
                return False
            self._window.add(1, now)
            return True
