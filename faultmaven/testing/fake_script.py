"""The steps of a fake's script: validation when a script is written, and resolution when a step is played."""

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..domain.errors import LLMError
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse
from ..domain.tool_calls import ToolCall
from ..ports.clock import Clock
from .fake_stream import FakeStream

Step: TypeAlias = (
    "str | LLMResponse | ToolCall | Sequence[ToolCall] | FakeStream | LLMError | Delayed"
    " | Callable[[ChatRequest], Step | Awaitable[Step]]"
)
"""A step of a script: a text, a response, tool calls, a stream, an error to raise, any of these delayed, or a function
of the request, `async` or not, that returns one of these."""

ResolvedStep: TypeAlias = str | LLMResponse | FakeStream | LLMError

STEP_KINDS = (
    "a step is a text, an LLMResponse, a ToolCall or a list of them, a FakeStream, an LLMError to raise, "
    "Delayed(seconds, step), or a function of the request"
)


@dataclass(frozen=True, slots=True)
class Delayed:
    """A step that is played after `seconds` on the fake's clock; the delay counts against the time of the attempt."""

    seconds: float
    step: Step


def check_step(step: Any, where: str) -> None:
    """Check that a fake can play `step`.

    Args:
        where: The position of the step, for the message.

    Raises:
        TypeError: the step is invalid; the message names its position, its type and the valid kinds of steps.
    """
    if isinstance(step, Delayed):
        if not is_delay(step.seconds):
            raise TypeError(f"{where} is delayed by {step.seconds!r}: give seconds, 0 or more")
        check_step(step.step, where)
    elif not _is_playable(step):
        raise TypeError(f"{where} is {_describe_invalid(step)}; {STEP_KINDS}")


async def resolve_step(step: Step, request: ChatRequest, clock: Clock) -> ResolvedStep:
    """Resolve `step` for `request`: wait for delays, call functions, and turn tool calls into a stream."""
    while True:
        if isinstance(step, str | LLMResponse | FakeStream | LLMError):
            return step
        if isinstance(step, Delayed):
            await clock.sleep(step.seconds)
            step = step.step
        elif isinstance(step, ToolCall):
            return FakeStream(step)
        elif isinstance(step, Sequence):
            return FakeStream(*step)
        else:
            result = step(request)
            step = await result if inspect.isawaitable(result) else result
            check_step(step, "the result of a function of the script")


def _is_playable(step: Any) -> bool:
    if isinstance(step, str | LLMResponse | ToolCall | FakeStream | LLMError):
        return True
    if isinstance(step, Sequence):
        return bool(step) and all(isinstance(call, ToolCall) for call in step)
    return callable(step) and not isinstance(step, type)


def is_delay(seconds: Any) -> bool:
    """Return whether `seconds` is a finite number of at least 0."""
    return isinstance(seconds, float | int) and math.isfinite(seconds) and seconds >= 0


def _describe_invalid(step: Any) -> str:
    if isinstance(step, type):
        return f"the class {step.__name__}: give an instance of the class"
    if inspect.iscoroutine(step):
        step.close()  # avoids a second warning, by Python, about an unawaited coroutine
        return "a coroutine: give the async function, not the result of a call"
    return f"a {type(step).__name__}"
