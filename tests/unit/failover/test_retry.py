"""Retries at the same provider: permission, delay and budget."""

import inspect
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.policies.errors import DEFAULT_ERROR_POLICY, NO_OVERRIDES, Reaction, reaction
from faultmaven.application.policies.retry import RetryPolicy
from faultmaven.application.resilience.retry import MAX_BACKOFF_SECONDS, RetryBudget, next_delay
from faultmaven.domain import errors
from faultmaven.domain.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    InvalidRequestError,
    LLMError,
    MalformedResponseError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
)


def error_classes() -> list[type[LLMError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return [kind for _, kind in members if issubclass(kind, LLMError)]


def make_error(kind: type[Any]) -> LLMError:
    error: LLMError = kind([ProviderError("x")]) if kind is AllProvidersFailedError else kind("x")
    return error


@pytest.mark.parametrize("kind", error_classes())
def test_default_policy_matches_every_error_class(kind: type[LLMError]) -> None:
    default = reaction(DEFAULT_ERROR_POLICY, make_error(kind))
    assert (default.retry, default.move_on) == (kind.retryable, kind.elsewhere)


def test_only_provider_faults_trip_the_breaker() -> None:
    tripping = {kind.__name__ for kind in error_classes() if reaction(DEFAULT_ERROR_POLICY, make_error(kind)).trip}
    assert tripping == {
        "ProviderError",
        "ProviderUnavailableError",
        "ProviderTimeoutError",
        "MalformedResponseError",
        "StreamInterruptedError",
    }


def test_retry_after_replaces_the_backoff() -> None:
    limited = RateLimitError("busy", retry_after=7.0)
    assert next_delay(RetryPolicy(), 1, limited) == 7.0
    assert next_delay(RetryPolicy(), 1, limited, random=0.1) == 7.0


def test_retry_after_above_limit_prevents_retry() -> None:
    limited = RateLimitError("busy", retry_after=47.0)
    assert next_delay(RetryPolicy(), 1, limited) is None
    assert next_delay(RetryPolicy(max_delay=120.0), 1, limited) == 47.0


def test_backoff_doubles_up_to_cap_with_jitter() -> None:
    down = ProviderUnavailableError("down")
    policy = RetryPolicy(max_retries=10)
    assert [next_delay(policy, attempt, down) for attempt in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert next_delay(policy, 3, down, random=0.25) == 0.5
    assert next_delay(policy, 3, down, random=0.0) == 0.0


def test_max_retries_excludes_the_first_attempt() -> None:
    down = ProviderUnavailableError("down")
    assert next_delay(RetryPolicy(max_retries=0), 1, down) is None
    assert next_delay(RetryPolicy(max_retries=2), 2, down) is not None
    assert next_delay(RetryPolicy(max_retries=2), 3, down) is None


def test_error_can_lower_the_retry_limit() -> None:
    once = ProviderUnavailableError("down", retry_limit=1)
    assert next_delay(RetryPolicy(), 1, once) is not None
    assert next_delay(RetryPolicy(), 2, once) is None
    malformed = MalformedResponseError("html")
    assert next_delay(RetryPolicy(), 1, malformed) is not None
    assert next_delay(RetryPolicy(), 2, malformed) is None


@pytest.mark.parametrize("kind", [kind for kind in error_classes() if not kind.retryable])
def test_non_retryable_error_is_never_retried(kind: type[LLMError]) -> None:
    error = make_error(kind)
    error.retry_after = 1.0
    assert next_delay(RetryPolicy(), 1, error) is None


def test_vendor_can_forbid_a_retry() -> None:
    error = ProviderUnavailableError("down")
    error.retryable = False
    assert next_delay(RetryPolicy(), 1, error) is None


def test_vendor_cannot_make_a_rejection_retryable() -> None:
    error = RejectedRequestError("no")
    error.retryable = True
    assert next_delay(RetryPolicy(), 1, error) is None


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_backoff_never_exceeds_the_cap(attempt: int, chance: float) -> None:
    delay = next_delay(RetryPolicy(max_retries=10**7), attempt, ProviderError("x"), chance)
    assert delay is not None
    assert 0 <= delay <= MAX_BACKOFF_SECONDS


def test_host_reaction_covers_error_subclasses() -> None:
    table = {**DEFAULT_ERROR_POLICY, RejectedRequestError: Reaction(retry=True, trip=True)}
    assert reaction(table, WrongEndpointError("x")) == Reaction(retry=True, trip=True)
    assert reaction(table, AuthenticationError("x")).move_on
    assert next_delay(RetryPolicy(), 1, RejectedRequestError("x"), errors=table) is not None


def test_third_party_error_attributes_set_the_reaction() -> None:
    class BrokenError(ProviderError):
        retryable = False

    class SlowError(ProviderError):
        """Inherits every attribute."""

    assert reaction(DEFAULT_ERROR_POLICY, BrokenError("x")) == Reaction(move_on=True)
    assert reaction(DEFAULT_ERROR_POLICY, SlowError("x")).retry
    assert not reaction(DEFAULT_ERROR_POLICY, InvalidRequestError("x")).move_on


def test_subclass_inherits_unstated_class_facts() -> None:
    class OurRateLimitError(RateLimitError):
        retryable = True

    class OurMalformedError(MalformedResponseError):
        retryable = True

    assert reaction(NO_OVERRIDES, OurRateLimitError("x")) == Reaction(retry=True, move_on=True, trip=False)
    assert reaction(NO_OVERRIDES, OurMalformedError("x")) == Reaction(True, True, True, retry_limit=1)


def test_default_error_policy_is_immutable() -> None:
    with pytest.raises(TypeError):
        DEFAULT_ERROR_POLICY[LLMError] = Reaction()  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        Reaction().retry = True  # type: ignore[misc]


def test_retry_budget_has_free_retries() -> None:
    budget = RetryBudget()
    assert sum(budget.take(0.0) for _ in range(100)) == RetryBudget.FLOOR


def test_retry_budget_is_share_of_recent_calls() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_call(0.0)
    assert sum(budget.take(0.0) for _ in range(1000)) == RetryBudget.FLOOR + 1000 * RetryBudget.SHARE
    assert not budget.take(RetryBudget.WINDOW_SECONDS / 2)
    assert budget.take(RetryBudget.WINDOW_SECONDS * 1.2)
