"""Assertions about who answered, which print the ledger when they fail."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..domain.attempts import Attempt
from ..domain.errors import CircuitOpenError, LimitReachedError, LLMError, UnsupportedRequestError
from ..domain.responses import LLMResponse

Asked: TypeAlias = LLMResponse | LLMError
Outcome: TypeAlias = str | type[LLMError]

# Lines of providers to whom nothing was sent.
LEFT_ALONE = (CircuitOpenError.__name__, LimitReachedError.__name__, UnsupportedRequestError.__name__, "cached")

HEADINGS = ("provider", "model", "outcome", "status", "seconds", "notes")


def ledger_of(asked: Asked) -> str:
    """Return the ledger of an answer or an error as a table, one line an attempt; it shows no prompt and no key.

    Seconds include the wait before sending. The notes say what was left out for the provider, and what went wrong.
    """
    rows = [HEADINGS, *map(_row, _attempts(asked))]
    if len(rows) == 1:
        return "nobody was asked"
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def assert_answered_by(response: LLMResponse, provider: str, model: str | None = None) -> None:
    """Fail unless `provider` gave the answer, and with `model` where that is given."""
    __tracebackhide__ = True
    wanted, was = provider, response.provider
    if model is not None:
        wanted, was = f"{provider} ({model})", f"{was} ({response.model})"
    _compare("an answer by", [wanted], [was], response)


def assert_asked(asked: Asked, *providers: str) -> None:
    """Fail unless exactly `providers` were asked, in this order; each retry counts.

    Providers that were left alone, by their breaker or a limit or for want of a feature, were not asked.
    """
    __tracebackhide__ = True
    was = [line.provider for line in _attempts(asked) if line.outcome not in LEFT_ALONE]
    _compare("to ask", providers, was, asked)


def assert_outcomes(asked: Asked, *outcomes: tuple[str, Outcome]) -> None:
    """Fail unless the ledger's lines are exactly these pairs of a provider and what came of it, in this order.

    Args:
        outcomes: Such as `("openai", RateLimitError), ("groq", "answered")`: "answered", "cancelled", "cached", or an
            error's class or its name.
    """
    __tracebackhide__ = True
    wanted = [f"{provider}: {_name(outcome)}" for provider, outcome in outcomes]
    was = [f"{line.provider}: {line.outcome}" for line in _attempts(asked)]
    _compare("the outcomes", wanted, was, asked)


def _compare(what: str, wanted: Sequence[str], was: Sequence[str], asked: Asked) -> None:
    __tracebackhide__ = True
    if list(wanted) != list(was):
        told = f"expected {what} {_listed(wanted)}\nbut it was {_listed(was)}"
        raise AssertionError(f"{told}\n\n{ledger_of(asked)}")


def _attempts(asked: object) -> tuple[Attempt, ...]:
    if isinstance(asked, LLMResponse | LLMError):
        return asked.attempts
    hint = "; give its .value" if type(asked).__name__ == "ExceptionInfo" else ""
    raise TypeError(f"{type(asked).__name__} has no ledger: give an LLMResponse or an LLMError{hint}")


def _row(line: Attempt) -> tuple[str, ...]:
    status = "" if line.status is None else str(line.status)
    notes = "; ".join(filter(None, (*line.notes, line.error)))
    return line.provider, line.model, line.outcome, status, f"{line.waited + line.duration:.2f}", notes


def _name(outcome: Outcome) -> str:
    return outcome if isinstance(outcome, str) else outcome.__name__


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"
