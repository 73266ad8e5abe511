"""The limit of connections per host and the keep-alive time, over each carrier and real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultmaven import Container, Image, Message, open_container
from faultmaven.domain.errors import LimitReachedError, LLMError
from faultmaven.domain.events import AttemptEnded
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.configuration.settings import CarrierName, Settings, load_settings, read_environment
from faultmaven.infrastructure.http.carrier import Progress
from faultmaven.infrastructure.http.connection_limit import LimitedCarrier
from faultmaven.infrastructure.http.failures import connect_seconds
from faultmaven.infrastructure.http.network import NetworkSettings, network_settings
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import Headers, Origin, WireRequest
from faultmaven.ports.clock import Clock
from faultmaven.ports.observer import Observer
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import listen

ORIGIN = Origin("openai", "openai-chat", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_API_BASE")
VARIABLE = "LLM_HTTP_CONNECTIONS_PER_HOST"


class Host:
    """An HTTP/1.1 server that echoes each body twice; the second copy waits for `go_on`."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.bodies: list[str] = []
        self.request_received = asyncio.Condition()
        self.permits = asyncio.Semaphore(0)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                body = await reader.readexactly(length)
                async with self.request_received:
                    self.bodies.append(body.decode())
                    self.request_received.notify_all()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (2 * len(body), body))
                await self.permits.acquire()
                writer.write(body)
        finally:
            self.open -= 1
            writer.close()

    def go_on(self, times: int = 1) -> None:
        """Let `times` replies end, including replies to future requests."""
        for _ in range(times):
            self.permits.release()

    async def hears(self, count: int) -> list[str]:
        """Wait until the server has received `count` requests; return all bodies."""
        async with self.request_received:
            await self.request_received.wait_for(lambda: len(self.bodies) >= count)
        return self.bodies


@asynccontextmanager
async def serving() -> AsyncIterator[Host]:
    host = Host()
    async with asyncio.timeout(20), listen(host) as port:
        host.url = f"http://127.0.0.1:{port}/v1"
        yield host


@asynccontextmanager
async def limited_to(
    limit: int | None, carrier: CarrierName, clock: Clock | None = None, **options: Any
) -> AsyncIterator[HTTPTransport]:
    network = NetworkSettings(connections_per_host=limit, **options)
    transport = HTTPTransport(clock or SystemClock(), network=network, carrier=carrier)
    try:
        yield transport
    finally:
        await transport.aclose()


def asking(host: Host, body: str) -> WireRequest:
    return WireRequest(ORIGIN, host.url, Headers({"content-type": "text/plain"}), body.encode(), model="gpt-x")


def sending(transport: HTTPTransport, host: Host, body: str, timeout: float = 15.0) -> asyncio.Task[Any]:
    return asyncio.create_task(transport.send(asking(host, body), timeout))


async def some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_requests_over_limit_wait_in_order(carrier: CarrierName) -> None:
    async with serving() as host, limited_to(2, carrier) as transport:
        calls = []
        for number in range(8):
            calls.append(sending(transport, host, str(number)))
            await some_turns()
        assert sorted(await host.hears(2)) == ["0", "1"]
        for count in range(3, 9):
            host.go_on()
            assert (await host.hears(count))[count - 1] == str(count - 1)
        host.go_on(2)
        replies = await asyncio.gather(*calls)
    assert [reply.body for reply in replies] == [f"{number}{number}".encode() for number in range(8)]
    assert (host.most_open, host.connections) == (2, 2)


async def test_connections_are_unlimited_by_default(carrier: CarrierName) -> None:
    async with serving() as host, limited_to(None, carrier) as transport:
        calls = [sending(transport, host, str(number)) for number in range(50)]
        await host.hears(50)
        host.go_on(50)
        await asyncio.gather(*calls)
    assert host.most_open == 50


