"""Listening on the loopback interface, for tests and the demo: nothing that was accepted outlives its server."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@asynccontextmanager
async def listen(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve every connection with `handle` on a free port for the body; gives the port.

    A connection is closed when `handle` returns; those that are still open end with the body. A client that goes away
    ends its `handle` quietly.
    """
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    # Not a coroutine function: asyncio would run it as a task, which can be cancelled before it could register.
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_until_the_client_leaves(handle, reader, writer))
        connections[task] = writer
        task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        connections.pop(task).close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
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
    """Close `server`, and return when every connection that it has accepted has reached its protocol.

    asyncio accepts in one turn of the loop, builds the transport in the next and tells the protocol in a third. A
    server that closes between the first two leaves a socket that nobody closes.
    """
    await asyncio.sleep(0)
    server.close()
    for _ in range(3):
        await asyncio.sleep(0)


async def _until_the_client_leaves(handle: Handle, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await handle(reader, writer)
