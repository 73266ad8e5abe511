"""What came of the newest attempts at each provider, heard sideways as an observer hears it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.events import AttemptEnded, Event
from ...ports.clock import Clock
from ...ports.observer import Observer

KEPT_ANSWERS = 256
"""Latencies are those of so many answers, the newest; older ones tell of another day."""

# They say nothing of the provider: the caller went away, or it was not asked.
_NO_WORD_OF_IT = ("cancelled", "cached", "CircuitOpenError", "LimitReachedError")


@dataclass(slots=True)
class ProviderRecord:
    """The newest of one provider. Times are the clock's own, in seconds."""

    last_success: float | None = None
    last_error: str = ""
    last_error_at: float | None = None
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_ANSWERS))
    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_ANSWERS))


class ProviderHistory:
    """An `Observer` that keeps a record of each provider; it outlives a reload."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, ProviderRecord] = {}

    def __call__(self, event: Event, /) -> None:
        """Take note of an attempt that has ended; other events pass."""
        if type(event) is not AttemptEnded or event.attempt.outcome in _NO_WORD_OF_IT:
            return
        attempt = event.attempt
        record = self._records.get(attempt.provider) or self._records.setdefault(attempt.provider, ProviderRecord())
        if attempt.outcome != "answered":
            record.last_error, record.last_error_at = attempt.outcome, self._clock.monotonic()
            return
        record.last_success = self._clock.monotonic()
        record.durations.append(attempt.duration)
        if attempt.time_to_first_token is not None:
            record.first_tokens.append(attempt.time_to_first_token)

    @property
    def records(self) -> Mapping[str, ProviderRecord]:
        """The record of each provider that was asked."""
        return self._records


def one_after_the_other(first: Observer, second: Observer) -> Observer:
    """Return an observer that tells both; the first must not raise."""

    def told(event: Event, /) -> None:
        first(event)
        second(event)

    return told
