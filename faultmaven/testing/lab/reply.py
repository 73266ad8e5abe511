"""One reply of the lab as a value, and how its body comes over the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...ports.clock import Clock

ANSWER = "The container was killed: out of memory."

# Long after every caller has given up; for a reply of 150 bytes, two seconds a byte are longer than any deadline too.
SILENCE_SECONDS = 1_000_000.0
TRICKLE_SECONDS = 2.0
PING_SECONDS = 0.05
BLOCK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class LabReply:
    """One HTTP reply as the lab sends it.

    Attributes:
        pace: Whether the body comes at once, as a byte now and then, or not at all after the headers; or at once, and
            then nothing more, or only pings, without ever ending.
        ping: What comes now and then where only pings do.
        announced: The content-length that is told when it is not the body's; the connection ends with the body then.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pace: Literal["at once", "trickle", "silent", "stall", "pings"] = "at once"
    ping: bytes = b""
    announced: int | None = None

    @property
    def length(self) -> int:
        """The content-length that is told."""
        return len(self.body) if self.announced is None else self.announced

    def told_headers(self) -> dict[str, str]:
        """Return all headers, the length included."""
        return {**self.headers, "content-length": str(self.length)}

    async def blocks(self, clock: Clock) -> AsyncIterator[bytes]:
        """Give the body as it comes over the wire."""
        if self.pace == "silent":
            await silence(clock)
        size = 1 if self.pace == "trickle" else BLOCK_BYTES
        for start in range(0, len(self.body), size):
            if self.pace == "trickle":
                await clock.sleep(TRICKLE_SECONDS)
            yield self.body[start : start + size]
        if self.pace == "stall":
            await silence(clock)
        while self.pace == "pings":
            await clock.sleep(PING_SECONDS)
            yield self.ping


Respond: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], LabReply | str]
"""Method, target, headers and body to a reply, or to the name of a fault of the connection."""


async def silence(clock: Clock) -> None:
    """Wait until the caller gives up."""
    await clock.sleep(SILENCE_SECONDS)
    await asyncio.Event().wait()


def json_reply(status: int, body: bytes, **headers: str) -> LabReply:
    """Return a reply with a JSON body; a header's name is written with underscores."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return LabReply(status, body, {"content-type": "application/json", **told})


NO_ROUTE = json_reply(404, b'{"detail":"Not Found"}')
