"""The lab as an httpx transport inside the process; faults raise the exceptions that httpx raises over a socket."""

from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import httpx

from ...ports.clock import Clock
from .reply import LabReply, Respond, silence


class LabTransport(httpx.AsyncBaseTransport):
    """Answers each request with the reply of `respond`; all waits use `clock`."""

    def __init__(self, respond: Respond, clock: Clock, open_replies: set[Callable[[], bool]] | None = None) -> None:
        """Answer with `respond`.

        Args:
            open_replies: Receives, for each reply until the client closes it, a function that returns True.
        """
        self._respond = respond
        self._clock = clock
        self._open_replies = set() if open_replies is None else open_replies

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the reply to `request`, or raise the exception of a connection fault."""
        body = await request.aread()
        target = request.url.raw_path.decode("ascii")
        reply = self._respond(request.method, target, dict(request.headers), body)
        if isinstance(reply, str):
            await self._fail(reply)
        stream = _Body(reply, self._clock, self._open_replies)
        return httpx.Response(reply.status, headers=reply.headers_with_length(), stream=stream, request=request)

    async def _fail(self, fault: str) -> NoReturn:
        if fault == "refused":
            raise httpx.ConnectError("All connection attempts failed") from ConnectionRefusedError(111, "refused")
        if fault == "silent":
            await silence(self._clock)
        if fault == "cut_headers":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        raise httpx.ReadError("") from ConnectionResetError(104, "Connection reset by peer")


class _Body(httpx.AsyncByteStream):
    """The body of a reply, up to the announced length or to the fault that cuts it."""

    def __init__(self, reply: LabReply, clock: Clock, open_replies: set[Callable[[], bool]]) -> None:
        self._reply = reply
        self._clock = clock
        self._open_replies = open_replies
        open_replies.add(self._is_open)

    def _is_open(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Remove this reply from the open ones: the client has closed it."""
        self._open_replies.discard(self._is_open)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        remaining = self._reply.length
        async for block in self._reply.blocks(self._clock):
            yield block[:remaining]
            remaining -= len(block[:remaining])
        if remaining:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
