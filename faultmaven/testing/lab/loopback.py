"""A server on the loopback interface, for tests and the demo; no accepted connection outlives its server."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@asynccontextmanager
async def listen(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve every connection with `handle` on a free port while the block runs; yield the port.

    A connection is closed when `handle` returns, and aborted when the block ends. The errors of a connection whose
    client has left are suppressed.
    """
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    # No coroutine function: asyncio would run one as a task, which may be cancelled before it registers the connection.
    def on_connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_handle_until_client_leaves(handle, reader, writer))
        connections[task] = writer
        task.add_done_callback(on_ended)

    def on_ended(task: asyncio.Task[None]) -> None:
        connections.pop(task).close()

    server = await asyncio.start_server(on_connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await stop_accepting(server)
        still_open = dict(connections)
        for task, writer in still_open.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*still_open, return_exceptions=True)
        await server.wait_closed()


async def stop_accepting(server: asyncio.Server) -> None:
    """Close `server`, and return when every accepted connection has reached its protocol.

    asyncio accepts in one iteration of the loop, builds the transport in the next and notifies the protocol in a third.
    A server that closes between the first two leaks a socket.
    """
    await asyncio.sleep(0)
    server.close()
    for _ in range(3):
        await asyncio.sleep(0)


async def _handle_until_client_leaves(
    handle: Handle, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await handle(reader, writer)
