"""Connections of aiohttp that are told apart from dead ones before they are used, and closed without waiting."""

import asyncio
import select
from typing import TYPE_CHECKING

from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import weakref

_PEER_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux; elsewhere the event loop alone tells

LOST_SECONDS = 0.5
"""So long is waited for word that a closed connection is closed: uvloop gives none where connecting was cancelled."""


class ConnectionProtocol(ResponseHandler):
    """One connection.

    A kept one whose server has hung up may not be used again, even if the event loop has had no turn to notice: a
    request that is written to it fails, and could have been billed. aiohttp asks `is_connected` before it uses one.

    Closing aborts: what is closed is idle, or was given up, and a TLS farewell would keep a socket open for as long as
    a server that does not answer it likes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
        """Args:
        connections: Where this one is listed as long as it is open.
        """
        super().__init__(loop)
        self._connections = connections
        self._hung_up = select.poll() if _PEER_CLOSED else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        socket = transport.get_extra_info("socket")
        if self._hung_up is not None and socket is not None:
            self._hung_up.register(socket.fileno(), _PEER_CLOSED)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)

    def close(self) -> None:
        """Close at once."""
        self.abort()

    def is_connected(self) -> bool:
        """Return whether a request may be written to it."""
        return super().is_connected() and not (self._hung_up is not None and self._hung_up.poll(0))


async def close_all(connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
    """Close what is open and wait until the sockets are."""
    # A tunnel's first protocol gave its transport to the one that speaks TLS, and hears of nothing any more.
    own = [one for one in connections if one.transport is None or one.transport.get_protocol() is one]
    ended = [one.closed for one in own if one.closed is not None]
    for one in own:
        one.abort()
    if ended:
        await asyncio.wait(ended, timeout=LOST_SECONDS)
