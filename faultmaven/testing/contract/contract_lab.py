"""The fault lab of the contract: responses echo a question's name, and a held reply waits for a gate."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

from ..lab import ANSWER, FaultLab, LabReply
from ..lab.reply import TRICKLE_SECONDS

QUESTION_NAME = re.compile(r"question-\d+")
HELD_REPLY = "trickle"
"""The fault whose waits go through the gate: the reply arrives after the gate is opened."""

_POLL_SECONDS = 0.005


class Gate:
    """A clock for the lab whose trickle waits end when the gate is opened; all other waits take their time.

    Any thread may open the gate.

    Attributes:
        max_wait: Seconds after which a wait opens the gate itself.
        has_timed_out: Whether a wait has opened the gate after `max_wait`.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.has_timed_out = False
        self.max_wait = float("inf")

    def monotonic(self) -> float:
        """Return the running loop's time."""
        return asyncio.get_running_loop().time()

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context that raises `TimeoutError` after `seconds`."""
        return asyncio.timeout(seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or for the gate."""
        if seconds != TRICKLE_SECONDS:
            await asyncio.sleep(seconds)
            return
        deadline = self.monotonic() + self.max_wait
        while not self.is_open:
            if self.monotonic() >= deadline:
                self.has_timed_out = self.is_open = True
            await asyncio.sleep(_POLL_SECONDS)


class ContractLab(FaultLab):
    """A fault lab whose response to a prompt that contains a question's name, such as "question-7", is that name."""

    def __init__(self) -> None:
        self.gate = Gate()
        super().__init__(self.gate)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply of the fault lab, with the question's name in place of the usual text."""
        reply = super().respond(method, target, headers, body)
        question = QUESTION_NAME.search(body.decode("utf-8", "replace"))
        if question is None or isinstance(reply, str):
            return reply
        return replace(reply, body=reply.body.replace(ANSWER.encode(), question[0].encode()))
