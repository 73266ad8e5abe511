"""The ledger of one call: a line for everyone who was asked or left alone, and an event for each."""

from dataclasses import dataclass, field, replace

from ...domain.attempts import Attempt
from ...domain.errors import LLMError
from ...domain.events import AttemptEnded, AttemptStarted, CallAnswered, CallFailed, Event, ProviderSkipped
from ...domain.responses import LLMResponse
from ...ports.clock import Clock
from ...ports.observer import Observer
from ..emitting import tell
from ..planning.plan import Candidate


@dataclass(slots=True)
class AttemptRecord:
    """A place in the ledger, taken when a provider's turn comes; `line` follows when it is known what came of it.

    Attributes:
        opened: When its turn came; what passes until it is asked is `waited`.
        started: When it was asked, None before that.
    """

    number: int
    candidate: Candidate
    opened: float
    started: float | None = None
    line: Attempt | None = None

    @property
    def waited(self) -> float:
        """Seconds from its turn until it was asked."""
        return 0.0 if self.started is None else self.started - self.opened


@dataclass(slots=True)
class CallLog:
    """What one call has seen so far. Lines stand in the order in which the providers' turns came."""

    call: int
    clock: Clock
    observer: Observer
    started: float
    _skipped: tuple[Attempt, ...] = ()
    _entries: list[AttemptRecord] = field(default_factory=list)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The lines, those whom the plan left alone first; places that are still open have none yet."""
        return self._skipped + tuple([entry.line for entry in self._entries if entry.line is not None])

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started

    def tell(self, event: Event) -> None:
        """Tell the observer."""
        tell(self.observer, event)

    def skip(self, error: LLMError) -> None:
        """Write the line of a provider that the plan leaves alone because of `error`, which names it and its model."""
        self._skipped += (Attempt(error.provider, error.model, type(error).__name__, error=error.problem),)
        self.tell(ProviderSkipped(self.call, error.provider, error.model, error.problem))

    def open(self, candidate: Candidate) -> AttemptRecord:
        """Take a place for a candidate whose turn has come."""
        entry = AttemptRecord(len(self._entries) + 1, candidate, self.clock.monotonic())
        self._entries.append(entry)
        return entry

    def begin(self, entry: AttemptRecord, timeout: float) -> float:
        """Note that it is asked now, for `timeout` seconds at most; return the time."""
        entry.started = self.clock.monotonic()
        self.tell(AttemptStarted(self.call, entry.number, *entry.candidate.target, timeout))
        return entry.started

    def end(self, entry: AttemptRecord, line: Attempt) -> None:
        """Write the line of a provider that was asked."""
        entry.line = line
        self.tell(AttemptEnded(self.call, entry.number, entry.line))

    def leave_alone(self, entry: AttemptRecord, error: LLMError) -> None:
        """Write the line of a provider that was not asked after all, because of `error`."""
        self._close_unasked(entry, type(error).__name__, error.problem)
        self.tell(ProviderSkipped(self.call, error.provider, error.model, error.problem))

    def cut(self, outcome: str, spare: AttemptRecord | None = None) -> None:
        """Write the lines of all that were broken off: under way, or waiting for their turn; `spare` goes on."""
        now = self.clock.monotonic()
        for entry in self._entries:
            if entry is spare:
                continue
            if entry.line is None and entry.started is None:
                self._close_unasked(entry, outcome, "it was not asked: the call ended while it waited")
            elif entry.line is None and entry.started is not None:
                candidate, duration = entry.candidate, now - entry.started
                line = Attempt(*candidate.target, outcome, waited=entry.waited, duration=duration)
                self.end(entry, replace(line, notes=candidate.notes))

    def answered(self, response: LLMResponse) -> None:
        """Tell the observer that the caller has `response`."""
        who, usage = (response.provider, response.model), response.usage
        self.tell(CallAnswered(self.call, *who, response.attempts, self.elapsed, response.stop_reason.value, usage))

    def failed(self, reason: str) -> None:
        """Tell the observer that the caller gets no answer because of `reason`."""
        self.tell(CallFailed(self.call, reason, self.attempts, self.elapsed))

    def keep(self, entry: AttemptRecord) -> None:
        """Mark the line whose answer the caller gets."""
        if entry.line is not None:
            entry.line = entry.line.as_kept()

    def _close_unasked(self, entry: AttemptRecord, outcome: str, error: str) -> None:
        waited = self.clock.monotonic() - entry.opened
        entry.line = Attempt(*entry.candidate.target, outcome, waited=waited, error=error)
