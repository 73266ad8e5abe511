"""Whether the same provider is asked again, and when."""

import inspect
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.application.policies.errors import DEFAULT_ERROR_POLICY, Reaction, reaction
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
    found = inspect.getmembers(errors, inspect.isclass)
    return [kind for _, kind in found if issubclass(kind, LLMError)]


def one(kind: type[Any]) -> LLMError:
    made: LLMError = kind([ProviderError("x")]) if kind is AllProvidersFailedError else kind("x")
    return made


@pytest.mark.parametrize("kind", error_classes())
def test_the_table_agrees_with_the_facts_on_every_class(kind: type[LLMError]) -> None:
    found = reaction(DEFAULT_ERROR_POLICY, one(kind))
    assert (found.retry, found.move_on) == (kind.retryable, kind.elsewhere)


def test_only_faults_of_the_provider_trip_its_breaker() -> None:
    tripping = {kind.__name__ for kind in error_classes() if reaction(DEFAULT_ERROR_POLICY, one(kind)).trip}
    assert tripping == {
        "ProviderError",
        "ProviderUnavailableError",
        "ProviderTimeoutError",
        "MalformedResponseError",
        "StreamInterruptedError",
    }


def test_the_vendors_own_delay_wins() -> None:
    limited = RateLimitError("busy", retry_after=7.0)
    assert next_delay(RetryPolicy(), 1, limited) == 7.0
    assert next_delay(RetryPolicy(), 1, limited, chance=0.1) == 7.0


def test_a_delay_above_the_limit_is_not_waited_for() -> None:
    limited = RateLimitError("busy", retry_after=47.0)
    assert next_delay(RetryPolicy(), 1, limited) is None
    assert next_delay(RetryPolicy(max_delay=120.0), 1, limited) == 47.0


def test_the_backoff_doubles_up_to_its_cap_and_is_drawn_from_zero() -> None:
    down = ProviderUnavailableError("down")
    policy = RetryPolicy(max_retries=10)
    assert [next_delay(policy, attempt, down) for attempt in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert next_delay(policy, 3, down, chance=0.25) == 0.5
    assert next_delay(policy, 3, down, chance=0.0) == 0.0


def test_retries_are_counted_after_the_first_call() -> None:
    down = ProviderUnavailableError("down")
    assert next_delay(RetryPolicy(max_retries=0), 1, down) is None
    assert next_delay(RetryPolicy(max_retries=2), 2, down) is not None
    assert next_delay(RetryPolicy(max_retries=2), 3, down) is None


def test_an_error_may_allow_fewer_retries_than_its_provider() -> None:
    once = ProviderUnavailableError("down", retry_limit=1)
    assert next_delay(RetryPolicy(), 1, once) is not None
    assert next_delay(RetryPolicy(), 2, once) is None
    malformed = MalformedResponseError("html")
    assert next_delay(RetryPolicy(), 1, malformed) is not None
    assert next_delay(RetryPolicy(), 2, malformed) is None


@pytest.mark.parametrize("kind", [kind for kind in error_classes() if not kind.retryable])
def test_what_is_not_retryable_is_never_retried(kind: type[LLMError]) -> None:
    error = one(kind)
    error.retry_after = 1.0
    assert next_delay(RetryPolicy(), 1, error) is None


def test_a_vendor_that_says_no_is_not_asked_again() -> None:
    told = ProviderUnavailableError("down")
    told.retryable = False
    assert next_delay(RetryPolicy(), 1, told) is None


def test_a_vendor_that_says_yes_changes_nothing_on_what_is_never_retried() -> None:
    told = RejectedRequestError("no")
    told.retryable = True
    assert next_delay(RetryPolicy(), 1, told) is None


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_no_backoff_is_longer_than_the_cap(attempt: int, chance: float) -> None:
    delay = next_delay(RetryPolicy(max_retries=10**7), attempt, ProviderError("x"), chance)
    assert delay is not None
    assert 0 <= delay <= MAX_BACKOFF_SECONDS


def test_a_host_replaces_a_reaction_for_a_class_and_all_beneath_it() -> None:
    table = {**DEFAULT_ERROR_POLICY, RejectedRequestError: Reaction(retry=True, trip=True)}
    assert reaction(table, WrongEndpointError("x")) == Reaction(retry=True, trip=True)
    assert reaction(table, AuthenticationError("x")).move_on
    assert next_delay(RetryPolicy(), 1, RejectedRequestError("x"), errors=table) is not None


def test_a_class_of_somebody_elses_speaks_for_itself() -> None:
    class BrokenError(ProviderError):
        retryable = False

    class SlowError(ProviderError):
        """States nothing itself."""

    assert reaction(DEFAULT_ERROR_POLICY, BrokenError("x")) == Reaction(move_on=True)
    assert reaction(DEFAULT_ERROR_POLICY, SlowError("x")).retry
    assert not reaction(DEFAULT_ERROR_POLICY, InvalidRequestError("x")).move_on


def test_the_table_cannot_be_changed_in_place() -> None:
    with pytest.raises(TypeError):
        DEFAULT_ERROR_POLICY[LLMError] = Reaction()  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        Reaction().retry = True  # type: ignore[misc]


def test_a_budget_lets_a_few_retries_through_whatever_the_traffic() -> None:
    budget = RetryBudget()
    assert sum(budget.take(0.0) for _ in range(100)) == RetryBudget.FREE


def test_a_budget_is_a_share_of_recent_calls() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_call(0.0)
    assert sum(budget.take(0.0) for _ in range(1000)) == RetryBudget.FREE + 1000 * RetryBudget.SHARE
    assert not budget.take(RetryBudget.SECONDS / 2)
    assert budget.take(RetryBudget.SECONDS * 1.2)
