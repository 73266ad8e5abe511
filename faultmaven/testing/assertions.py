"""Assertions about the attempts of a request; a failing one prints the ledger."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..domain.attempts import Attempt
from ..domain.errors import CircuitOpenError, LimitReachedError, LLMError, UnsupportedRequestError
from ..domain.responses import LLMResponse

ResponseOrError: TypeAlias = LLMResponse | LLMError
ExpectedOutcome: TypeAlias = str | type[LLMError]

# Outcomes of attempts that sent no request.
OUTCOMES_WITHOUT_REQUEST = (
    CircuitOpenError.__name__,
    LimitReachedError.__name__,
    UnsupportedRequestError.__name__,
    "cached",
)

HEADINGS = ("provider", "model", "outcome", "status", "seconds", "notes")


def ledger_of(asked: ResponseOrError) -> str:
    """Return the ledger of `asked`, a response or an error, as a table with one line for each attempt.

    The table contains neither prompt nor key. Seconds include the wait before sending. The notes list the parts of the
    request that the provider did not get, and the error.
    """
    rows = [HEADINGS, *map(_row, _attempts(asked))]
    if len(rows) == 1:
        return "no provider was called"
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def assert_answered_by(response: LLMResponse, provider: str, model: str | None = None) -> None:
    """Fail unless `response` comes from `provider`, and from `model` unless `model` is None."""
    __tracebackhide__ = True
    expected, actual = provider, response.provider
    if model is not None:
        expected, actual = f"{provider} ({model})", f"{response.provider} ({response.model})"
    _compare("provider of the answer", [expected], [actual], response)


def assert_asked(asked: ResponseOrError, *providers: str) -> None:
    """Fail unless exactly `providers` got a request, in this order; each retry counts.

    Providers that were skipped because of a circuit breaker, a limit or a missing feature do not count.

    Args:
        asked: The response or the error of the request.
    """
    __tracebackhide__ = True
    actual = [attempt.provider for attempt in _attempts(asked) if attempt.outcome not in OUTCOMES_WITHOUT_REQUEST]
    _compare("called providers", providers, actual, asked)


def assert_outcomes(asked: ResponseOrError, *outcomes: tuple[str, ExpectedOutcome]) -> None:
    """Fail unless the lines of the ledger are exactly these pairs of provider and outcome, in this order.

    Args:
        asked: The response or the error of the request.
        outcomes: Such as `("openai", RateLimitError), ("groq", "answered")`: "answered", "cancelled", "cached", or an
            error's class or its name.
    """
    __tracebackhide__ = True
    expected = [f"{provider}: {_name(outcome)}" for provider, outcome in outcomes]
    actual = [f"{attempt.provider}: {attempt.outcome}" for attempt in _attempts(asked)]
    _compare("outcomes", expected, actual, asked)


def _compare(description: str, expected: Sequence[str], actual: Sequence[str], result: ResponseOrError) -> None:
    __tracebackhide__ = True
    if list(expected) != list(actual):
        message = f"expected {description}: {_join(expected)}\nactual {description}: {_join(actual)}"
        raise AssertionError(f"{message}\n\n{ledger_of(result)}")


def _attempts(result: object) -> tuple[Attempt, ...]:
    if isinstance(result, LLMResponse | LLMError):
        return result.attempts
    hint = ", here its .value" if type(result).__name__ == "ExceptionInfo" else ""
    raise TypeError(f"{type(result).__name__} has no ledger: pass an LLMResponse or an LLMError{hint}")


def _row(attempt: Attempt) -> tuple[str, ...]:
    status = "" if attempt.status is None else str(attempt.status)
    seconds = f"{attempt.waited + attempt.duration:.2f}"
    notes = "; ".join(filter(None, (*attempt.notes, attempt.error)))
    return attempt.provider, attempt.model, attempt.outcome, status, seconds, notes


def _name(outcome: ExpectedOutcome) -> str:
    return outcome if isinstance(outcome, str) else outcome.__name__


def _join(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
