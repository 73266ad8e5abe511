"""The transport over real sockets: every way a server can fail is one typed error, and nothing stays open."""

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
from faultmaven.infrastructure.http.network import NetworkSettings, ProxySettings
from faultmaven.infrastructure.http.transport import HTTPTransport, build_transport
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.infrastructure.settings import CarrierName, Settings
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import listen

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def request(url: str, body: bytes = b'{"prompt":"secret words"}') -> WireRequest:
    origin = Origin("openai", "openai-chat", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_API_BASE")
    return WireRequest(origin, url, Headers({"authorization": "Bearer sk-secret-key"}), body, model="gpt-6.2-sol")


class Under:
    """The carrier that a test tries: every test of this file runs over each."""

    test: CarrierName = "auto"


@pytest.fixture(autouse=True)
def under_test(carrier: CarrierName) -> None:
    Under.test = carrier


def made(clock: Clock | None = None, **options: Any) -> HTTPTransport:
    """Return a transport over the carrier that is tried."""
    return HTTPTransport(clock or SystemClock(), carrier=Under.test, **options)


@asynccontextmanager
async def server(
    answer: bytes | Handler, tls: ssl.SSLContext | None = None, *, wait_for_head: bool = True
) -> AsyncIterator[str]:
    """Serve one fixed answer, or a handler, on a free loopback port; gives the address."""

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
    transport = made(**options)
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


def sets(head_came: asyncio.Event) -> Callable[[], float]:
    """Return a wall clock that sets an event: a transport reads its wall clock when the head of a reply is there."""

    def read() -> float:
        head_came.set()
        return 0.0

    return read


async def test_a_reply_comes_back_with_its_status_headers_and_body() -> None:
    async with server(b"HTTP/1.1 418 Teapot\r\nX-Request-Id: r1\r\ncontent-length: 5\r\n\r\nhello") as url:
        reply = await send(url)
    assert (reply.status, reply.headers["x-request-id"], reply.body) == (418, "r1", b"hello")
    assert reply.time_to_headers > 0


async def test_a_reply_says_when_it_came() -> None:
    async with server(OK) as url:
        assert (await send(url, wall_clock=lambda: 1795471200.0)).received_at == 1795471200.0
        assert abs((await send(url)).received_at - time.time()) < 60


async def test_a_compressed_reply_is_unpacked() -> None:
    packed = gzip.compress(b'{"a":1}')
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with server(head + packed) as url:
        assert (await send(url)).body == b'{"a":1}'


async def test_a_refused_connection_names_the_base_url_variable() -> None:
    error = await failure("http://127.0.0.1:9")
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "connect"
    assert "refused" in str(error)
    assert "OPENAI_API_BASE" in str(error)


async def test_an_unknown_host_is_said_to_be_unresolvable() -> None:
    error = await failure("http://no-such-host.invalid")
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "dns"


async def test_an_untrusted_certificate_names_the_certificate_setting() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with server(OK, tls) as url:
        error = await failure(url)
    assert isinstance(error, ProviderUnavailableError)
    assert error.phase == "tls"
    assert "SSL_CERT_FILE" in str(error)


async def test_a_private_authority_is_trusted_through_the_setting(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    async with server(OK, tls) as url:
        assert (await send(url, network=NetworkSettings(str(path)))).status == 200


async def test_a_certificate_file_without_certificates_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.pem"
    path.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await send("https://127.0.0.1:9", network=NetworkSettings(str(path)))


async def test_plain_http_behind_an_https_address_is_a_tls_failure() -> None:
    async def speak_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await reader.read(1000)

    async with server(speak_at_once, wait_for_head=False) as url:
        error = await failure(url.replace("http://", "https://"))
    assert error.phase == "tls"
    assert "http:// in the base URL" in str(error)


async def test_silence_before_the_reply_is_a_timeout_of_the_first_byte() -> None:
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


async def test_a_trickle_is_under_one_total_and_not_per_read() -> None:
    clock, head_came = FakeClock(), asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        await head_came.wait()
        while True:
            writer.write(b" ")
            await writer.drain()
            clock.advance(1.0)
            await asyncio.sleep(0)

    async with server(trickle) as url:
        error = await failure(url, timeout=60.0, clock=clock, wall_clock=sets(head_came))
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "body"


async def test_a_connection_that_never_comes_is_a_timeout_of_connecting(library: Any) -> None:
    def blackhole(request: object) -> None:
        raise library.ConnectTimeout("no answer to our SYN")

    async with library.AsyncClient(transport=library.MockTransport(blackhole)) as client:
        error = await failure("http://localhost", timeout=8.0, client=client)
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "connect"
    assert "within 4 s" in str(error)  # half of the attempt's time


async def test_a_connection_closed_without_an_answer_is_told_from_one_cut_in_the_middle() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with server(close) as url:
        assert "before the reply began" in str(await failure(url))
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{") as url:
        assert "in the middle of the reply" in str(await failure(url))


async def test_garbage_in_place_of_http_is_a_typed_error() -> None:
    async with server(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as url:
        assert isinstance(await failure(url), ProviderUnavailableError | MalformedResponseError)


async def test_a_broken_encoding_is_malformed() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain") as url:
        assert isinstance(await failure(url), MalformedResponseError)


async def test_a_reply_beyond_the_limit_is_not_read_to_its_end() -> None:
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


async def test_a_redirect_is_handed_back_and_not_followed() -> None:
    async with server(
        b"HTTP/1.1 302 Found\r\nlocation: http://no-such-host.invalid/\r\ncontent-length: 0\r\n\r\n"
    ) as url:
        assert (await send(url)).status == 302


@pytest.mark.parametrize("url", ["ftp://localhost", ""])
async def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    assert isinstance(await failure(url), ConfigurationError)


async def test_a_port_that_no_socket_takes_is_a_typed_error() -> None:
    # httpx leaves it to the operating system to refuse the port; yarl, aiohttp's URL, knows that there is none such.
    expected = ConfigurationError if Under.test == "aiohttp" else ProviderUnavailableError
    assert isinstance(await failure("http://127.0.0.1:99999"), expected)


def every_error_of(package: ModuleType) -> list[type[Exception]]:
    found = [value for value in vars(package).values() if inspect.isclass(value) and issubclass(value, Exception)]
    return sorted((kind for kind in found if not issubclass(kind, Warning)), key=lambda kind: kind.__name__)


def made_of(kind: Any, library: Any, request: object) -> Exception:
    if kind is library.HTTPStatusError:
        error: Exception = kind("x", request=request, response=library.Response(500))
    elif kind in (library.StreamConsumed, library.StreamClosed, library.ResponseNotRead, library.RequestNotRead):
        error = kind()
    else:
        error = kind("x")
    return error


async def test_every_exception_of_httpx_becomes_one_of_ours(library: Any) -> None:
    def fail(request: object) -> None:
        raise made_of(kind, library, request)

    for kind in every_error_of(library):
        async with library.AsyncClient(transport=library.MockTransport(fail)) as client:
            error = await failure("http://localhost", client=client)
        assert type(error) is not LLMError, kind
        assert isinstance(error.__cause__, kind) or isinstance(error, ProviderTimeoutError)


async def test_the_cause_is_kept_without_the_frames_that_hold_headers_and_bodies() -> None:
    error = await failure("http://127.0.0.1:9")
    cause: BaseException | None = error.__cause__
    kinds = {"aiohttp": aiohttp.ClientConnectorError}
    assert isinstance(cause, kinds.get(Under.test) or importlib.import_module(Under.test).ConnectError)
    while cause is not None:
        assert cause.__traceback__ is None
        cause = cause.__cause__ or cause.__context__


async def test_one_client_serves_all_calls_of_a_loop_over_kept_connections() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readexactly(len(request("").body))
            writer.write(OK)
            await reader.readuntil(b"\r\n\r\n")

    transport = made()
    async with server(count) as url:
        for _ in range(5):
            await transport.send(request(url), 20.0)
        await transport.aclose()
    assert connections == 1


def test_one_transport_works_in_several_loops_and_leaves_nothing_open() -> None:
    transport = made()

    async def once() -> int:
        async with server(OK) as url:
            return (await transport.send(request(url), 20.0)).status

    assert [asyncio.run(once()) for _ in range(3)] == [200, 200, 200]
    assert transport._carriers._values == {}


# --- cancelling ------------------------------------------------------------------------------------------------------


class Sockets:
    """A handler that knows how many connections are open; it does what the test wants once a request has come."""

    def __init__(self, answer: Handler) -> None:
        self.open = 0
        self.arrived = asyncio.Event()
        self.none_left = asyncio.Event()
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.none_left.clear()
        try:
            await self._answer(reader, writer)
            self.arrived.set()
            while await reader.read(65536):
                pass
        finally:
            self.open -= 1
            if not self.open:
                self.none_left.set()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and wait."""


async def begin_a_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    await writer.drain()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer this request, whose head was read, and all that follow."""
    try:
        while True:
            await reader.readexactly(len(request("").body))
            writer.write(OK)
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        pass


async def steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Pool:
    """The connections of a transport in this loop, whatever carries."""

    def __init__(self, transport: HTTPTransport) -> None:
        held = transport._carriers.here()
        assert held is not None
        self.carrier: Any = held.carrier
        self.is_httpx = Under.test != "aiohttp"

    @property
    def pool(self) -> Any:
        return self.carrier.client._transport._pool

    @property
    def connections(self) -> list[Any]:
        """Those that are not closed."""
        if self.is_httpx:
            return list(self.pool.connections)
        return [one for one in self.carrier._connections if one.transport is not None]

    @property
    def busy(self) -> list[Any]:
        """Those that carry a request, and requests that wait for one."""
        if self.is_httpx:
            return [*(one for one in self.connections if not one.is_idle()), *self.pool._requests]
        return list(self.carrier._connector._acquired)

    async def close_connections(self) -> None:
        if self.is_httpx:
            await self.pool.aclose()
        for one in self.connections:
            one.close()

    def let_all_expire(self) -> None:
        if self.is_httpx:
            for entry in self.connections:
                entry._connection._expire_at = 0.0
            return
        for kept in self.carrier._connector._conns.values():
            kept.extend([(one, 0.0) for one, _ in (kept.popleft() for _ in range(len(kept)))])


async def cancel(call: asyncio.Task[WireReply], *pauses: int) -> None:
    """Cancel `call`, and again after each number of turns of the loop."""
    call.cancel()
    for pause in pauses:
        await steps(pause)
        call.cancel()
    await asyncio.wait({call})


async def hear_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the first bytes of a handshake and wait."""
    await reader.read(10)


MOMENTS = {"handshake": hear_hello, "headers": say_nothing, "body": begin_a_body}


@pytest.mark.parametrize("pauses", [(), (0,), (1,), (2,), (3,), (1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelling_closes_the_connection_and_leaves_the_pool_empty(moment: str, pauses: tuple[int, ...]) -> None:
    head_came = asyncio.Event()
    sockets, transport = Sockets(MOMENTS[moment]), made(wall_clock=sets(head_came))
    async with server(sockets, wait_for_head=moment != "handshake") as address:
        url = address.replace("http://", "https://") if moment == "handshake" else address
        call = asyncio.create_task(transport.send(request(url), 30.0))
        await sockets.arrived.wait()
        if moment == "body":
            await head_came.wait()
        await cancel(call, *pauses)
        assert call.cancelled()
        assert Pool(transport).connections == []
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        await transport.aclose()


async def test_the_server_sees_a_cancelled_call_leave_within_100_ms() -> None:
    sockets, transport = Sockets(say_nothing), made()
    seconds = []
    async with server(sockets) as url:
        for _ in range(20):
            sockets.arrived.clear()
            call = asyncio.create_task(transport.send(request(url), 30.0))
            await sockets.arrived.wait()
            started = asyncio.get_running_loop().time()
            call.cancel()
            await sockets.none_left.wait()
            seconds.append(asyncio.get_running_loop().time() - started)
            await asyncio.wait({call})
        await transport.aclose()
    assert min(seconds) < 0.1, seconds  # the best of twenty: the machine may be busy with something else


async def test_a_timeout_and_a_cancellation_at_once_leave_nothing_open() -> None:
    clock, hosts_timeout = FakeClock(), asyncio.timeout(None)
    sockets, transport = Sockets(say_nothing), made(clock)

    async def call(url: str) -> None:
        async with hosts_timeout:
            await transport.send(request(url), 60.0)

    async with server(sockets) as url:
        task = asyncio.create_task(call(url))
        await sockets.arrived.wait()
        clock.advance(60.0)
        hosts_timeout.reschedule(asyncio.get_running_loop().time())
        with pytest.raises((TimeoutError, ProviderTimeoutError)):
            await task
        assert Pool(transport).connections == []
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        await transport.aclose()


@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
async def test_a_call_may_be_cancelled_once_or_twice_at_any_turn_of_the_loop(kept: bool) -> None:
    transport, sockets = made(), Sockets(answer_all)
    outcomes = set()
    async with server(sockets) as url:
        for turn in range(60):
            for again in ((), (0,), (1,), (2,), (1, 1)):
                await transport.send(request(url), 20.0)
                if not kept:
                    await Pool(transport).close_connections()
                call = asyncio.create_task(transport.send(request(url), 20.0))
                await steps(turn)
                await cancel(call, *again)
                outcomes.add(call.cancelled())
                assert Pool(transport).busy == []
        assert (await transport.send(request(url), 20.0)).status == 200
        await transport.aclose()
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
    assert True in outcomes


async def test_cancelling_while_expired_connections_are_closed_forgets_none() -> None:
    sockets, transport = Sockets(answer_all), made()
    async with server(sockets) as url:
        for turn in range(12):
            await asyncio.gather(*(transport.send(request(url), 20.0) for _ in range(8)))
            Pool(transport).let_all_expire()
            call = asyncio.create_task(transport.send(request(url), 20.0))
            await steps(turn)
            await cancel(call)
            await transport.aclose()
            await asyncio.wait_for(sockets.none_left.wait(), 20.0)


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "no TLS behind the proxy"])
async def test_a_tunnel_whose_handshake_fails_does_not_stay_in_the_pool(cancelled: bool) -> None:
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(10)
        if not cancelled:
            writer.write(b"no TLS at all")

    sockets = Sockets(tunnel)
    async with server(sockets) as proxy:
        transport = made(network=NetworkSettings(proxies=ProxySettings(https=proxy)))
        call = asyncio.create_task(transport.send(request("https://vendor.invalid/v1"), 30.0))
        await sockets.arrived.wait()
        if cancelled:
            await cancel(call, 1)
        await asyncio.wait({call})
        assert call.cancelled() or isinstance(call.exception(), ProviderUnavailableError)
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        pool = Pool(transport)
        if pool.is_httpx:
            pools = [mount._pool for mount in pool.carrier.client._mounts.values() if mount is not None]
            assert [pool.connections for pool in pools] == [[]]
        else:
            assert pool.busy == []
        await transport.aclose()


async def test_after_200_cancelled_calls_the_next_ones_work() -> None:
    arrived, freed, transport = asyncio.Semaphore(0), asyncio.Event(), made()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        if freed.is_set():
            await answer_all(reader, writer)

    sockets = Sockets(hold)
    async with server(sockets) as url:
        calls: list[asyncio.Task[WireReply]] = []
        for _ in range(4):  # connecting has 10 s at most, and a busy machine takes them for 200 connections at once
            calls += [asyncio.create_task(transport.send(request(url), 30.0)) for _ in range(50)]
            for _ in range(50):
                await asyncio.wait_for(arrived.acquire(), 20.0)
        assert sockets.open == 200
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert all(call.cancelled() for call in calls)
        assert (Pool(transport).connections, Pool(transport).busy) == ([], [])
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        freed.set()
        for _ in range(4):
            replies = await asyncio.gather(*(transport.send(request(url), 30.0) for _ in range(50)))
            assert {reply.status for reply in replies} == {200}
        await transport.aclose()


# --- retiring --------------------------------------------------------------------------------------------------------


async def test_a_retired_transport_without_calls_closes_by_itself() -> None:
    sockets, transport = Sockets(answer_all), made()
    async with server(sockets) as url:
        await transport.send(request(url), 20.0)
        assert (transport.is_open, sockets.open) == (True, 1)
        await asyncio.to_thread(transport.retire)
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        async with asyncio.timeout(20):
            while transport.is_open:  # noqa: ASYNC110 - what closed the connection ends a little after it
                await asyncio.sleep(0)
        assert not transport.is_open


async def test_a_retired_transport_carries_what_is_under_way_and_what_still_comes() -> None:
    free, all_arrived = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if sockets.open == 3:
            all_arrived.set()
        await free.wait()
        await answer_all(reader, writer)

    sockets, transport = Sockets(wait), made()
    async with server(sockets) as url:
        calls = [asyncio.create_task(transport.send(request(url), 20.0)) for _ in range(3)]
        await all_arrived.wait()
        transport.retire()
        await steps(5)
        assert transport.is_open
        free.set()
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200, 200, 200]
        assert (await transport.send(request(url), 20.0)).status == 200  # a retry, or a fallback
        await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        await transport.aclose()
        assert not transport.is_open


def test_retiring_reaches_the_loops_of_other_threads_and_passes_over_closed_ones() -> None:
    transport = made()
    ended, closed = threading.Event(), threading.Event()

    async def serve_and_wait() -> None:
        sockets = Sockets(answer_all)
        async with server(sockets) as url:
            await transport.send(request(url), 20.0)
            ended.set()
            await asyncio.wait_for(sockets.none_left.wait(), 20.0)
        closed.set()

    dead = asyncio.new_event_loop()
    dead.run_until_complete(transport._carriers.get())
    dead.run_until_complete(dead.shutdown_asyncgens())
    dead.close()
    thread = threading.Thread(target=asyncio.run, args=(serve_and_wait(),))
    thread.start()
    assert ended.wait(20)
    transport.retire()
    assert closed.wait(20)
    thread.join(20)
    assert not transport.is_open


async def test_a_certificate_file_that_is_replaced_counts_for_the_next_transport(tmp_path: Path) -> None:
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


async def test_a_certificate_file_that_is_spoilt_later_matters_to_no_new_event_loop(tmp_path: Path) -> None:
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


async def test_a_passed_in_client_is_used_and_left_open(library: Any) -> None:
    async with library.AsyncClient(transport=library.MockTransport(lambda _: library.Response(204))) as client:
        assert (await send("http://localhost", client=client)).status == 204
        assert not client.is_closed


def test_proxies_are_chosen_by_scheme_and_bypassed_by_host() -> None:
    proxies = ProxySettings(http="proxy:3128", https="http://secure:3128", bypass=("example.com", "10.0.0.1"))
    mounts = proxies.mounts()
    assert mounts["http://"] == "http://proxy:3128"
    assert mounts["https://"] == "http://secure:3128"
    for direct in ("all://localhost", "all://127.0.0.1", "all://example.com", "all://*.example.com", "all://10.0.0.1"):
        assert mounts[direct] == ""


def test_no_proxy_and_a_star_mean_direct_connections() -> None:
    assert ProxySettings().mounts() == {}
    assert ProxySettings(https="proxy:1", bypass=("*",)).mounts() == {}


async def test_a_request_goes_through_the_proxy_of_its_scheme() -> None:
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
def test_an_ipv6_address_may_stand_in_no_proxy(entry: str) -> None:
    mounts = ProxySettings(https="proxy:3128", bypass=(entry,)).mounts()
    assert f"all://[{entry.strip('[]')}]" in mounts
    httpx.AsyncClient(mounts=dict.fromkeys(mounts))  # every pattern is one that httpx takes


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_an_unknown_kind_is_named_at_open(variable: str) -> None:
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
def test_it_is_known_whose_proxy_a_request_goes_through(url: str, variable: str) -> None:
    proxies = ProxySettings(https="proxy:1", all="other:1", bypass=("example.com",))
    assert proxies.variable_for(url) == variable


async def test_a_proxy_that_refuses_is_blamed_and_not_the_vendor() -> None:
    error = await failure("http://vendor.invalid", network=NetworkSettings(proxies=ProxySettings(http="127.0.0.1:9")))
    assert "the proxy cannot be reached: the connection was refused" in str(error)
    assert "HTTP_PROXY" in str(error)
    assert "OPENAI_API_BASE" not in str(error)
