"""Conversion of exceptions of third-party providers to `LLMError`."""

import asyncio
import math
from typing import Any

from ...domain.attempts import Attempt
from ...domain.errors import DeadlineExceededError, LLMError, ProviderError, ProviderTimeoutError


def is_task_cancelled() -> bool:
    """Return whether the running task was cancelled; otherwise a provider's own code raised the CancelledError."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def to_llm_error(error: BaseException, duration: float, timeout: float) -> LLMError:
    """Return the `LLMError` for an exception of a provider, with a third-party exception as its cause.

    Args:
        duration: Seconds that the attempt took.
        timeout: Seconds that the attempt had.
    """
    if isinstance(error, DeadlineExceededError):  # the candidate is itself a router, and its time is over
        return _with_cause(ProviderTimeoutError(error.problem, phase="first byte", attempts=error.attempts), error)
    if isinstance(error, LLMError):
        return _with_checked_facts(error)
    if isinstance(error, TimeoutError):
        is_overdue = duration >= timeout
        problem = f"no answer within {timeout:.3g} s" if is_overdue else "the provider's own code raised TimeoutError"
        return _with_cause(ProviderTimeoutError(problem, phase="first byte"), error)
    problem = f"the provider's own code raised {type(error).__name__}"
    return _with_cause(ProviderError(problem, advice="The provider's own exception is error.__cause__."), error)


def _with_cause(llm_error: LLMError, cause: BaseException) -> LLMError:
    llm_error.__cause__ = cause
    return llm_error


def _with_checked_facts(error: LLMError) -> LLMError:
    """Return a copy whose facts all have their types. A copy, since a provider may raise one object to many callers."""
    copy = error.copy()
    if "problem" not in copy.__dict__:  # a subclass that did not call its parent's __init__
        LLMError.__init__(copy, str(error.args[0]) if error.args else type(error).__name__)
    facts: dict[str, Any] = copy.__dict__  # third-party code may have set anything
    facts["problem"] = str(facts["problem"])
    facts["retry_after"] = _seconds(facts["retry_after"])
    facts["status"] = facts["status"] if isinstance(facts["status"], int) else None
    facts["attempts"] = tuple(attempt for attempt in facts["attempts"] if isinstance(attempt, Attempt))
    return copy


def _seconds(value: Any) -> float | None:
    """Return a delay in seconds, None for any other value; headers come as text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