async def test_new_request_cannot_overtake_waiting_request(carrier: CarrierName) -> None:
    """An idle connection is in the pool, and one request already waits for that connection."""
    async with serving() as host, limited_to(1, carrier) as transport:
        host.go_on(3)
        stream = await transport.open(asking(host, "first"), 15.0)
        waiting = sending(transport, host, "waited")
        await some_turns()
        while await stream.read():
            pass
        newcomer = sending(transport, host, "pushed in")
        await asyncio.gather(waiting, newcomer, stream.aclose())
    assert host.bodies == ["first", "waited", "pushed in"]


async def test_wait_timeout_error_names_limit_setting(carrier: CarrierName) -> None:
    async with serving() as host, limited_to(1, carrier) as transport:
        first = sending(transport, host, "first")
        await host.hears(1)
        with pytest.raises(LimitReachedError) as caught:
            await transport.send(asking(host, "second"), 0.2)
        host.go_on(2)
        await first
        assert (await transport.send(asking(host, "third"), 15.0)).status == 200
    error = caught.value
    assert str(error).startswith("openai (gpt-x): no connection to the host came free within 0.1 s, of 1 allowed")
    assert VARIABLE in error.advice
    assert (error.phase, error.model, error.status, error.__cause__) == ("connect", "gpt-x", None, None)
    assert host.bodies == ["first", "third"]


@pytest.mark.parametrize("method", ["send", "open"])
async def test_total_timeout_while_waiting_names_limit_setting(carrier: CarrierName, method: str) -> None:
    """On a busy machine, the time for a connection and the total timeout can end in the same turn of the loop."""
    clock = FakeClock()
    async with serving() as host, limited_to(1, carrier, clock) as transport:
        first = asyncio.create_task(transport.send(asking(host, "first"), None))
        await host.hears(1)
        second = asyncio.create_task(getattr(transport, method)(asking(host, "second"), 8.0))
        await some_turns()
        clock.advance(8.0)
        with pytest.raises(LimitReachedError, match="came free within 4 s, of 1 allowed"):
            await second
        host.go_on()
        await first
    assert host.bodies == ["first"]


async def test_cancelled_waiting_request_passes_connection_on(carrier: CarrierName) -> None:
    async with serving() as host, limited_to(1, carrier) as transport:
        calls = [sending(transport, host, "first")]
        await host.hears(1)
        calls += [sending(transport, host, body) for body in ("given up", "last")]
        await some_turns()
        calls[1].cancel()
        host.go_on(2)
        assert (await calls[2]).body == b"lastlast"
        assert calls[1].cancelled()
        assert host.bodies == ["first", "last"]
        await assert_no_connection_counted(transport)


class Nothing:
    """A carrier and a reply without a body, in one class."""

    status = 200
    headers = Headers()

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> "Nothing":
        return self

    async def read(self) -> bytes:
        return b""

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("end", ["read", "aclose"])
async def test_request_cancelled_at_grant_passes_connection_on(end: str) -> None:
    limited, host = LimitedCarrier(Nothing(), 1, SystemClock()), Host()
    first = await limited.open(asking(host, "first"), 5.0, Progress())
    calls = [asyncio.create_task(limited.open(asking(host, "x"), 5.0, Progress())) for _ in range(3)]
    await some_turns()
    await getattr(first, end)()  # grants the connection to the first task, which has not run yet
    calls[0].cancel()
    second = await calls[1]
    assert calls[0].cancelled()
    assert not calls[2].done()
    await second.aclose()
    await (await calls[2]).aclose()
    assert limited._hosts == {}


async def assert_no_connection_counted(transport: HTTPTransport) -> None:
    await some_turns()
    held: Any = transport._carriers.get_existing()
    assert held.carrier._hosts == {}


