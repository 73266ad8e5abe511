"""What was decided and what happened, as values. They leave sideways, to an observer; nothing reads them on the way.

Times are in seconds. `call` numbers the calls of one process. Providers are named as the registry knows them; `model`
is the one that was sent, "" where the server decides.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .attempts import Attempt
from .usage import Usage

BreakerPhase = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A provider is about to be asked, for `timeout` seconds at most."""

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
class RetryScheduled:
    """The same provider is asked again after `delay` seconds because of `reason`, the name of an error class."""

    call: int
    provider: str
    model: str
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class RetryRefused:
    """The same provider might be asked again, and is not: its budget is used up, or the wait is too long."""

    call: int
    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderSkipped:
    """A planned provider was left alone because of `reason`: its breaker is open, or a limit is reached."""

    call: int
    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """The next provider is tried because of `reason`, the name of an error class."""

    call: int
    provider: str
    successor: str
    reason: str


@dataclass(frozen=True, slots=True)
class HedgeStarted:
    """`provider` has not answered after `delay` seconds, so `successor` is asked beside it."""

    call: int
    provider: str
    successor: str
    delay: float


@dataclass(frozen=True, slots=True)
class CallShared:
    """The call waits for an identical one that is already under way."""

    call: int


@dataclass(frozen=True, slots=True)
class CacheAnswered:
    """The answer came from the response cache; `provider` gave it at the time."""

    call: int
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The caller has the answer. `duration` is of the whole call."""

    call: int
    provider: str
    model: str
    attempts: tuple[Attempt, ...]
    duration: float
    stop_reason: str
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class InputTruncated:
    """The vendor counted `reported` tokens of input where at least about `expected` were sent: it read only a part."""

    call: int
    provider: str
    model: str
    expected: int
    reported: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The caller gets an error, or cancelled; `reason` is the error class's name or "cancelled"."""

    call: int
    reason: str
    attempts: tuple[Attempt, ...]
    duration: float


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A provider's circuit breaker changed; an open one lets nothing through for `seconds`, the others have 0."""

    provider: str
    model: str
    phase: BreakerPhase
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded:
    """A new configuration is in force from the next call on; `providers` are those it configures."""

    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """A new configuration is faulty, so the old one stays in force; `reason` says what is wrong, without any value."""

    reason: str


Event: TypeAlias = (
    AttemptStarted
    | AttemptEnded
    | RetryScheduled
    | RetryRefused
    | ProviderSkipped
    | FellBack
    | HedgeStarted
    | CallShared
    | CacheAnswered
    | CallAnswered
    | InputTruncated
    | CallFailed
    | BreakerChanged
    | ConfigurationReloaded
    | ReloadRefused
)
