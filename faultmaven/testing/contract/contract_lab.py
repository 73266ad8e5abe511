"""The lab as the contract has it: answers tell which question they are for, and a slow one comes when it is told to."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

from ..lab import ANSWER, FaultLab, LabReply
from ..lab.reply import TRICKLE_SECONDS

QUESTION = re.compile(r"question-\d+")
HELD = "trickle"
"""The fault whose waits go through the gate: a reply that comes when the gate is opened."""

_POLL_SECONDS = 0.005


class Gate:
    """A clock for the lab: the waits of a trickle end when the gate is open, all others as usual.

    Another thread than the lab's may open it. `gave_up` tells that nobody opened it within `patience` seconds.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.gave_up = False
        self.patience = float("inf")

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
        ends = self.monotonic() + self.patience
        while not self.is_open:
            if self.monotonic() >= ends:
                self.gave_up = self.is_open = True
            await asyncio.sleep(_POLL_SECONDS)


class ContractLab(FaultLab):
    """A lab whose answer to a prompt that names a question, such as "question-7", is that name."""

    def __init__(self) -> None:
        self.gate = Gate()
        super().__init__(self.gate)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply, with the question's name in place of the answer's text."""
        reply = super().respond(method, target, headers, body)
        asked = QUESTION.search(body.decode("utf-8", "replace"))
        if asked is None or isinstance(reply, str):
            return reply
        return replace(reply, body=reply.body.replace(ANSWER.encode(), asked[0].encode()))