@pytest.mark.parametrize("ends", ["cancelled", "timed out", "closed early"])
async def test_aborted_exchange_frees_counted_connection(carrier: CarrierName, ends: str) -> None:
    clock = FakeClock()
    async with serving() as host, limited_to(1, carrier, clock) as transport:
        if ends == "closed early":
            stream = await transport.open(asking(host, "first"), 15.0)
            await stream.aclose()
            await stream.aclose()
        else:
            first = sending(transport, host, "first")
            await host.hears(1)
            if ends == "cancelled":
                first.cancel()
            else:
                clock.advance(15.0)
            await asyncio.gather(first, return_exceptions=True)
        host.go_on(3)  # one of the three is for the aborted request
        calls = [sending(transport, host, body) for body in ("second", "third")]
        await asyncio.gather(*calls)
        assert host.bodies == ["first", "second", "third"]
        assert host.most_open <= 2  # the server may see the end of the first connection after the start of the second
        await assert_no_connection_counted(transport)


async def test_open_stream_counts_against_limit(carrier: CarrierName) -> None:
    async with serving() as host, limited_to(1, carrier) as transport:
        stream = await transport.open(asking(host, "stream"), 15.0)
        assert await stream.read() == b"stream"
        with pytest.raises(LimitReachedError):
            await transport.send(asking(host, "too early"), 0.1)
        host.go_on(2)
        assert await stream.read() == b"stream"
        assert await stream.read() == b""
        # The stream is read to its end but not closed: the connection is free, and the next request reuses it.
        assert (await transport.send(asking(host, "after"), 15.0)).status == 200
        await stream.aclose()
    assert (host.bodies, host.connections) == (["stream", "after"], 1)


async def test_connection_limit_is_separate_per_host(carrier: CarrierName) -> None:
    async with serving() as slow, serving() as fast, limited_to(1, carrier) as transport:
        calls = [sending(transport, slow, str(number)) for number in range(5)]
        await slow.hears(1)
        fast.go_on(3)
        for _ in range(3):
            assert (await transport.send(asking(fast, "other"), 20.0)).status == 200
        slow.go_on(5)
        await asyncio.gather(*calls)
        await assert_no_connection_counted(transport)


async def test_refused_connection_frees_counted_connection(carrier: CarrierName) -> None:
    async with limited_to(1, carrier) as transport:
        closed = Host()
        for closed.url in ("http://127.0.0.1:9", "http://127.0.0.1:9", "http://[::1", "http://[::1"):
            with pytest.raises(LLMError) as caught:
                await transport.send(asking(closed, "x"), 1.0)
            assert not isinstance(caught.value, LimitReachedError)


def test_connection_limit_is_separate_per_loop(carrier: CarrierName) -> None:
    network = NetworkSettings(connections_per_host=1)
    transport = HTTPTransport(SystemClock(), network=network, carrier=carrier)

    async def send_twice() -> None:
        async with serving() as host:
            host.go_on(2)
            await asyncio.gather(*(transport.send(asking(host, "x"), 20.0) for _ in range(2)))

    for _ in range(2):
        asyncio.run(send_twice())


async def test_concurrent_event_loops_have_separate_limits() -> None:
    """Loops may share one carrier if the passed-in client is not bound to a loop."""
    limited, host = LimitedCarrier(Nothing(), 1, SystemClock()), Host()

    async def ask() -> list[bytes]:
        first, second = [asyncio.create_task(limited.open(asking(host, "x"), 5.0, Progress())) for _ in range(2)]
        await some_turns()
        assert (first.done(), second.done()) == (True, False)
        return [await (await reply).read() for reply in (first, second)]

    held = await limited.open(asking(host, "x"), 5.0, Progress())
    waiting = asyncio.create_task(limited.open(asking(host, "x"), 5.0, Progress()))
    await some_turns()
    assert await asyncio.to_thread(asyncio.run, ask()) == [b"", b""]
    assert not waiting.done()
    await held.aclose()
    await (await waiting).aclose()


