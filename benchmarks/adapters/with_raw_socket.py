"""A hand-written HTTP client on asyncio's protocols: the upper limit of this machine and the upstream."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

try:
    from uvloop import new_event_loop as new_event_loop  # the worker takes it from here
except ImportError:
    new_event_loop = None

_HEAD = (
    "POST {path}/chat/completions HTTP/1.1\r\n"
    "host: {host}\r\nauthorization: Bearer key\r\ncontent-length: {size}\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """One connection, with the received bytes of the current reply."""

    received = b""
    waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Append the received bytes and wake the reader."""
        self.received += data
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def receive_more(self) -> None:
        """Wait for more bytes."""
        self.waiting = asyncio.get_running_loop().create_future()
        await self.waiting


class RawSocket:
    """A pool of connections without limits."""

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._idle: list[Connection] = []
        self._all: list[Connection] = []

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        connection = await self._send(prompt, stream=False)
        while (head_ends := connection.received.find(b"\r\n\r\n")) < 0:
            await connection.receive_more()
        head = connection.received[:head_ends].lower()
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(connection.received) < head_ends + 4 + size:
            await connection.receive_more()
        body = connection.received[head_ends + 4 :]
        self._idle.append(connection)
        text: str = json.loads(body)["choices"][0]["message"]["content"]
        return text

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream. Lines with HTTP chunk sizes are skipped: each chunk holds whole lines."""
        connection = await self._send(prompt, stream=True)
        ended = False
        while not ended:
            if b"\n" not in connection.received:
                await connection.receive_more()
            complete_lines, _, connection.received = connection.received.rpartition(b"\n")
            for line in complete_lines.split(b"\n"):
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                elif line == b"0\r":
                    ended = True
        self._idle.append(connection)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.transport.close()

    async def _send(self, prompt: Any, *, stream: bool) -> Connection:
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        body = json.dumps({"model": "gpt-4o-mini", "messages": messages, "stream": stream}).encode()
        head = _HEAD.format(path=self._address.path, host=self._address.netloc, size=len(body))
        connection = self._idle.pop() if self._idle else await self._connect()
        connection.received = b""
        connection.transport.write(head.encode() + body)
        return connection

    async def _connect(self) -> Connection:
        host, port = self._address.hostname or "", self._address.port or 80
        _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
        self._all.append(connection)
        return connection


async def open_client(address: str, fallback: str | None) -> RawSocket:
    """Return a client without failover."""
    assert fallback is None
    return RawSocket(address)
