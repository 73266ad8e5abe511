"""What somebody else's provider raises, as one of our errors with sound facts."""

import asyncio
import math
from typing import Any

from ...domain.attempts import Attempt
from ...domain.errors import DeadlineExceededError, LLMError, ProviderError, ProviderTimeoutError


def is_cancelled() -> bool:
    """Return whether somebody cancelled the running task; else a CancelledError came out of a provider's own code."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def as_ours(error: BaseException, duration: float, timeout: float) -> LLMError:
    """Return an error of our own types for what a provider raised, with that as the cause where it is somebody else's.

    Args:
        duration: Seconds that the provider took.
        timeout: Seconds that it had.
    """
    if isinstance(error, DeadlineExceededError):  # of a router inside of this one: the time it was given is over
        return _caused(ProviderTimeoutError(error.problem, phase="first byte", attempts=error.attempts), error)
    if isinstance(error, LLMError):
        return _sound(error)
    if isinstance(error, TimeoutError):
        overdue = duration >= timeout
        problem = f"no answer within {timeout:.3g} s" if overdue else "the provider's own code raised TimeoutError"
        return _caused(ProviderTimeoutError(problem, phase="first byte"), error)
    problem = f"the provider's own code raised {type(error).__name__}"
    return _caused(ProviderError(problem, advice="Its own error is the cause of this one."), error)


def _caused(ours: LLMError, error: BaseException) -> LLMError:
    ours.__cause__ = error
    return ours


def _sound(error: LLMError) -> LLMError:
    """Return a copy, since a provider may raise one object to many callers, with every fact of its type."""
    ours = error.copy()
    if "problem" not in ours.__dict__:  # a subclass that did not call its parent's __init__
        LLMError.__init__(ours, str(error.args[0]) if error.args else type(error).__name__)
    facts: dict[str, Any] = ours.__dict__  # of anybody's making
    facts["problem"] = str(facts["problem"])
    facts["retry_after"] = _seconds(facts["retry_after"])
    facts["status"] = facts["status"] if isinstance(facts["status"], int) else None
    facts["attempts"] = tuple(line for line in facts["attempts"] if isinstance(line, Attempt))
    return ours


def _seconds(value: Any) -> float | None:
    """Return a delay in seconds, None for what is none; headers come as text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
