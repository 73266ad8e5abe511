"""The circuit breaker: a provider that fails too often is left alone for a while, then tried by one call.

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

LONGEST_OPEN_SECONDS = 300.0
"""A vendor that asks for more patience than this is tried all the same."""


FIRST_EARLY_PROBE_SECONDS = 1.0


_GOOD, _BAD = 0, 1


class CallResult(Enum):
    """What a call tells of its provider's health; NOTHING where it was cancelled, or never got that far."""

    GOOD = "good"
    BAD = "bad"
    NOTHING = "nothing"


class CircuitBreaker:
    """The state machine of one provider and model, over all event loops of the process. Time is told to it."""

    def __init__(
        self, policy: BreakerPolicy, changed: Callable[[BreakerPhase, float], None] = lambda phase, seconds: None
    ) -> None:
        """Args:
        changed: Hears of every new phase, with the seconds for which an open one lets nothing through.
        """
        self.policy = policy
        self._changed = changed
        self._window = SlidingWindow(policy.window) if policy.window else None
        self._open_until: float | None = None
        self._early_at = 0.0
        self._early_gap = FIRST_EARLY_PROBE_SECONDS
        self._probing = False
        self.last_probe = CallResult.NOTHING
        self._waiters = Waiters()
        self._lock = threading.Lock()

    def phase(self, now: float) -> BreakerPhase:
        """Return the phase as it is at `now`."""
        if self._open_until is None:
            return "closed"
        return "half-open" if now >= self._open_until or self._probing else "open"

    def open_for(self, now: float) -> float:
        """Return the seconds until a probe is due, 0 when it is closed or due."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    @property
    def is_closed(self) -> bool:
        """Whether it lets everything through."""
        return self._open_until is None

    @property
    def is_probing(self) -> bool:
        """Whether the one probe is under way."""
        return self._probing

    def admits(self, now: float, *, last_resort: bool = False) -> bool:
        """Return whether `enter` would let a call pass now."""
        if self._open_until is None:
            return True
        due = min(self._early_at, self._open_until) if last_resort else self._open_until
        return not self._probing and now >= due

    def enter(self, now: float, *, last_resort: bool = False) -> bool | None:
        """Return whether a call may pass as the probe (True) or as one of many (False); None lets it not pass.

        Whoever passes reports with `report`, whatever happens.

        Args:
            last_resort: Nobody else can be asked: the probe comes early, after a second, and after twice as long each
                time that it fails, so that an outage which is over is soon noticed, and a vendor that is down is not
                asked by everybody.
        """
        if self._open_until is None:
            return False
        with self._lock:
            if self.phase(now) == "closed":  # by now
                return False
            if not self.admits(now, last_resort=last_resort):
                return None
            self._probing = True
        self._changed("half-open", 0.0)
        return True

    def report(self, result: CallResult, now: float, *, probe: bool, retry_after: float | None = None) -> None:
        """Take note of how a call that passed has ended.

        Args:
            probe: What `enter` returned.
            retry_after: Seconds that the vendor asked us to wait; an opening breaker keeps to it, within bounds.
        """
        if self._window is None:
            return
        seconds = max(self.policy.open_seconds, min(retry_after or 0.0, LONGEST_OPEN_SECONDS))
        with self._lock:
            after = self._after_probe if probe else self._after_call
            phase = after(result, now, now + seconds)
            if probe:
                self._waiters.wake_all()
        if phase is not None:
            self._changed(phase, seconds if phase == "open" else 0.0)

    async def wait_for_probe(self) -> None:
        """Wait until the probe that is under way has ended; return at once when there is none."""
        with self._lock:
            if not self._probing:
                return
            turn = self._waiters.join()
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                self._waiters.leave(turn)
            raise

    def _after_probe(self, result: CallResult, now: float, until: float) -> BreakerPhase | None:
        self._probing, self.last_probe = False, result
        if result is CallResult.NOTHING:
            return None  # still due: the next call is the probe
        if result is CallResult.BAD:
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
        """Count a call. One that began before the breaker opened and ends after changes nothing."""
        if result is CallResult.NOTHING or self._open_until is not None or self._window is None:
            return None
        self._window.add(_BAD if result is CallResult.BAD else _GOOD, now)
        if result is CallResult.GOOD:
            return None
        good, bad = self._window.totals(now)
        if good + bad < self.policy.min_calls or bad / (good + bad) < self.policy.rate:
            return None
        return self._open(until, now)
