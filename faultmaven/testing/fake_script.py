"""What a fake plays: the steps of a script, checked when it is written and unfolded when it is played."""

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
"""What a script may hold: a text, a whole answer, calls, a stream, an error to raise, any of them delayed, or a
function of the request, `async` or not, that returns one of these."""

Played: TypeAlias = str | LLMResponse | FakeStream | LLMError

STEPS = (
    "a step is a text, an LLMResponse, a ToolCall or a list of them, a FakeStream, an LLMError to raise, "
    "Delayed(seconds, step), or a function of the request"
)


@dataclass(frozen=True, slots=True)
class Delayed:
    """A step that is played after `seconds` on the fake's clock, which count against the attempt's time."""

    seconds: float
    step: Step


def check_step(step: Any, where: str) -> None:
    """Refuse what no fake can play.

    Raises:
        TypeError: says where it stands, what it is, and what a step may be.
    """
    if isinstance(step, Delayed):
        if not is_delay(step.seconds):
            raise TypeError(f"{where} is delayed by {step.seconds!r}: give seconds, 0 or more")
        check_step(step.step, where)
    elif not _is_playable(step):
        raise TypeError(f"{where} is {_told(step)}; {STEPS}")


async def unfold(step: Step, request: ChatRequest, clock: Clock) -> Played:
    """Return what `step` comes to for `request`: waits are waited for, functions are called, calls become a stream."""
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
            made = step(request)
            step = await made if inspect.isawaitable(made) else made
            check_step(step, "what a function of the script returned")


def _is_playable(step: Any) -> bool:
    if isinstance(step, str | LLMResponse | ToolCall | FakeStream | LLMError):
        return True
    if isinstance(step, Sequence):
        return bool(step) and all(isinstance(call, ToolCall) for call in step)
    return callable(step) and not isinstance(step, type)


def is_delay(seconds: Any) -> bool:
    """Return whether `seconds` can be waited for."""
    return isinstance(seconds, float | int) and math.isfinite(seconds) and seconds >= 0


def _told(step: Any) -> str:
    if isinstance(step, type):
        return f"the class {step.__name__}: give an object of it"
    if inspect.iscoroutine(step):
        step.close()  # or Python warns of it as well
        return "a coroutine: give the async function itself, without calling it"
    return f"a {type(step).__name__}"
