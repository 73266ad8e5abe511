"""The log of one call: an attempt record for each candidate that was tried or skipped, and an event for each step."""

from dataclasses import dataclass, field, replace

from ...domain.attempts import Attempt
from ...domain.errors import LLMError
from ...domain.events import AttemptEnded, AttemptStarted, CallAnswered, CallFailed, Event, ProviderSkipped
from ...domain.responses import LLMResponse
from ...ports.clock import Clock
from ...ports.observer import Observer
from ..emitting import emit
from ..planning.plan import Candidate


@dataclass(slots=True)
class AttemptRecord:
    """The record of one attempt, opened when the candidate's turn comes; `result` follows at the attempt's end.

    Attributes:
        number: The attempt's number in the call, from 1.
        opened_at: Clock time of the opening; the wait for a permit begins here.
        started_at: Clock time of the request, None before.
        result: The finished attempt as the caller gets it, None while the attempt is unfinished.
    """

    number: int
    candidate: Candidate
    opened_at: float
    started_at: float | None = None
    result: Attempt | None = None

    @property
    def waited(self) -> float:
        """Seconds from the opening to the request."""
        return 0.0 if self.started_at is None else self.started_at - self.opened_at

    def duration(self, now: float) -> float:
        """Return the seconds from the request to `now`, 0 where no request was sent."""
        return 0.0 if self.started_at is None else now - self.started_at


@dataclass(slots=True)
class CallLog:
    """The attempts of one call in the order of their opening, and the emission of the call's events.

    Attributes:
        call: The call's number in this process, as events have it.
        started: Clock time of the call's start.
    """

    call: int
    clock: Clock
    observer: Observer
    started: float
    _skipped: tuple[Attempt, ...] = ()
    _records: list[AttemptRecord] = field(default_factory=list)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The finished attempts, after the providers that the plan skipped."""
        return self._skipped + tuple([record.result for record in self._records if record.result is not None])

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started

    def emit(self, event: Event) -> None:
        """Pass an event to the observer."""
        emit(self.observer, event)

    def skip(self, error: LLMError) -> None:
        """Log a provider that the plan skips; `error` holds the reason, the provider and the model."""
        self._skipped += (Attempt(error.provider, error.model, type(error).__name__, error=error.problem),)
        self.emit(ProviderSkipped(self.call, error.provider, error.model, error.problem))

    def open(self, candidate: Candidate) -> AttemptRecord:
        """Add a record for the candidate whose turn has come."""
        record = AttemptRecord(len(self._records) + 1, candidate, self.clock.monotonic())
        self._records.append(record)
        return record

    def start(self, record: AttemptRecord, timeout: float) -> None:
        """Log the start of a request that has at most `timeout` seconds."""
        record.started_at = self.clock.monotonic()
        self.emit(AttemptStarted(self.call, record.number, *record.candidate.target, timeout))

    def end(self, record: AttemptRecord, result: Attempt) -> None:
        """Log the end of an attempt."""
        record.result = result
        self.emit(AttemptEnded(self.call, record.number, result))

    def refuse(self, record: AttemptRecord, error: LLMError) -> None:
        """Log an attempt that got no permit because of `error`."""
        self._close_unsent(record, type(error).__name__, error.problem)
        self.emit(ProviderSkipped(self.call, error.provider, error.model, error.problem))

    def abort_unfinished(self, outcome: str, keep: AttemptRecord | None = None) -> None:
        """End all unfinished attempts with `outcome`, in flight or waiting for a permit, except the record `keep`."""
        now = self.clock.monotonic()
        for record in self._records:
            if record is keep or record.result is not None:
                continue
            candidate = record.candidate
            if record.started_at is None:
                self._close_unsent(record, outcome, "not sent: the call ended while the attempt waited for a permit")
            else:
                result = Attempt(*candidate.target, outcome, waited=record.waited, duration=record.duration(now))
                self.end(record, replace(result, notes=candidate.notes))

    def mark_accepted(self, record: AttemptRecord) -> None:
        """Mark the attempt whose response the caller gets."""
        if record.result is not None:
            record.result = record.result.as_kept()

    def answered(self, response: LLMResponse) -> None:
        """Emit that the caller gets `response`."""
        target, usage = (response.provider, response.model), response.usage
        self.emit(CallAnswered(self.call, *target, response.attempts, self.elapsed, response.stop_reason.value, usage))

    def failed(self, reason: str) -> None:
        """Emit that the caller gets no response because of `reason`, the name of an error class or "cancelled"."""
        self.emit(CallFailed(self.call, reason, self.attempts, self.elapsed))

    def fail(self, error: LLMError) -> LLMError:
        """Return `error` with the attempts of this call, and emit that the call failed."""
        error.attempts = self.attempts
        self.failed(type(error).__name__)
        return error

    def _close_unsent(self, record: AttemptRecord, outcome: str, error: str) -> None:
        waited = self.clock.monotonic() - record.opened_at
        record.result = Attempt(*record.candidate.target, outcome, waited=waited, error=error)
