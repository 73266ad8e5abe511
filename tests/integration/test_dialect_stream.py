"""Streams over real sockets: an abandoned stream closes the connection, a finished stream returns the connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from faultmaven import Container, LLMError, ProviderTimeoutError, StreamChunk, StreamInterruptedError, open_container
from faultmaven.infrastructure.llm.dialects.shared.streaming import EventParser
from faultmaven.infrastructure.llm.providers import dialect_stream
from faultmaven.infrastructure.llm.providers.dialect_stream import MAX_PARSED_BYTES
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import listen
from faultmaven.testing.lab.replies.streams import STREAMS

EVENTS = STREAMS["openai-chat"].events
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Vendor:
    """A server that streams `events` in answer to every request, and then does `after`: "end", "hang" or "cut"."""

    def __init__(self, events: tuple[bytes, ...] = EVENTS, after: str = "end") -> None:
        self.events = events
        self.after = after
        self.connections = 0
        self.events_sent = asyncio.Event()
        self.disconnected = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                writer.write(HEAD)
                for event in self.events:
                    writer.write(chunk(event))
                    await writer.drain()
                self.events_sent.set()
                if self.after == "cut":
                    return
                if self.after == "hang":
                    await reader.read()  # until the client disconnects
                    return
                writer.write(b"0\r\n\r\n")
        finally:
            self.disconnected.set()


class UnderTest:
    """The carrier under test. Every test of this file runs over each carrier."""

    carrier = "auto"


@pytest.fixture(autouse=True)
def carrier_under_test(carrier: str) -> None:
    UnderTest.carrier = carrier


@asynccontextmanager
async def open_with(vendor: Vendor, **parts: Any) -> AsyncIterator[Container]:
    async with listen(vendor) as port:
        env = {"GROQ_API_KEY": "k" * 12, "GROQ_API_BASE": f"http://127.0.0.1:{port}/v1"}
        env |= {"LLM_REQUEST_TIMEOUT": "30", "LLM_MAX_RETRIES": "0", "LLM_HTTP_CARRIER": UnderTest.carrier}
        async with open_container(env, **parts) as container:
            yield container


async def read(container: Container) -> str:
    text = ""
    async with container.llm().stream("ping") as stream:
        async for part in stream:
            text += part.text or ""
    assert stream.response.content == text
    return text


async def test_finished_streams_share_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect_stream, "END_OF_BODY_SECONDS", 20.0)
    vendor = Vendor()
    async with open_with(vendor) as container:
        for _ in range(3):
            assert await read(container)
    assert vendor.connections == 1


async def test_abandoned_stream_closes_connection_at_once() -> None:
    vendor = Vendor(EVENTS[:3], "hang")
    async with open_with(vendor) as container, asyncio.timeout(20):
        async with container.llm().stream("ping") as stream:
            async for _ in stream:
                break
            assert not vendor.disconnected.is_set()
        await vendor.disconnected.wait()


async def test_cancelled_reader_closes_connection_at_once() -> None:
    vendor = Vendor(EVENTS[:3], "hang")
    async with open_with(vendor) as container, asyncio.timeout(20):
        task = asyncio.create_task(read(container))
        await vendor.events_sent.wait()
        await asyncio.sleep(0.05)  # the reader has usually read some chunks by then
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await vendor.disconnected.wait()


async def test_cut_connection_raises_stream_interrupted() -> None:
    async with open_with(Vendor(EVENTS[:3], "cut")) as container:
        with pytest.raises(StreamInterruptedError) as caught:
            await read(container)
    assert caught.value.response is not None
    assert caught.value.response.content == "The container was killed: "


async def test_open_body_after_end_marker_is_accepted() -> None:
    vendor = Vendor(EVENTS, "hang")
    async with open_with(vendor) as container, asyncio.timeout(20):
        assert await read(container)
        await vendor.disconnected.wait()


async def test_stalled_stream_times_out() -> None:
    clock, text_arrived = FakeClock(), asyncio.Event()

    async def read_until_stall(container: Container) -> None:
        text = ""
        async with container.llm().stream("ping") as stream:
            async for piece in stream:
                text += piece.text or ""
                if text == "The container was killed: ":
                    text_arrived.set()

    async with open_with(Vendor(EVENTS[:3], "hang"), clock=clock) as container, asyncio.timeout(20):
        task = asyncio.create_task(read_until_stall(container))
        await text_arrived.wait()
        clock.advance(30.0)
        with pytest.raises(ProviderTimeoutError) as caught:
            await task
    assert caught.value.phase == "next chunk"


async def test_reload_keeps_connection_of_open_stream() -> None:
    vendor = Vendor()
    async with open_with(vendor) as container:
        async with container.llm().stream("ping") as stream:
            text = (await anext(aiter(stream))).text or ""
            container.registry().reload()
            async for part in stream:
                text += part.text or ""
        assert stream.response.content == text
        assert await read(container) == text
    assert vendor.connections == 2


async def test_hundred_concurrent_streams_do_not_mix() -> None:
    async with open_with(Vendor()) as container:
        texts = await asyncio.gather(*(read(container) for _ in range(100)))
    assert len(set(texts)) == 1


async def test_stream_error_records_attempt_details() -> None:
    async with open_with(Vendor(EVENTS[:3], "cut")) as container:
        with pytest.raises(LLMError) as caught:
            await read(container)
    (line,) = caught.value.attempts
    assert (line.provider, line.status, line.outcome) == ("groq", 200, "StreamInterruptedError")
    assert line.time_to_headers is not None
    assert line.time_to_first_token is not None


async def test_each_chunk_arrives_when_sent() -> None:
    """The server sends an event only after the previous chunk was read, so a client that buffers chunks would hang."""

    class StepwiseVendor(Vendor):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            for event in words:
                writer.write(chunk(event))
                await next_event_allowed.acquire()
            writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    words = [sse_event(f"word{number} ") for number in range(20)] + [sse_event("", "stop")]
    next_event_allowed = asyncio.Semaphore(0)
    async with open_with(StepwiseVendor()) as container, asyncio.timeout(10):
        async with container.llm().stream("ping") as stream:
            count = 0
            async for part in stream:
                if part.text:
                    assert part.text == f"word{count} "
                    count += 1
                next_event_allowed.release()
                if count == 20:
                    next_event_allowed.release()
        assert count == 20


async def test_large_block_is_parsed_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[int] = []
    feed = EventParser.feed

    def record(self: EventParser, block: bytes) -> list[StreamChunk]:
        parsed.append(len(block))
        return feed(self, block)

    monkeypatch.setattr(EventParser, "feed", record)
    events = (
        b"".join(sse_event(f"word{number} ") for number in range(2000)) + sse_event("", "stop") + b"data: [DONE]\n\n"
    )
    async with open_with(Vendor((events,))) as container:
        assert await read(container) == "".join(f"word{number} " for number in range(2000))
    assert sum(parsed) == len(events)
    assert max(parsed) <= MAX_PARSED_BYTES


def sse_event(text: str, reason: str | None = None) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": reason}]}).encode() + b"\n\n"
    )
