"""The transport over real sockets: every server failure is one typed error, and no connection leaks."""

import asyncio
import gzip
import importlib
import inspect
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest
import trustme

from faultmaven.domain.errors import (
    ConfigurationError,
    LLMError,
    MalformedResponseError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.configuration.settings import CarrierName, Settings
from faultmaven.infrastructure.http.network import NetworkSettings, ProxySettings
from faultmaven.infrastructure.http.transport import HTTPTransport, build_transport
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import listen

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def request(url: str, body: bytes = b'{"prompt":"secret words"}') -> WireRequest:
    origin = Origin("openai", "openai-chat", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_API_BASE")
    return WireRequest(origin, url, Headers({"authorization": "Bearer sk-secret-key"}), body, model="gpt-6.2-sol")


class UnderTest:
    """The carrier under test. Every test of this file runs over each carrier."""

    carrier: CarrierName = "auto"


@pytest.fixture(autouse=True)
def carrier_under_test(carrier: CarrierName) -> None:
    UnderTest.carrier = carrier


def new_transport(clock: Clock | None = None, **options: Any) -> HTTPTransport:
    """Return a transport over the carrier under test."""
    return HTTPTransport(clock or SystemClock(), carrier=UnderTest.carrier, **options)


@asynccontextmanager
async def server(
    answer: bytes | Handler, tls: ssl.SSLContext | None = None, *, wait_for_head: bool = True
) -> AsyncIterator[str]:
    """Serve one fixed answer, or a handler, on a free loopback port; yield the address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if wait_for_head:
            await reader.readuntil(b"\r\n\r\n")
        if callable(answer):
            await answer(reader, writer)
        else:
            writer.write(answer)
            await writer.drain()

    async with listen(handle, tls) as port:
        yield f"{'https' if tls else 'http'}://localhost:{port}"


async def send(url: str, timeout: float = 5.0, **options: Any) -> WireReply:
    transport = new_transport(**options)
    try:
        return await transport.send(request(url), timeout)
    finally:
        await transport.aclose()


async def failure(url: str, timeout: float = 5.0, **options: Any) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await send(url, timeout, **options)
    error = caught.value
    assert (error.provider, error.model) == ("openai", "gpt-6.2-sol")
    return error


def wall_clock_that_sets(head_arrived: asyncio.Event) -> Callable[[], float]:
    """Return a wall clock that sets an event. The transport reads the wall clock when the reply's head has arrived."""

    def read() -> float:
        head_arrived.set()
        return 0.0

    return read


async def test_reply_has_status_headers_and_body() -> None:
    async with server(b"HTTP/1.1 418 Teapot\r\nX-Request-Id: r1\r\ncontent-length: 5\r\n\r\nhello") as url:
        reply = await send(url)
    assert (reply.status, reply.headers["x-request-id"], reply.body) == (418, "r1", b"hello")
    assert reply.time_to_headers > 0


async def test_reply_records_receive_time() -> None:
    async with server(OK) as url:
        assert (await send(url, wall_clock=lambda: 1795471200.0)).received_at == 1795471200.0
        assert abs((await send(url)).received_at - time.time()) < 60


async def test_compressed_reply_is_decompressed() -> None:
    packed = gzip.compress(b'{"a":1}')
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with server(head + packed) as url:
        assert (await send(url)).body == b'{"a":1}'


async def test_refused_connection_error_names_base_url_variable() -> None:
    error = await failure("http://127.0.0.1:9")
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "connect"
    assert "refused" in str(error)
    assert "OPENAI_API_BASE" in str(error)


async def test_unknown_host_is_a_dns_failure() -> None:
    error = await failure("http://no-such-host.invalid")
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "dns"


async def test_untrusted_certificate_error_names_certificate_setting() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with server(OK, tls) as url:
        error = await failure(url)
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "tls"
    assert "SSL_CERT_FILE" in str(error)


async def test_certificate_setting_trusts_private_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    async with server(OK, tls) as url:
        assert (await send(url, network=NetworkSettings(str(path)))).status == 200


async def test_invalid_certificate_file_is_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.pem"
    path.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await send("https://127.0.0.1:9", network=NetworkSettings(str(path)))


async def test_plain_http_on_https_is_tls_failure() -> None:
    async def reply_immediately(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await reader.read(1000)

    async with server(reply_immediately, wait_for_head=False) as url:
        error = await failure(url.replace("http://", "https://"))
    assert error.phase == "tls"
    assert "http:// in the base URL" in str(error)


async def test_silent_server_times_out_before_first_byte() -> None:
    clock, arrived = FakeClock(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with server(hang) as url:
        call = asyncio.create_task(failure(url, timeout=60.0, clock=clock))
        await arrived.wait()
        clock.advance(60.0)
        error = await call
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "first byte"
    assert "LLM_REQUEST_TIMEOUT" in str(error)


async def test_total_timeout_ends_trickling_body() -> None:
    clock, head_arrived = FakeClock(), asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        await head_arrived.wait()
        while True:
            writer.write(b" ")
            await writer.drain()
            clock.advance(1.0)
            await asyncio.sleep(0)

    async with server(trickle) as url:
        error = await failure(url, timeout=60.0, clock=clock, wall_clock=wall_clock_that_sets(head_arrived))
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "body"


async def test_connect_timeout_is_half_of_attempt_timeout(library: Any) -> None:
    def time_out(request: object) -> None:
        raise library.ConnectTimeout("no answer to our SYN")

    async with library.AsyncClient(transport=library.MockTransport(time_out)) as client:
        error = await failure("http://localhost", timeout=8.0, client=client)
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "connect"
    assert "within 4 s" in str(error)  # half of the attempt timeout


async def test_error_distinguishes_missing_from_partial_reply() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with server(close) as url:
        assert "before the reply began" in str(await failure(url))
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{") as url:
        assert "in the middle of the reply" in str(await failure(url))


async def test_non_http_reply_is_a_typed_error() -> None:
    async with server(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as url:
        assert isinstance(await failure(url), ProviderUnavailableError | MalformedResponseError)


async def test_invalid_encoding_is_malformed_response() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain") as url:
        assert isinstance(await failure(url), MalformedResponseError)


async def test_oversized_reply_is_not_read_fully() -> None:
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()
            written += 65536

    async with server(flood) as url:
        error = await failure(url, max_reply_bytes=100_000)
    assert isinstance(error, MalformedResponseError)
    assert "larger than 100000 bytes" in str(error)
    assert written < 50_000_000


async def test_redirect_is_returned_not_followed() -> None:
    async with server(
        b"HTTP/1.1 302 Found\r\nlocation: http://no-such-host.invalid/\r\ncontent-length: 0\r\n\r\n"
    ) as url:
        assert (await send(url)).status == 302


@pytest.mark.parametrize("url", ["ftp://localhost", ""])
async def test_invalid_url_is_configuration_error(url: str) -> None:
    assert isinstance(await failure(url), ConfigurationError)


async def test_invalid_port_is_a_typed_error() -> None:
    # With httpx the operating system refuses the port; aiohttp refuses the URL, because yarl validates the port.
    expected = ConfigurationError if UnderTest.carrier == "aiohttp" else ProviderUnavailableError
    assert isinstance(await failure("http://127.0.0.1:99999"), expected)


def exception_classes(package: ModuleType) -> list[type[Exception]]:
    classes = [value for value in vars(package).values() if inspect.isclass(value) and issubclass(value, Exception)]
    return sorted((kind for kind in classes if not issubclass(kind, Warning)), key=lambda kind: kind.__name__)


def build_exception(kind: Any, library: Any, request: object) -> Exception:
    if kind is library.HTTPStatusError:
        error: Exception = kind("x", request=request, response=library.Response(500))
    elif kind in (library.StreamConsumed, library.StreamClosed, library.ResponseNotRead, library.RequestNotRead):
        error = kind()
    else:
        error = kind("x")
    return error


async def test_every_httpx_exception_becomes_llm_error(library: Any) -> None:
    def fail(request: object) -> None:
        raise build_exception(kind, library, request)

    for kind in exception_classes(library):
        async with library.AsyncClient(transport=library.MockTransport(fail)) as client:
            error = await failure("http://localhost", client=client)
        assert type(error) is not LLMError, kind
        assert isinstance(error.__cause__, kind) or isinstance(error, ProviderTimeoutError)


async def test_error_cause_has_no_traceback_frames() -> None:
    error = await failure("http://127.0.0.1:9")
    cause: BaseException | None = error.__cause__
    kinds = {"aiohttp": aiohttp.ClientConnectorError}
    assert isinstance(cause, kinds.get(UnderTest.carrier) or importlib.import_module(UnderTest.carrier).ConnectError)
    while cause is not None:
        assert cause.__traceback__ is None
        cause = cause.__cause__ or cause.__context__


async def test_sequential_calls_reuse_one_connection() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readexactly(len(request("").body))
            writer.write(OK)
            await reader.readuntil(b"\r\n\r\n")

    transport = new_transport()
    async with server(count) as url:
        for _ in range(5):
            await transport.send(request(url), 20.0)
        await transport.aclose()
    assert connections == 1


def test_transport_works_in_several_event_loops() -> None:
    transport = new_transport()

    async def once() -> int:
        async with server(OK) as url:
            return (await transport.send(request(url), 20.0)).status

    assert [asyncio.run(once()) for _ in range(3)] == [200, 200, 200]
    assert transport._carriers._values == {}


# --- cancellation ----------------------------------------------------------------------------------------------------


class ConnectionCounter:
    """A handler that counts the open connections, and calls `answer` for each connection once a request has arrived."""

    def __init__(self, answer: Handler) -> None:
        self.open = 0
        self.arrived = asyncio.Event()
        self.all_closed = asyncio.Event()
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.all_closed.clear()
        try:
            await self._answer(reader, writer)
            self.arrived.set()
            while await reader.read(65536):
                pass
        finally:
            self.open -= 1
            if not self.open:
                self.all_closed.set()


async def send_no_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send no reply to the request."""


async def start_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    await writer.drain()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the request whose head was read, and all later requests."""
    try:
        while True:
            await reader.readexactly(len(request("").body))
            writer.write(OK)
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        pass


async def run_loop(iterations: int) -> None:
    for _ in range(iterations):
        await asyncio.sleep(0)


class Pool:
    """The connection pool of a transport in this event loop, with any carrier."""

    def __init__(self, transport: HTTPTransport) -> None:
        held = transport._carriers.get_existing()
        assert held is not None
        self.carrier: Any = held.carrier
        self.is_httpx = UnderTest.carrier != "aiohttp"

    @property
    def pool(self) -> Any:
        return self.carrier.client._transport._pool

    @property
    def connections(self) -> list[Any]:
        """Connections that are not closed."""
        if self.is_httpx:
            return list(self.pool.connections)
        return [connection for connection in self.carrier._connections if connection.transport is not None]

    @property
    def busy(self) -> list[Any]:
        """Connections with a request, and requests that wait for a connection."""
        if self.is_httpx:
            return [*(connection for connection in self.connections if not connection.is_idle()), *self.pool._requests]
        return list(self.carrier._connector._acquired)

    async def close_connections(self) -> None:
        if self.is_httpx:
            await self.pool.aclose()
        for connection in self.connections:
            connection.close()

    def expire_all(self) -> None:
        if self.is_httpx:
            for connection in self.connections:
                connection._connection._expire_at = 0.0
            return
        for idle in self.carrier._connector._conns.values():
            idle.extend([(connection, 0.0) for connection, _ in (idle.popleft() for _ in range(len(idle)))])


async def cancel(call: asyncio.Task[WireReply], *pauses: int) -> None:
    """Cancel `call`, and cancel again after each number of loop iterations in `pauses`."""
    call.cancel()
    for pause in pauses:
        await run_loop(pause)
        call.cancel()
    await asyncio.wait({call})


async def read_client_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the first bytes of a TLS handshake, and send no reply."""
    await reader.read(10)


CANCEL_PHASES = {"handshake": read_client_hello, "headers": send_no_reply, "body": start_body}


@pytest.mark.parametrize("pauses", [(), (0,), (1,), (2,), (3,), (1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("phase", CANCEL_PHASES)
async def test_cancellation_closes_connection_and_empties_pool(phase: str, pauses: tuple[int, ...]) -> None:
    head_arrived, counter = asyncio.Event(), ConnectionCounter(CANCEL_PHASES[phase])
    transport = new_transport(wall_clock=wall_clock_that_sets(head_arrived))
    async with server(counter, wait_for_head=phase != "handshake") as address:
        url = address.replace("http://", "https://") if phase == "handshake" else address
        call = asyncio.create_task(transport.send(request(url), 30.0))
        await counter.arrived.wait()
        if phase == "body":
            await head_arrived.wait()
        await cancel(call, *pauses)
        assert call.cancelled()
        assert Pool(transport).connections == []
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        await transport.aclose()


async def test_server_sees_cancellation_at_once() -> None:
    counter, transport = ConnectionCounter(send_no_reply), new_transport()
    seconds = []
    async with server(counter) as url:
        for _ in range(20):
            counter.arrived.clear()
            call = asyncio.create_task(transport.send(request(url), 30.0))
            await counter.arrived.wait()
            started = asyncio.get_running_loop().time()
            call.cancel()
            await counter.all_closed.wait()
            seconds.append(asyncio.get_running_loop().time() - started)
            await asyncio.wait({call})
        await transport.aclose()
    assert min(seconds) < 1.0, seconds  # the best of twenty, because the machine may be busy


async def test_simultaneous_timeout_and_cancellation_close_connection() -> None:
    clock, hosts_timeout = FakeClock(), asyncio.timeout(None)
    counter, transport = ConnectionCounter(send_no_reply), new_transport(clock)

    async def call(url: str) -> None:
        async with hosts_timeout:
            await transport.send(request(url), 60.0)

    async with server(counter) as url:
        task = asyncio.create_task(call(url))
        await counter.arrived.wait()
        clock.advance(60.0)
        hosts_timeout.reschedule(asyncio.get_running_loop().time())
        with pytest.raises((TimeoutError, ProviderTimeoutError)):
            await task
        assert Pool(transport).connections == []
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        await transport.aclose()


@pytest.mark.parametrize("is_reused", [False, True], ids=["new connection", "reused connection"])
async def test_call_can_be_cancelled_at_any_step(is_reused: bool) -> None:
    transport, counter = new_transport(), ConnectionCounter(answer_all)
    outcomes = set()
    async with server(counter) as url:
        for iterations in range(60):
            for pauses in ((), (0,), (1,), (2,), (1, 1)):
                await transport.send(request(url), 20.0)
                if not is_reused:
                    await Pool(transport).close_connections()
                call = asyncio.create_task(transport.send(request(url), 20.0))
                await run_loop(iterations)
                await cancel(call, *pauses)
                outcomes.add(call.cancelled())
                assert Pool(transport).busy == []
        assert (await transport.send(request(url), 20.0)).status == 200
        await transport.aclose()
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
    assert True in outcomes


async def test_cancellation_during_expiry_leaks_no_connection() -> None:
    counter, transport = ConnectionCounter(answer_all), new_transport()
    async with server(counter) as url:
        for iterations in range(12):
            await asyncio.gather(*(transport.send(request(url), 20.0) for _ in range(8)))
            Pool(transport).expire_all()
            call = asyncio.create_task(transport.send(request(url), 20.0))
            await run_loop(iterations)
            await cancel(call)
            await transport.aclose()
            await asyncio.wait_for(counter.all_closed.wait(), 20.0)


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "target without TLS"])
async def test_failed_tunnel_handshake_leaves_empty_pool(cancelled: bool) -> None:
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(10)
        if not cancelled:
            writer.write(b"no TLS at all")

    counter = ConnectionCounter(tunnel)
    async with server(counter) as proxy:
        transport = new_transport(network=NetworkSettings(proxies=ProxySettings(https=proxy)))
        call = asyncio.create_task(transport.send(request("https://vendor.invalid/v1"), 30.0))
        await counter.arrived.wait()
        if cancelled:
            await cancel(call, 1)
        await asyncio.wait({call})
        assert call.cancelled() or isinstance(call.exception(), ProviderUnavailableError)
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        pool = Pool(transport)
        if pool.is_httpx:
            pools = [mount._pool for mount in pool.carrier.client._mounts.values() if mount is not None]
            assert [pool.connections for pool in pools] == [[]]
        else:
            assert pool.busy == []
        await transport.aclose()


async def test_calls_succeed_after_200_cancelled_calls() -> None:
    arrived, may_answer, transport = asyncio.Semaphore(0), asyncio.Event(), new_transport()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        if may_answer.is_set():
            await answer_all(reader, writer)

    counter = ConnectionCounter(hold)
    async with server(counter) as url:
        calls: list[asyncio.Task[WireReply]] = []
        for _ in range(4):  # a busy machine needs the 10 s for connecting to open 200 connections at once
            calls += [asyncio.create_task(transport.send(request(url), 30.0)) for _ in range(50)]
            for _ in range(50):
                await asyncio.wait_for(arrived.acquire(), 20.0)
        assert counter.open == 200
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert all(call.cancelled() for call in calls)
        assert (Pool(transport).connections, Pool(transport).busy) == ([], [])
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        may_answer.set()
        for _ in range(4):
            replies = await asyncio.gather(*(transport.send(request(url), 30.0) for _ in range(50)))
            assert {reply.status for reply in replies} == {200}
        await transport.aclose()


# --- retirement ------------------------------------------------------------------------------------------------------


async def test_idle_retired_transport_closes() -> None:
    counter, transport = ConnectionCounter(answer_all), new_transport()
    async with server(counter) as url:
        await transport.send(request(url), 20.0)
        assert (transport.is_open, counter.open) == (True, 1)
        await asyncio.to_thread(transport.retire)
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        async with asyncio.timeout(20):
            while transport.is_open:  # noqa: ASYNC110 - the task that closed the connection ends a little later
                await asyncio.sleep(0)
        assert not transport.is_open


async def test_retired_transport_still_serves_calls() -> None:
    may_answer, all_arrived = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if counter.open == 3:
            all_arrived.set()
        await may_answer.wait()
        await answer_all(reader, writer)

    counter, transport = ConnectionCounter(wait), new_transport()
    async with server(counter) as url:
        calls = [asyncio.create_task(transport.send(request(url), 20.0)) for _ in range(3)]
        await all_arrived.wait()
        transport.retire()
        await run_loop(5)
        assert transport.is_open
        may_answer.set()
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200, 200, 200]
        assert (await transport.send(request(url), 20.0)).status == 200  # as for a retry or a fallback
        await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        await transport.aclose()
        assert not transport.is_open


def test_retire_reaches_loops_of_other_threads() -> None:
    transport = new_transport()
    answered, disconnected = threading.Event(), threading.Event()

    async def serve_and_wait() -> None:
        counter = ConnectionCounter(answer_all)
        async with server(counter) as url:
            await transport.send(request(url), 20.0)
            answered.set()
            await asyncio.wait_for(counter.all_closed.wait(), 20.0)
        disconnected.set()

    closed_loop = asyncio.new_event_loop()
    closed_loop.run_until_complete(transport._carriers.get())
    closed_loop.run_until_complete(closed_loop.shutdown_asyncgens())
    closed_loop.close()
    thread = threading.Thread(target=asyncio.run, args=(serve_and_wait(),))
    thread.start()
    assert answered.wait(20)
    transport.retire()
    assert disconnected.wait(20)
    thread.join(20)
    assert not transport.is_open


async def test_next_transport_uses_replaced_certificate_file(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    other.cert_pem.write_to_path(str(path))
    async with server(OK, tls) as url:
        assert (await failure(url, network=NetworkSettings(str(path)))).phase == "tls"
        authority.cert_pem.write_to_path(str(tmp_path / "new.pem"))
        (tmp_path / "new.pem").replace(path)
        assert (await send(url, network=NetworkSettings(str(path)))).status == 200


async def test_new_loops_ignore_later_certificate_damage(tmp_path: Path) -> None:
    path, authority = tmp_path / "authority.pem", trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(str(path))
    transport = build_transport(SystemClock(), None, Settings(ssl_cert_file=str(path)))
    path.write_text("not a certificate")
    async with server(OK, tls) as url:
        for _ in range(2):
            reply = await asyncio.to_thread(lambda: asyncio.run(transport.send(request(url), 20.0)))
            assert reply.status == 200


async def test_host_client_is_used_and_stays_open(library: Any) -> None:
    async with library.AsyncClient(transport=library.MockTransport(lambda _: library.Response(204))) as client:
        assert (await send("http://localhost", client=client)).status == 204
        assert not client.is_closed


def test_proxies_follow_scheme_and_bypass_list() -> None:
    proxies = ProxySettings(http="proxy:3128", https="http://secure:3128", bypass=("example.com", "10.0.0.1"))
    mounts = proxies.mounts()
    assert mounts["http://"] == "http://proxy:3128"
    assert mounts["https://"] == "http://secure:3128"
    for direct in ("all://localhost", "all://127.0.0.1", "all://example.com", "all://*.example.com", "all://10.0.0.1"):
        assert mounts[direct] == ""


def test_missing_or_bypassed_proxy_connects_directly() -> None:
    assert ProxySettings().mounts() == {}
    assert ProxySettings(https="proxy:1", bypass=("*",)).mounts() == {}


async def test_request_uses_proxy_of_scheme() -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(b"asked")
        writer.write(OK)
        await writer.drain()

    async with server(proxy) as address:
        network = NetworkSettings(proxies=ProxySettings(http=address))
        assert (await send("http://vendor.invalid/v1", network=network)).status == 200
    assert seen == [b"asked"]


@pytest.mark.parametrize("entry", ["::1", "[::1]", "fe80::1"])
def test_proxy_bypass_accepts_ipv6_address(entry: str) -> None:
    mounts = ProxySettings(https="proxy:3128", bypass=(entry,)).mounts()
    assert f"all://[{entry.strip('[]')}]" in mounts
    httpx.AsyncClient(mounts=dict.fromkeys(mounts))  # httpx accepts every pattern


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"])
def test_unsupported_proxy_type_error_names_variable(variable: str) -> None:
    from faultmaven import create_container

    with pytest.raises(ConfigurationError, match=variable):
        create_container({variable: "socks5://proxy:1080"})


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("https://vendor.invalid/v1", "HTTPS_PROXY"),
        ("http://vendor.invalid/v1", "ALL_PROXY"),
        ("http://localhost:8000", ""),
        ("https://api.example.com/v1", ""),
        ("http://[::1]:8000", ""),
    ],
)
def test_proxy_variable_is_found_by_url(url: str, variable: str) -> None:
    proxies = ProxySettings(https="proxy:1", all="other:1", bypass=("example.com",))
    assert proxies.variable_for(url) == variable


async def test_refused_proxy_error_names_proxy_variable() -> None:
    error = await failure("http://vendor.invalid", network=NetworkSettings(proxies=ProxySettings(http="127.0.0.1:9")))
    assert "the proxy cannot be reached: the connection was refused" in str(error)
    assert "HTTP_PROXY" in str(error)
    assert "OPENAI_API_BASE" not in str(error)
