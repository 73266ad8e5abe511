"""The circuit breaker: a provider that fails too often is refused for a while, then probed by one call.

```text
             failures / calls >= rate, with min_calls in the window
   closed ───────────────────────────────────────────────────────────► open
     ▲                                                                   │ open_seconds pass
     │ the probe succeeds                                                ▼
     └──────────────────────────────────────────────────────────── half-open: one probe
                                   the probe fails: open again ──────────┘
```
"""

import asyncio
import threading
from collections.abc import Callable
from enum import Enum

from ...domain.events import BreakerPhase
from ..policies.circuit_breaker import BreakerPolicy
from .sliding_window import SlidingWindow
from .waiters import Waiters

MAX_OPEN_SECONDS = 300.0
"""The longest time that a vendor's own delay may keep a breaker open."""

FIRST_EARLY_PROBE_SECONDS = 1.0
_SUCCESSES, _FAILURES = 0, 1


class CallResult(Enum):
    """The result of a request for the circuit breaker; IGNORED where it was cancelled or never sent."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"


class CircuitBreaker:
    """The state machine of one provider and model, over all event loops of the process. Callers pass the time."""

    def __init__(
        self, policy: BreakerPolicy, on_change: Callable[[BreakerPhase, float], None] = lambda phase, seconds: None
    ) -> None:
        """Args:
        on_change: Called with every new phase, and the seconds for which an open breaker refuses requests.
        """
        self.policy = policy
        self._on_change = on_change
        self._window = SlidingWindow(policy.window) if policy.window else None
        self._open_until: float | None = None
        self._early_at = 0.0
        self._early_gap = FIRST_EARLY_PROBE_SECONDS
        self._probing = False
        self.last_probe = CallResult.IGNORED
        self._waiters = Waiters()
        self._lock = threading.Lock()

    def phase(self, now: float) -> BreakerPhase:
        """Return the phase at `now`."""
        if self._open_until is None:
            return "closed"
        return "half-open" if now >= self._open_until or self._probing else "open"

    def open_for(self, now: float) -> float:
        """Return the seconds until a probe is due, 0 when the breaker is closed or a probe is due."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    @property
    def is_closed(self) -> bool:
        """Whether the breaker admits every request."""
        return self._open_until is None

    @property
    def is_probing(self) -> bool:
        """Whether the one probe is in flight."""
        return self._probing

    def admits(self, now: float, *, is_last_resort: bool = False) -> bool:
        """Return whether `enter` would admit a request now."""
        if self._open_until is None:
            return True
        due = min(self._early_at, self._open_until) if is_last_resort else self._open_until
        return not self._probing and now >= due

    def enter(self, now: float, *, is_last_resort: bool = False) -> bool | None:
        """Admit a request as the probe (True) or as one of many (False); None refuses the request.

        Every admitted request is followed by `report`, also when the request is cancelled.

        Args:
            is_last_resort: No other provider is available: the probe comes early, after one second, and after twice as
                long each time that it fails. The end of an outage is noticed soon, and a vendor that is down gets few
                requests.
        """
        if self._open_until is None:
            return False
        with self._lock:
            if self.phase(now) == "closed":  # another thread closed the breaker
                return False
            if not self.admits(now, is_last_resort=is_last_resort):
                return None
            self._probing = True
        self._on_change("half-open", 0.0)
        return True

    def report(self, result: CallResult, now: float, *, is_probe: bool, retry_after: float | None = None) -> None:
        """Count the result of an admitted request.

        Args:
            is_probe: The value that `enter` returned.
            retry_after: Seconds that the vendor asked to wait; an opening breaker stays open for as long, up to
                `MAX_OPEN_SECONDS`.
        """
        if self._window is None:
            return
        seconds = max(self.policy.open_seconds, min(retry_after or 0.0, MAX_OPEN_SECONDS))
        with self._lock:
            after = self._after_probe if is_probe else self._after_call
            phase = after(result, now, now + seconds)
            if is_probe:
                self._waiters.wake_all()
        if phase is not None:
            self._on_change(phase, seconds if phase == "open" else 0.0)

    async def wait_for_probe(self) -> None:
        """Wait for the end of the probe in flight; return at once when there is none."""
        with self._lock:
            if not self._probing:
                return
            waiter = self._waiters.join()
        try:
            await waiter
        except asyncio.CancelledError:
            with self._lock:
                self._waiters.leave(waiter)
            raise

    def _after_probe(self, result: CallResult, now: float, until: float) -> BreakerPhase | None:
        self._probing, self.last_probe = False, result
        if result is CallResult.IGNORED:
            return None  # a probe is still due: the next request is the probe
        if result is CallResult.FAILURE:
            self._early_gap *= 2
            return self._open(until, now)
        self._open_until = None
        self._early_gap = FIRST_EARLY_PROBE_SECONDS
        if self._window is not None:
            self._window.clear()
        return "closed"

    def _open(self, until: float, now: float) -> BreakerPhase:
        self._open_until, self._early_at = until, now + self._early_gap
        return "open"

    def _after_call(self, result: CallResult, now: float, until: float) -> BreakerPhase | None:
        """Count a request; one that began before the breaker opened and ends afterwards changes nothing."""
        if result is CallResult.IGNORED or self._open_until is not None or self._window is None:
            return None
        self._window.add(_FAILURES if result is CallResult.FAILURE else _SUCCESSES, now)
        if result is CallResult.SUCCESS:
            return None
        successes, failures = self._window.totals(now)
        calls = successes + failures
        if calls < self.policy.min_calls or failures / calls < self.policy.rate:
            return None
        return self._open(until, now)