def test_connection_limit_applies_to_passed_client() -> None:
    at_once: list[int] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        at_once.append(1)
        await asyncio.sleep(0)
        response = httpx.Response(200, content=b"%d" % len(at_once))
        at_once.pop()
        return response

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    transport = HTTPTransport(SystemClock(), client=client, network=NetworkSettings(connections_per_host=2))
    host = Host()
    host.url = "http://vendor.invalid/v1"

    async def send_six() -> list[bytes]:
        replies = await asyncio.gather(*(transport.send(asking(host, "x"), 20.0) for _ in range(6)))
        return [reply.body for reply in replies]

    for _ in range(2):
        assert set(asyncio.run(send_six())) <= {b"1", b"2"}
    asyncio.run(client.aclose())


# --- from environment variables to the response ----------------------------------------------------------------------

ANSWER = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"pong"},"finish_reason":"stop"}]}'


class GatedVendor:
    """A chat server that answers every request once `can_answer` is set."""

    def __init__(self) -> None:
        self.requests = 0
        self.request_received = asyncio.Event()
        self.can_answer = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
            self.requests += 1
            self.request_received.set()
            await self.can_answer.wait()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(ANSWER), ANSWER)
            )


class ClockWithoutPermitWait(SystemClock):
    """A clock that ends each wait for a connection permit at once, until `vendor` may answer.

    Every other step is in real time and keeps the whole request timeout.
    """

    REQUEST_TIMEOUT = 15.0

    def __init__(self, vendor: GatedVendor) -> None:
        self._vendor = vendor

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """Return a context that raises `TimeoutError` after `seconds`."""
        is_permit = seconds is not None and seconds <= connect_seconds(self.REQUEST_TIMEOUT)
        return super().timeout(0.0 if is_permit and not self._vendor.can_answer.is_set() else seconds)


async def test_limit_error_falls_back_without_breaker_failure(carrier: CarrierName) -> None:
    busy, available = GatedVendor(), GatedVendor()
    available.can_answer.set()
    async with asyncio.timeout(20), listen(busy) as busy_port, listen(available) as available_port:
        env = {
            "GROQ_API_KEY": "k",
            "GROQ_API_BASE": f"http://127.0.0.1:{busy_port}",
            "MISTRAL_API_KEY": "k",
            "MISTRAL_API_BASE": f"http://127.0.0.1:{available_port}",
            "CHAT_PROVIDER": "groq",
            "LLM_FALLBACK_CHAIN": "mistral",
            "LLM_REQUEST_TIMEOUT": str(ClockWithoutPermitWait.REQUEST_TIMEOUT),
            "LLM_BREAKER_MIN_CALLS": "1",
            "LLM_HTTP_CARRIER": carrier,
            VARIABLE: "1",
        }
        async with open_container(env, clock=ClockWithoutPermitWait(busy)) as container:
            sent = WireRequest(ORIGIN, f"http://127.0.0.1:{busy_port}/v1", Headers(), b"{}")
            held_request = asyncio.create_task(container.transport().send(sent, 15.0))
            await busy.request_received.wait()
            for _ in range(3):
                response = await container.llm().generate("ping")
                outcomes = [attempt.outcome for attempt in response.attempts]
                assert (response.provider, outcomes) == ("mistral", ["LimitReachedError", "answered"])
            groq = (await container.health()).providers["groq"]
            assert (groq.breaker, groq.last_error) == ("closed", "")
            busy.can_answer.set()
            await held_request
            assert (await container.llm().generate("ping")).provider == "groq"
    assert busy.requests == 2


