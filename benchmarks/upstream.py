"""An upstream server with fixed answers in OpenAI Chat's format, as fast as Python allows, in a separate process.

The first part of a path selects the mode: `/ok/v1/chat/completions` answers at once, `/slow/` after 50 ms, `/500/` and
`/429/` fail. A request with `"stream": true` gets 500 chunks in one burst, or from `/paced/` 20 chunks, one
each millisecond. `/counts` returns the requests per mode and the CPU time of the process. The script prints the address
and ends when standard input ends. uvloop is used if installed.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = None

ANSWER = "The container was killed: out of memory. " * 8
# All texts differ, because litellm treats repeated chunks as a fault.
CHUNK_TEXTS = tuple(f"word{number} " for number in range(500))
PACED_CHUNK_TEXTS, PACE_SECONDS = CHUNK_TEXTS[:20], 0.001
DELAY_SECONDS = 0.05
BACKLOG = 4096

_HEAD = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM_MARKERS = (b'"stream":true', b'"stream": true')
_LENGTH = b"content-length:"


def _reply(status: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    return _HEAD % (status.encode(), len(data)) + data


def _error(kind: str) -> dict[str, object]:
    return {"error": {"message": f"made to fail: {kind}", "type": kind, "param": None, "code": kind}}


_COMMON_FIELDS = {"id": "chatcmpl-1", "created": 1_764_000_000, "model": "gpt-4o-mini"}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
_USAGE = {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42}
OK = _reply("200 OK", {**_COMMON_FIELDS, "object": "chat.completion", "choices": [_CHOICE], "usage": _USAGE})
FAILURES = {
    "500": _reply("500 Internal Server Error", _error("server_error")),
    "429": _reply("429 Too Many Requests", _error("rate_limit_exceeded")),
}


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = json.dumps({**_COMMON_FIELDS, "object": "chat.completion.chunk", "choices": [choice]}, separators=(",", ":"))
    return _chunk(f"data: {data}\n\n".encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FIRST_EVENT, EVENTS = _event({"role": "assistant", "content": ""}), [_event({"content": text}) for text in CHUNK_TEXTS]
LAST_EVENTS = _event({}, "stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
BURST = _STREAM_HEAD + FIRST_EVENT + b"".join(EVENTS) + LAST_EVENTS


class Upstream(asyncio.Protocol):
    """One connection: splits the received bytes into requests and writes the fixed answers."""

    counts: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport  # uvloop's transport is no asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._unread = self._unread + data if self._unread else data
        while self._unread:
            head_ends = self._unread.find(b"\r\n\r\n")
            if head_ends < 0:
                return
            head = self._unread[:head_ends]
            ends = head_ends + 4 + _length(head)
            if len(self._unread) < ends:
                return
            body, self._unread = self._unread[head_ends + 4 : ends], self._unread[ends:]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, target: str, body: bytes) -> None:
        mode = target.split("/", 2)[1]
        self.counts[mode] += 1
        if mode == "slow":
            self._loop.call_later(DELAY_SECONDS, self._write, OK)
        elif mode in FAILURES:
            self._write(FAILURES[mode])
        elif mode == "counts":
            self._write(_reply("200 OK", {"counts": self.counts, "cpu_seconds": time.process_time()}))
        elif not any(word in body for word in _STREAM_MARKERS):
            self._write(OK)
        elif mode == "paced":
            self._pace(_paced())
        else:
            self._write(BURST)

    def _pace(self, parts: Iterator[bytes]) -> None:
        part = next(parts, None)
        if part is not None:
            self._write(part)
            self._loop.call_later(PACE_SECONDS, self._pace, parts)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _paced() -> Iterator[bytes]:
    yield _STREAM_HEAD + FIRST_EVENT + EVENTS[0]
    yield from EVENTS[1 : len(PACED_CHUNK_TEXTS)]
    yield LAST_EVENTS


def _length(head: bytes) -> int:
    head = head.lower()
    position = head.find(_LENGTH)
    return int(head[position + len(_LENGTH) :].split(b"\r\n", 1)[0]) if position >= 0 else 0


async def serve() -> None:
    """Serve until standard input ends."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=BACKLOG)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve())
