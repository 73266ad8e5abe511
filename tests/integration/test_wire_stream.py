"""A stream over real sockets: its connection is closed when it is left, and serves another call when it was read."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from faultmaven import Container, LLMError, ProviderTimeoutError, StreamChunk, StreamInterruptedError, open_container
from faultmaven.infrastructure.llm.providers import wire_stream
from faultmaven.infrastructure.llm.providers.wire_stream import PARSED_AT_ONCE
from faultmaven.infrastructure.llm.wire.streaming import EventParser
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import listen
from faultmaven.testing.lab.streams import STREAMS

EVENTS = STREAMS["openai-chat"].events
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Vendor:
    """Streams `events` to every request, in chunks; then does what `after` says: "end", "hang", "cut"."""

    def __init__(self, events: tuple[bytes, ...] = EVENTS, after: str = "end") -> None:
        self.events = events
        self.after = after
        self.connections = 0
        self.said = asyncio.Event()
        self.left = asyncio.Event()

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
                self.said.set()
                if self.after == "cut":
                    return
                if self.after == "hang":
                    await reader.read()  # until the client goes away
                    return
                writer.write(b"0\r\n\r\n")
        finally:
            self.left.set()


class Under:
    """The carrier that a test tries: every test of this file runs over each."""

    test = "auto"


@pytest.fixture(autouse=True)
def under_test(carrier: str) -> None:
    Under.test = carrier


@asynccontextmanager
async def asking(vendor: Vendor, **parts: Any) -> AsyncIterator[Container]:
    async with listen(vendor) as port:
        env = {"GROQ_API_KEY": "k" * 12, "GROQ_API_BASE": f"http://127.0.0.1:{port}/v1"}
        env |= {"LLM_REQUEST_TIMEOUT": "30", "LLM_MAX_RETRIES": "0", "LLM_HTTP_CARRIER": Under.test}
        async with open_container(env, **parts) as container:
            yield container


async def read(container: Container) -> str:
    text = ""
    async with container.llm().stream("ping") as stream:
        async for piece in stream:
            text += piece.text or ""
    assert stream.response.content == text
    return text


async def test_a_stream_that_was_read_gives_its_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_stream, "LINGER_SECONDS", 20.0)
    vendor = Vendor()
    async with asking(vendor) as container:
        for _ in range(3):
            assert await read(container)
    assert vendor.connections == 1


async def test_a_stream_that_is_left_closes_its_connection_at_once() -> None:
    vendor = Vendor(EVENTS[:3], "hang")
    async with asking(vendor) as container, asyncio.timeout(20):
        async with container.llm().stream("ping") as stream:
            async for _ in stream:
                break
            assert not vendor.left.is_set()
        await vendor.left.wait()


async def test_a_cancelled_reader_closes_its_connection_at_once() -> None:
    vendor = Vendor(EVENTS[:3], "hang")
    async with asking(vendor) as container, asyncio.timeout(20):
        task = asyncio.create_task(read(container))
        await vendor.said.wait()
        await asyncio.sleep(0.05)  # as a rule some chunks are read by now
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await vendor.left.wait()


async def test_a_connection_that_ends_in_the_middle_is_an_interruption() -> None:
    async with asking(Vendor(EVENTS[:3], "cut")) as container:
        with pytest.raises(StreamInterruptedError) as caught:
            await read(container)
    assert caught.value.response is not None
    assert caught.value.response.content == "The container was killed: "


async def test_a_body_that_never_ends_behind_the_end_marker_costs_nobody_the_answer() -> None:
    vendor = Vendor(EVENTS, "hang")
    async with asking(vendor) as container, asyncio.timeout(20):
        assert await read(container)
        await vendor.left.wait()


async def test_a_stall_is_a_timeout_in_time() -> None:
    clock, came = FakeClock(), asyncio.Event()

    async def read_until_it_stalls(container: Container) -> None:
        text = ""
        async with container.llm().stream("ping") as stream:
            async for piece in stream:
                text += piece.text or ""
                if text == "The container was killed: ":
                    came.set()

    async with asking(Vendor(EVENTS[:3], "hang"), clock=clock) as container, asyncio.timeout(20):
        task = asyncio.create_task(read_until_it_stalls(container))
        await came.wait()
        clock.advance(30.0)
        with pytest.raises(ProviderTimeoutError) as caught:
            await task
    assert caught.value.phase == "next chunk"


async def test_a_reload_lets_a_stream_end_on_the_connection_it_has() -> None:
    vendor = Vendor()
    async with asking(vendor) as container:
        async with container.llm().stream("ping") as stream:
            text = (await anext(aiter(stream))).text or ""
            container.registry().reload()
            async for piece in stream:
                text += piece.text or ""
        assert stream.response.content == text
        assert await read(container) == text
    assert vendor.connections == 2


async def test_a_hundred_streams_at_once_do_not_mix() -> None:
    async with asking(Vendor()) as container:
        texts = await asyncio.gather(*(read(container) for _ in range(100)))
    assert len(set(texts)) == 1


async def test_the_errors_ledger_names_the_request() -> None:
    async with asking(Vendor(EVENTS[:3], "cut")) as container:
        with pytest.raises(LLMError) as caught:
            await read(container)
    (line,) = caught.value.attempts
    assert (line.provider, line.status, line.outcome) == ("groq", 200, "StreamInterruptedError")
    assert line.time_to_headers is not None
    assert line.time_to_first_token is not None


async def test_chunks_come_one_by_one_as_they_are_sent() -> None:
    """The next event is sent once the chunk before it was read: whoever gathers some waits for ever."""

    class Patient(Vendor):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            for event in words:
                writer.write(chunk(event))
                await go_on.acquire()
            writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    words = [spoken(f"word{number} ") for number in range(20)] + [spoken("", "stop")]
    go_on = asyncio.Semaphore(0)
    async with asking(Patient()) as container, asyncio.timeout(10):
        async with container.llm().stream("ping") as stream:
            count = 0
            async for piece in stream:
                if piece.text:
                    assert piece.text == f"word{count} "
                    count += 1
                go_on.release()
                if count == 20:
                    go_on.release()
        assert count == 20


async def test_of_many_events_at_once_the_first_is_given_out_before_all_are_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[int] = []
    feed = EventParser.feed

    def record(self: EventParser, block: bytes) -> list[StreamChunk]:
        parsed.append(len(block))
        return feed(self, block)

    monkeypatch.setattr(EventParser, "feed", record)
    events = b"".join(spoken(f"word{number} ") for number in range(2000)) + spoken("", "stop") + b"data: [DONE]\n\n"
    async with asking(Vendor((events,))) as container:
        assert await read(container) == "".join(f"word{number} " for number in range(2000))
    assert sum(parsed) == len(events)
    assert max(parsed) <= PARSED_AT_ONCE


def spoken(text: str, reason: str | None = None) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": reason}]}).encode() + b"\n\n"
    )
