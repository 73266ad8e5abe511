"""Rules about callers who give up."""

import asyncio
from typing import Any

from faultmaven.domain.chat import LLMResponse
from faultmaven.testing.contract.contract_lab import HELD
from faultmaven.testing.contract.rules import broken, expect, rule
from faultmaven.testing.contract.subject import Subject, becomes, kind_of
from faultmaven.testing.lab import ANSWER

PROMPTLY_SECONDS = 3.0
"""Of the event loop's time, which is real over a socket: a busy machine keeps this, and a hang does not."""


class CancellationRules:
    """A task that waits for an answer can be cancelled."""

    @rule("Let CancelledError pass: catch `Exception`, never `BaseException`, and shield nothing.", over="lab")
    async def test_a_cancelled_call_ends_as_cancelled(self, it: Subject) -> None:
        """A cancelled call ends promptly, with CancelledError and with nothing else."""
        task, prompt = await _cancelled(it)
        expect(prompt, f"an end within {PROMPTLY_SECONDS:g} s of the cancellation", "it went on")
        if not task.cancelled():
            happened = kind_of(task.exception() or task.result())
            broken("CancelledError", happened)

    @rule("Close what a call opened in `finally` or `async with`, and cancel the tasks that it began.", over="lab")
    async def test_a_cancelled_call_leaves_nothing_open(self, it: Subject) -> None:
        """No task and no reply is left behind by a call that was cancelled."""
        await _cancelled(it)
        mine = {asyncio.current_task()}
        gone = await becomes(lambda: not asyncio.all_tasks() - mine, PROMPTLY_SECONDS)
        expect(gone, "no task is left", f"{len(asyncio.all_tasks() - mine)} are")
        closed = await becomes(lambda: not it.bench.lab.open_replies, PROMPTLY_SECONDS)
        expect(closed, "the connection is given back or closed", "the vendor's reply is still open")

    @rule("Undo in `finally` what a call changed on `self`.", over="lab")
    async def test_a_cancelled_call_can_be_followed_by_another(self, it: Subject) -> None:
        """The call after a cancelled one is answered."""
        await _cancelled(it)
        response, error = await it.answer_or_error()
        answered = isinstance(response, LLMResponse) and response.content == ANSWER
        expect(answered, "an answer", kind_of(error or response))


async def _cancelled(it: Subject) -> tuple[asyncio.Task[Any], bool]:
    """Cancel a call whose request has arrived; return its task, which is done, and whether it was so promptly."""
    lab, name = it.bench.lab, it.bench.name
    lab.script(name, HELD)
    task = asyncio.ensure_future(it.ask())
    arrived = await becomes(lambda: it.sent or task.done())
    expect(arrived and it.sent, "a request within 5 s", "none reached the vendor")
    task.cancel()
    promptly, _ = await asyncio.wait({task}, timeout=PROMPTLY_SECONDS)
    lab.gate.is_open = True
    await asyncio.wait({task})
    return task, bool(promptly)
