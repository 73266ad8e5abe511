"""The lab on a real socket: a small HTTP/1.1 server on the loopback interface, for tests and the demo."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ...ports.clock import Clock
from .loopback import listen
from .reply import LabReply, Respond, silence

# On, and no time to linger: the socket is closed by a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


@asynccontextmanager
async def serve(respond: Respond, clock: Clock, under_way: set[Callable[[], bool]]) -> AsyncIterator[str]:
    """Serve `respond` on a free loopback port for the body; gives the address. Open connections end with it.

    Args:
        under_way: Holds, for each reply that is being sent, a function that tells whether the client is still there.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _answer_one(respond, clock, under_way, reader, writer):
            pass

    async with listen(handle) as port:
        yield f"http://127.0.0.1:{port}"


async def _answer_one(
    respond: Respond,
    clock: Clock,
    under_way: set[Callable[[], bool]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Answer one request; return whether the connection may serve another one."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, headers = _parse_head(head.decode("latin-1"))
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    reply = respond(method, target, headers, body)

    def is_open() -> bool:
        return not reader.at_eof() and reader.exception() is None

    under_way.add(is_open)
    try:
        if isinstance(reply, str):
            await _break(reply, clock, writer)
            return False
        writer.write(_head(reply))
        async for block in reply.blocks(clock):
            writer.write(block)
            await writer.drain()
    finally:
        under_way.discard(is_open)
    return reply.announced is None  # what lies beyond a wrong length must not be taken for another provider's reply


async def _break(fault: str, clock: Clock, writer: asyncio.StreamWriter) -> None:
    if fault == "silent":
        await silence(clock)
    if fault == "cut_headers":
        writer.write(b"HTTP/1.1 200 Lab\r\ncontent-ty")
    if fault == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _parse_head(head: str) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _head(reply: LabReply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Lab", *(f"{name}: {value}" for name, value in reply.told_headers().items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
