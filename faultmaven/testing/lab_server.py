"""The lab on a real socket: a small HTTP/1.1 server on the loopback interface, for tests and the demo."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from faultmaven.testing.lab_replies import LabReply

Respond = Callable[[str, str, Mapping[str, str], bytes], LabReply | str]


@asynccontextmanager
async def serve(respond: Respond) -> AsyncIterator[str]:
    """Serve `respond` on a free loopback port for the body; gives the address. Open connections end with it."""
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _converse(respond, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is its right
        except asyncio.CancelledError:
            pass  # the server ends; a task that ends cancelled would be reported as an error by asyncio's streams
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _converse(respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection until the client leaves or a fault ends it."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, headers = _parse_head(head.decode("latin-1"))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = respond(method, target, headers, body)
        if reply == "silent":
            await asyncio.Event().wait()
        if isinstance(reply, str):
            writer.transport.abort()
            return
        writer.write(_render(reply))
        await writer.drain()


def _parse_head(head: str) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _render(reply: LabReply) -> bytes:
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} Lab", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body
