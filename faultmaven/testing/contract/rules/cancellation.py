"""Rules about cancelled calls."""

import asyncio
from typing import Any

from ....domain.responses import LLMResponse
from ...lab import ANSWER
from ..contract_lab import HELD_REPLY
from ..provider_under_test import ProviderUnderTest, describe_outcome, wait_until
from ..rule import expect, report_broken, rule

MAX_CANCELLATION_SECONDS = 3.0
"""In the event loop's time, which is real over a socket: long enough for a busy machine, too short for a hang."""


class CancellationRules:
    """A task that waits for a response can be cancelled."""

    @rule("Let CancelledError pass: catch `Exception`, never `BaseException`, and shield nothing.", applies_to="lab")
    async def test_cancelled_call_raises_cancelled_error(self, subject: ProviderUnderTest) -> None:
        """A cancelled call ends promptly, with CancelledError and no other exception."""
        task, is_prompt = await _cancel_call(subject)
        expect(is_prompt, f"an end within {MAX_CANCELLATION_SECONDS:g} s of the cancellation", "the call went on")
        if not task.cancelled():
            report_broken("CancelledError", describe_outcome(task.exception() or task.result()))

    @rule(
        "Close the connections of a call in `finally` or `async with`, and cancel the tasks that the call started.",
        applies_to="lab",
    )
    async def test_cancelled_call_closes_tasks_and_replies(self, subject: ProviderUnderTest) -> None:
        """A cancelled call leaves no task running and no reply open."""
        await _cancel_call(subject)
        own_task = {asyncio.current_task()}
        tasks_ended = await wait_until(lambda: not asyncio.all_tasks() - own_task, MAX_CANCELLATION_SECONDS)
        expect(tasks_ended, "no task is left", f"{len(asyncio.all_tasks() - own_task)} tasks are left")
        replies_closed = await wait_until(lambda: not subject.harness.lab.open_replies, MAX_CANCELLATION_SECONDS)
        expect(replies_closed, "the connection is released or closed", "the vendor's reply is still open")

    @rule("Undo the changes of a call to `self` in `finally`.", applies_to="lab")
    async def test_call_after_cancelled_call_is_answered(self, subject: ProviderUnderTest) -> None:
        """A call after a cancelled call is answered."""
        await _cancel_call(subject)
        response, error = await subject.generate_or_error()
        is_answered = isinstance(response, LLMResponse) and response.content == ANSWER
        expect(is_answered, "an answer", describe_outcome(error or response))


async def _cancel_call(subject: ProviderUnderTest) -> tuple[asyncio.Task[Any], bool]:
    """Cancel a call whose request has arrived; return its finished task, and whether the task ended promptly."""
    lab, name = subject.harness.lab, subject.harness.name
    lab.script(name, HELD_REPLY)
    task = asyncio.ensure_future(subject.generate())
    has_arrived = await wait_until(lambda: subject.sent_requests or task.done())
    expect(has_arrived and subject.sent_requests, "a request within 5 s", "no request reached the vendor")
    task.cancel()
    ended_promptly, _ = await asyncio.wait({task}, timeout=MAX_CANCELLATION_SECONDS)
    lab.gate.is_open = True
    await asyncio.wait({task})
    return task, bool(ended_promptly)
