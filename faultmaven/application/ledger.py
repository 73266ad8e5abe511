"""The ledger of one call: a line for everyone who was asked or left alone, and an event for each."""

from dataclasses import dataclass, field, replace

from faultmaven.application.observing import tell
from faultmaven.application.planned import Candidate
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.errors import LLMError
from faultmaven.domain.events import AttemptEnded, AttemptStarted, Event, ProviderSkipped
from faultmaven.ports.clock import Clock
from faultmaven.ports.observer import Observer


@dataclass(slots=True)
class Entry:
    """A place in the ledger, taken when a provider is asked; `line` comes when it has answered or failed.

    `candidate` is None for a provider that was left alone.
    """

    number: int
    candidate: Candidate | None
    started: float
    waited: float
    line: Attempt | None = None


@dataclass(slots=True)
class Ledger:
    """What one call has seen so far. Lines stand in the order in which providers were asked."""

    call: int
    clock: Clock
    observer: Observer
    started: float
    _entries: list[Entry] = field(default_factory=list)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The lines; attempts that are still open have none yet."""
        return tuple(entry.line for entry in self._entries if entry.line is not None)

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started

    def tell(self, event: Event) -> None:
        """Tell the observer."""
        tell(self.observer, event)

    def begin(self, candidate: Candidate, timeout: float, waited: float) -> Entry:
        """Take a place for an attempt that begins now and may take `timeout` seconds."""
        entry = Entry(len(self._entries) + 1, candidate, self.clock.monotonic(), waited)
        self._entries.append(entry)
        name, model = candidate.route.name, candidate.effective_model
        self.tell(AttemptStarted(self.call, entry.number, name, model, timeout))
        return entry

    def end(self, entry: Entry, line: Attempt) -> Attempt:
        """Write the line of an attempt."""
        entry.line = line if line.waited == entry.waited else replace(line, waited=entry.waited)
        self.tell(AttemptEnded(self.call, entry.number, entry.line))
        return entry.line

    def leave_alone(self, error: LLMError, waited: float = 0.0) -> None:
        """Write the line of a provider that is not asked, because of `error`, which names it and its model."""
        line = Attempt(error.provider, error.model, type(error).__name__, waited=waited, error=error.problem)
        self._entries.append(Entry(len(self._entries) + 1, None, self.clock.monotonic(), waited, line))
        self.tell(ProviderSkipped(self.call, error.provider, error.model, error.problem))

    def cut(self, outcome: str, entry: Entry | None = None) -> None:
        """Write the lines of attempts that were broken off: that of `entry`, or of all that are open."""
        for place in self._entries if entry is None else [entry]:
            if place.line is None and place.candidate is not None:
                name, model = place.candidate.route.name, place.candidate.effective_model
                duration = self.clock.monotonic() - place.started
                self.end(place, Attempt(name, model, outcome, duration=duration, notes=place.candidate.notes))

    def keep(self, entry: Entry) -> None:
        """Mark the line whose answer the caller gets."""
        if entry.line is not None:
            entry.line = replace(entry.line, kept=True)
