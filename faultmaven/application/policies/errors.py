"""What an error leads to, as a table that the host can replace in parts or whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from ...domain.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    CircuitOpenError,
    ConfigurationError,
    ContentBlockedError,
    ContextLengthError,
    DeadlineExceededError,
    EmptyAnswerError,
    InvalidAnswerError,
    InvalidRequestError,
    LimitReachedError,
    LLMError,
    LowConfidenceError,
    MalformedResponseError,
    ModelNotFoundError,
    ProviderConfigurationError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
    TruncatedAnswerError,
)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one class of errors leads to.

    Attributes:
        retry: The same provider may be asked again.
        move_on: The next provider is asked; otherwise the error is raised at once.
        trip: It is the provider's fault and counts against it in its circuit breaker.
        retry_limit: At most so many retries, None for as many as the provider has.
    """

    retry: bool = False
    move_on: bool = False
    trip: bool = False
    retry_limit: int | None = None


ErrorPolicy: TypeAlias = Mapping[type[LLMError], Reaction]

_STOP = Reaction()
_MOVE_ON = Reaction(move_on=True)
_TRY_AGAIN = Reaction(retry=True, move_on=True)
_FAULT = Reaction(retry=True, move_on=True, trip=True)

DEFAULT_ERROR_POLICY: ErrorPolicy = MappingProxyType(
    {
        LLMError: _STOP,
        ConfigurationError: _STOP,
        ProviderConfigurationError: _MOVE_ON,
        AuthenticationError: _MOVE_ON,
        QuotaExceededError: _MOVE_ON,
        InvalidRequestError: _STOP,
        ContextLengthError: _MOVE_ON,
        ModelNotFoundError: _MOVE_ON,
        RejectedRequestError: _MOVE_ON,
        ContentBlockedError: _MOVE_ON,
        EmptyAnswerError: _MOVE_ON,
        TruncatedAnswerError: _MOVE_ON,
        InvalidAnswerError: _MOVE_ON,
        LowConfidenceError: _MOVE_ON,
        ProviderError: _FAULT,  # unavailable and timed out beneath it
        RateLimitError: _TRY_AGAIN,  # the provider is well; we are too many
        LimitReachedError: _MOVE_ON,
        CircuitOpenError: _MOVE_ON,
        # What came is no answer of the vendor's: once more may help, more often will not.
        MalformedResponseError: Reaction(retry=True, move_on=True, trip=True, retry_limit=1),
        DeadlineExceededError: _STOP,
        AllProvidersFailedError: _MOVE_ON,
    }
)
"""Every class; one that is not here has its nearest ancestor's."""


def reaction(policy: ErrorPolicy, error: LLMError) -> Reaction:
    """Return what `error` leads to: the entry of its nearest ancestor in the table.

    A class of somebody else's that states `retryable` and `elsewhere` itself needs no entry. An error that the vendor
    marked as not to be retried is not, whatever its class.
    """
    found = _of_class(policy, type(error))
    if found.retry and error.__dict__.get("retryable") is False:
        return Reaction(False, found.move_on, found.trip)
    return found


def _of_class(policy: ErrorPolicy, kind: type[LLMError]) -> Reaction:
    for ancestor in kind.__mro__:
        if ancestor in policy:
            return policy[ancestor]
        if "retryable" in ancestor.__dict__ or "elsewhere" in ancestor.__dict__:
            return Reaction(kind.retryable, kind.elsewhere, kind.retryable)
    return _STOP
