"""Events of calls, circuit breakers and reloads, as values. The observer gets each event; no other code reads events.

Times are in seconds. `call` numbers the calls of one process. `provider` is the name in the registry; `model` is the
requested model, "" when the server chooses the model.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .attempts import Attempt
from .usage import Usage

BreakerPhase = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A request to a provider begins; `timeout` is the most seconds for the attempt."""

    call: int
    number: int
    provider: str
    model: str
    timeout: float


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt ended; `attempt.outcome` is "answered", the name of an error class, or "cancelled"."""

    call: int
    number: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The same provider is retried after `delay` seconds because of `reason`, the name of an error class."""

    call: int
    provider: str
    model: str
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class RetryRefused:
    """A possible retry is refused because of `reason`: the retry budget is used up, or the wait is too long."""

    call: int
    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderSkipped:
    """A planned provider is skipped because of `reason`: its circuit breaker is open, or a limit is reached."""

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
    """`provider` has not answered after `delay` seconds, so a request to `successor` runs at the same time."""

    call: int
    provider: str
    successor: str
    delay: float


@dataclass(frozen=True, slots=True)
class CallShared:
    """The call waits for the response of an identical call in flight."""

    call: int


@dataclass(frozen=True, slots=True)
class CacheAnswered:
    """The response comes from the response cache; `provider` is the provider that sent it originally."""

    call: int
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The caller has the response; `duration` covers the whole call."""

    call: int
    provider: str
    model: str
    attempts: tuple[Attempt, ...]
    duration: float
    stop_reason: str
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class InputTruncated:
    """The vendor read only a part of the input: `reported` tokens, while about `expected` or more were sent."""

    call: int
    provider: str
    model: str
    expected: int
    reported: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The call failed or was cancelled; `reason` is the name of the error class or "cancelled"."""

    call: int
    reason: str
    attempts: tuple[Attempt, ...]
    duration: float


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A provider's circuit breaker changed its phase; `seconds` is the time for which it stays open, else 0."""

    provider: str
    model: str
    phase: BreakerPhase
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded:
    """A new configuration is current from the next call on; `providers` are its configured providers."""

    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """A new configuration is faulty, so the old one stays current; `reason` names the faults without any value."""

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
