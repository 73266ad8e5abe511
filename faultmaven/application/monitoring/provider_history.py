"""A history of the newest attempts at each provider, collected by an observer."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.events import AttemptEnded, Event
from ...ports.clock import Clock
from ...ports.observer import Observer

MAX_LATENCIES = 256
"""The number of newest responses whose latencies are kept; older ones say nothing about the provider now."""

# The caller cancelled the attempt, or no request was sent to the provider.
_IGNORED_OUTCOMES = ("cancelled", "cached", "CircuitOpenError", "LimitReachedError")


@dataclass(slots=True)
class ProviderRecord:
    """The newest results of one provider. Times are readings of the clock, in seconds.

    Attributes:
        last_success: Time of the last response, None when there was none.
        last_error: Class of the last error, "" when there was none.
        last_error_at: Time of the last error.
        durations: Seconds from request to whole response, of the newest responses.
        first_tokens: Seconds from request to first chunk, of the newest streams.
    """

    last_success: float | None = None
    last_error: str = ""
    last_error_at: float | None = None
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))
    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))


class ProviderHistory:
    """An `Observer` that keeps a record of each provider. The records outlive a reload."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, ProviderRecord] = {}

    def __call__(self, event: Event, /) -> None:
        """Record an attempt that has ended; ignore other events."""
        if type(event) is not AttemptEnded or event.attempt.outcome in _IGNORED_OUTCOMES:
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
        """The records by provider, for providers with at least one recorded attempt."""
        return self._records


def combine_observers(first: Observer, second: Observer) -> Observer:
    """Return an observer that calls `first`, which must not raise, and then `second`."""

    def combined(event: Event, /) -> None:
        first(event)
        second(event)

    return combined
