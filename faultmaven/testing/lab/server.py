"""The lab over a real socket: a small HTTP/1.1 server on the loopback interface, for tests and the demo."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ...ports.clock import Clock
from .loopback import listen
from .reply import LabReply, Respond, silence

# SO_LINGER on, with zero seconds: closing the socket resets the connection.
_RESET = struct.pack("ii", 1, 0)


@asynccontextmanager
async def serve(respond: Respond, clock: Clock, open_replies: set[Callable[[], bool]]) -> AsyncIterator[str]:
    """Serve `respond` on a free loopback port while the block runs; yield the address. The end aborts open connections.

    Args:
        open_replies: Receives, for each reply that is being sent, a function that returns whether the client is still
            connected.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _answer_one(respond, clock, open_replies, reader, writer):
            pass

    async with listen(handle) as port:
        yield f"http://127.0.0.1:{port}"


async def _answer_one(
    respond: Respond,
    clock: Clock,
    open_replies: set[Callable[[], bool]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Answer one request; return whether the connection may serve another."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, headers = _parse_head(head.decode("latin-1"))
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    reply = respond(method, target, headers, body)

    def is_open() -> bool:
        return not reader.at_eof() and reader.exception() is None

    open_replies.add(is_open)
    try:
        if isinstance(reply, str):
            await _fail(reply, clock, writer)
            return False
        writer.write(_format_head(reply))
        async for block in reply.blocks(clock):
            writer.write(block)
            await writer.drain()
    finally:
        open_replies.discard(is_open)
    return reply.announced is None  # bytes beyond a wrong length must not pass as the next reply


async def _fail(fault: str, clock: Clock, writer: asyncio.StreamWriter) -> None:
    if fault == "silent":
        await silence(clock)
    if fault == "cut_headers":
        writer.write(b"HTTP/1.1 200 Lab\r\ncontent-ty")
    if fault == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _parse_head(head: str) -> tuple[str, str, dict[str, str]]:
    request_line, *lines = head.split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    fields = (line.partition(":") for line in lines if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in fields}


def _format_head(reply: LabReply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} Lab",
        *(f"{name}: {value}" for name, value in reply.headers_with_length().items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