@asynccontextmanager
async def busy_host(
    vendor: GatedVendor, observer: Observer = lambda event: None, **variables: str
) -> AsyncIterator[tuple[Container, str]]:
    """Yield a container and the URL of its vendors; a request holds the only connection until the vendor can answer."""
    async with asyncio.timeout(20), listen(vendor) as port:
        env = {
            "GROQ_API_KEY": "k",
            "GROQ_API_BASE": f"http://127.0.0.1:{port}",
            "OPENAI_API_KEY": "k",
            "OPENAI_API_BASE": f"http://127.0.0.1:{port}",
            "SMALL_API_KEY": "k",
            "SMALL_API_BASE": f"http://127.0.0.1:{port}",
            "LLM_REQUEST_TIMEOUT": str(ClockWithoutPermitWait.REQUEST_TIMEOUT),
            VARIABLE: "1",
        }
        async with open_container(
            env | variables, observer=observer, clock=ClockWithoutPermitWait(vendor)
        ) as container:
            sent = WireRequest(ORIGIN, f"http://127.0.0.1:{port}/v1", Headers(), b"{}")
            held_request = asyncio.create_task(container.transport().send(sent, 15.0))
            await vendor.request_received.wait()
            try:
                yield container, sent.url
            finally:
                vendor.can_answer.set()
                await held_request


async def test_provider_at_limit_is_tried_again_last() -> None:
    vendor = GatedVendor()
    down = {"MISTRAL_API_KEY": "k", "MISTRAL_API_BASE": "http://127.0.0.1:9", "LLM_FALLBACK_CHAIN": "mistral"}

    def release_host(event: object) -> None:
        if isinstance(event, AttemptEnded) and event.attempt.provider == "mistral":
            vendor.can_answer.set()

    async with busy_host(vendor, release_host, CHAT_PROVIDER="groq", LLM_MAX_RETRIES="0", **down) as (container, _):
        response = await container.llm().generate("ping")
    assert [attempt.outcome for attempt in response.attempts] == [
        "LimitReachedError",
        "ProviderUnavailableError",
        "answered",
    ]


ROW = """
[providers.small]
api_key_var = "SMALL_API_KEY"
model_var = "SMALL_MODEL"
base_url_var = "SMALL_API_BASE"
default_base_url = "https://small.example/v1"
default_model = "m"
provider_class = "OpenAIProvider"
max_retries = 0
timeout = 30
confidence_score = 0.9
requests_per_minute = 3
"""


async def test_unsent_request_uses_no_rate_limit(tmp_path: Path) -> None:
    rows = tmp_path / "rows.toml"
    rows.write_text(ROW)
    vendor = GatedVendor()
    async with busy_host(vendor, LLM_PROVIDERS_FILE=str(rows), CHAT_PROVIDER="small") as (container, _):
        for _ in range(4):
            with pytest.raises(LimitReachedError, match="no connection to the host"):
                await container.llm(provider="small").generate("ping")
        limits = (await container.health()).providers["small"].limits
    assert limits is not None
    assert limits.requests == 3


async def test_image_fetch_at_limit_raises_limit_error() -> None:
    vendor = GatedVendor()
    async with busy_host(vendor) as (container, address):
        openai = container.registry().get_provider("openai")
        image = Image.from_url(f"{address}/a.png", fetch=True)
        with pytest.raises(LimitReachedError):
            await openai.generate([Message.user("what is it?", image)])


# --- keep-alive ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep_alive", "connections"), [(0.02, 3), (30.0, 1)])
async def test_keep_alive_setting_bounds_connection_reuse(
    carrier: CarrierName, keep_alive: float, connections: int
) -> None:
    async with serving() as host, limited_to(None, carrier, keep_alive=keep_alive) as transport:
        host.go_on(3)
        for _ in range(3):
            await transport.send(asking(host, "x"), 20.0)
            await asyncio.sleep(0.05)
    assert host.connections == connections


def test_environment_variables_set_connection_limits() -> None:
    env = {VARIABLE: "3", "LLM_HTTP_KEEP_ALIVE": "7.5"}
    network = network_settings(load_settings(read_environment(env)))
    assert (network.connections_per_host, network.keep_alive) == (3, 7.5)
    assert network_settings(Settings()) == NetworkSettings(connections_per_host=None, keep_alive=30.0)
