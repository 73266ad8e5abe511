"""A reply of the lab as a value, and the pace at which its body is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...ports.clock import Clock

ANSWER = "The container was killed: out of memory."

# Longer than any deadline, as is a trickle of two seconds a byte for a reply of 150 bytes.
SILENCE_SECONDS = 1_000_000.0
TRICKLE_SECONDS = 2.0
PING_SECONDS = 0.05
BLOCK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class LabReply:
    """One HTTP reply as the lab sends it.

    Attributes:
        pace: Pace of the body: at once; byte by byte with pauses; not at all after the headers; or at once, followed by
            silence or by pings without an end.
        ping: The bytes of a ping, for the pace "pings".
        announced: A wrong content-length, sent in place of the body's; the connection then ends with the body.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pace: Literal["at once", "trickle", "silent", "stall", "pings"] = "at once"
    ping: bytes = b""
    announced: int | None = None

    @property
    def length(self) -> int:
        """The content-length that the headers announce."""
        return len(self.body) if self.announced is None else self.announced

    def headers_with_length(self) -> dict[str, str]:
        """Return all headers, including the content-length."""
        return {**self.headers, "content-length": str(self.length)}

    async def blocks(self, clock: Clock) -> AsyncIterator[bytes]:
        """Yield the body in blocks, at its pace."""
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
"""Maps method, target, headers and body to a reply, or to the name of a connection fault."""


async def silence(clock: Clock) -> None:
    """Wait until the caller gives up; never returns."""
    await clock.sleep(SILENCE_SECONDS)
    await asyncio.Event().wait()


def json_reply(status: int, body: bytes, **headers: str) -> LabReply:
    """Return a reply with a JSON body; underscores in the names of `headers` become hyphens."""
    other_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return LabReply(status, body, {"content-type": "application/json", **other_headers})


NO_ROUTE = json_reply(404, b'{"detail":"Not Found"}')
