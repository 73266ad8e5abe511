"""What happened during a call, as values. They leave sideways, to an observer; nothing reads them on the way."""

from dataclasses import dataclass
from typing import TypeAlias

from faultmaven.domain.attempts import Attempt
from faultmaven.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A provider is about to be asked. `call` numbers the calls of one process; `timeout` is in seconds."""

    call: int
    number: int
    provider: str
    model: str
    timeout: float


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """A provider answered, failed or was cancelled; the attempt says which."""

    call: int
    number: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class FellBack:
    """The next provider is tried because of `reason`, the name of an error class."""

    call: int
    provider: str
    successor: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The caller has the answer. `duration` is of the whole call, in seconds."""

    call: int
    provider: str
    model: str
    attempts: tuple[Attempt, ...]
    duration: float
    stop_reason: str
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The caller gets an error, or cancelled; `reason` is the error class's name or "cancelled"."""

    call: int
    reason: str
    attempts: tuple[Attempt, ...]
    duration: float


Event: TypeAlias = AttemptStarted | AttemptEnded | FellBack | CallAnswered | CallFailed
