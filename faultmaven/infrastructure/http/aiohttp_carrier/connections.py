"""Connections of aiohttp that are told apart from dead ones before they are used, and closed without waiting."""

import asyncio
import select
from typing import TYPE_CHECKING

from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import weakref

# Word of the other side that the event loop had no turn to notice: it hung up, or says something unasked.
_WORD = select.POLLIN | getattr(select, "POLLRDHUP", 0) if hasattr(select, "poll") else 0

LOST_SECONDS = 0.5
"""So long is waited for word that a closed connection is closed: uvloop gives none where connecting was cancelled."""


class ConnectionProtocol(ResponseHandler):
    """One connection.

    A kept one whose server has hung up may not be used again, even if the event loop has had no turn to notice: a
    request that is written to it fails, and could have been billed. Nor may one on which something has come unasked,
    such as a late 408: it would be taken for the reply to the next request, and each reply for that to the one after.
    aiohttp asks `is_connected` before it uses one.

    Closing aborts: what is closed is idle, or was given up, and a TLS farewell would keep a socket open for as long as
    a server that does not answer it likes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
        """Args:
        connections: Where this one is listed as long as it is open.
        """
        super().__init__(loop)
        self._connections = connections
        self._word = select.poll() if _WORD else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        socket = transport.get_extra_info("socket")
        if self._word is not None and socket is not None:
            self._word.register(socket.fileno(), _WORD)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)

    def close(self) -> None:
        """Close at once."""
        self.abort()

    def is_connected(self) -> bool:
        """Return whether a request may be written to it."""
        if not super().is_connected() or self.should_close:
            return False
        return self._word is None or not self._word.poll(0)


async def close_all(connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
    """Close what is open and wait until the sockets are."""
    # A tunnel's first protocol gave its transport to the one that speaks TLS, and hears of nothing any more.
    own = [one for one in list(connections) if one.transport is None or _protocol_of(one.transport) is one]
    ended = [one.closed for one in own if one.closed is not None]
    for one in own:
        one.abort()
    if ended:
        await asyncio.wait(ended, timeout=LOST_SECONDS)


def _protocol_of(transport: asyncio.BaseTransport) -> asyncio.BaseProtocol | None:
    """Return whom a transport tells; nobody where TLS inside of TLS has gone to pieces, which asyncio answers so."""
    try:
        return transport.get_protocol()
    except AttributeError:
        return None
