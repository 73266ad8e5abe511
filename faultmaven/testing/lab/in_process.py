"""The lab as an httpx transport: nothing leaves the process, and what breaks raises what httpx raises over a socket."""

from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import httpx

from ...ports.clock import Clock
from .reply import LabReply, Respond, silence


class LabTransport(httpx.AsyncBaseTransport):
    """Answers each request with what `respond` gives; waits go through `clock`."""

    def __init__(self, respond: Respond, clock: Clock, under_way: set[Callable[[], bool]] | None = None) -> None:
        """Args:
        under_way: Holds, for each reply that the client has not closed yet, a function that returns True.
        """
        self._respond = respond
        self._clock = clock
        self._under_way = set() if under_way is None else under_way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the reply to `request`, or raise what its fault raises."""
        body = await request.aread()
        target = request.url.raw_path.decode("ascii")
        reply = self._respond(request.method, target, dict(request.headers), body)
        if isinstance(reply, str):
            await self._break(reply)
        stream = _Body(reply, self._clock, self._under_way)
        return httpx.Response(reply.status, headers=reply.told_headers(), stream=stream, request=request)

    async def _break(self, fault: str) -> NoReturn:
        if fault == "refused":
            raise httpx.ConnectError("All connection attempts failed") from ConnectionRefusedError(111, "refused")
        if fault == "silent":
            await silence(self._clock)
        if fault == "cut_headers":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        raise httpx.ReadError("") from ConnectionResetError(104, "Connection reset by peer")


class _Body(httpx.AsyncByteStream):
    """A reply's body up to the announced length, or to where it breaks off."""

    def __init__(self, reply: LabReply, clock: Clock, under_way: set[Callable[[], bool]]) -> None:
        self._reply = reply
        self._clock = clock
        self._under_way = under_way
        under_way.add(self._is_open)

    def _is_open(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Take note that the client wants no more of it."""
        self._under_way.discard(self._is_open)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._reply.length
        async for block in self._reply.blocks(self._clock):
            yield block[:left]
            left -= len(block[:left])
        if left:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
