"""Connections of aiohttp that are checked before each use and closed without waiting."""

import asyncio
import select
from typing import TYPE_CHECKING

from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import weakref

# Events that the event loop may not have handled yet: the server closed the connection, or sent unexpected data.
_EVENTS = select.POLLIN | getattr(select, "POLLRDHUP", 0) if hasattr(select, "poll") else 0

MAX_CLOSE_SECONDS = 0.5
"""Limit of the wait for closed sockets: uvloop never reports a connection whose connecting was cancelled as closed."""


class ConnectionProtocol(ResponseHandler):
    """One connection.

    aiohttp calls `is_connected` before it uses an idle connection. A connection that the server has closed must not be
    used, even if the event loop has not noticed the closing yet: a request written to it fails, and may be billed. Nor
    may a connection on which unexpected data has arrived, such as a late 408: that data would be read as the reply to
    the next request, and every later reply as that to the request after its own.

    Closing aborts: a closed connection is idle or abandoned, and waiting for a TLS shutdown would keep its socket open
    for as long as the server does not answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
        """Args:
        connections: Contains this connection while it is open.
        """
        super().__init__(loop)
        self._connections = connections
        self._poll = select.poll() if _EVENTS else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        socket = transport.get_extra_info("socket")
        if self._poll is not None and socket is not None:
            self._poll.register(socket.fileno(), _EVENTS)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)

    def close(self) -> None:
        """Close without waiting."""
        self.abort()

    def is_connected(self) -> bool:
        """Return whether a request may be written to this connection."""
        if not super().is_connected() or self.should_close:
            return False
        return self._poll is None or not self._poll.poll(0)


async def close_connections(connections: "weakref.WeakSet[ConnectionProtocol]") -> None:
    """Close the open connections and wait until their sockets are closed, at most `MAX_CLOSE_SECONDS`."""
    # In a tunnel, the first protocol has passed its transport to the one for TLS, and is never notified again.
    active = [each for each in list(connections) if each.transport is None or _protocol_of(each.transport) is each]
    closed = [each.closed for each in active if each.closed is not None]
    for each in active:
        each.abort()
    if closed:
        await asyncio.wait(closed, timeout=MAX_CLOSE_SECONDS)


def _protocol_of(transport: asyncio.BaseTransport) -> asyncio.BaseProtocol | None:
    """Return the protocol that a transport notifies; None after a failed handshake of TLS inside TLS, for which asyncio
    raises `AttributeError`."""
    try:
        return transport.get_protocol()
    except AttributeError:
        return None
