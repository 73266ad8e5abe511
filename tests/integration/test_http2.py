"""HTTP/2 over TLS against a server with a private certificate authority: the built-in carrier and clients of hosts."""

import asyncio
import importlib
import importlib.util
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import TooManyStreamsError
from h2.settings import SettingCodes, Settings

from faultmaven import (
    AuthenticationError,
    ConfigurationError,
    LLMError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    create_container,
    open_container,
)
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.httpx_carrier import streams as httpx_streams
from faultmaven.infrastructure.http.network import NetworkSettings, ProxySettings
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import Handle, listen

ORIGIN = Origin("openai", "openai-chat", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_API_BASE")
AUTHORITY = trustme.CA()
needs_httpx2 = pytest.mark.skipif(importlib.util.find_spec("httpx2") is None, reason="not installed: the extra http2")
LARGE_BODY_BYTES = 8 * 1024 * 1024  # more than the socket buffers of both sides hold
ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}'


class Vendor:
    """An HTTP/2 server. The path of a request selects the reaction, see `Connection._answer`.

    Attributes:
        max_streams: Streams that a client may have open on one connection.
        window: Flow-control window of a stream and of a connection, in bytes, for data from the client.
        reading: Set while the server reads from the connections.
        requests: Number of complete requests.
        reset_codes: The error code of each stream that the client has reset.
        send_window: Bytes that the server may send on the connection before the client acknowledges some.
    """

    def __init__(self, max_streams: int = 100, window: int = 65535) -> None:
        self.max_streams = max_streams
        self.window = window
        self.reading = asyncio.Event()
        self.reading.set()
        self.connections = 0
        self.requests = 0
        self.headers: dict[bytes, bytes] = {}
        self.reset_codes: list[int] = []
        self.send_window = 0
        self.request_arrived = asyncio.Event()
        self.stream_reset = asyncio.Event()
        self.waiting: list[Callable[[], None]] = []

    async def wait_for_requests(self, count: int) -> None:
        """Wait until the server has received `count` requests."""
        while self.requests < count:
            self.request_arrived.clear()
            await self.request_arrived.wait()

    async def wait_until_not_reading(self) -> None:
        """Wait for a request after which the server stops reading."""
        while self.reading.is_set():  # noqa: ASYNC110 - an event reports when it is set, not when it is cleared
            await asyncio.sleep(0.005)

    def answer_waiting(self) -> None:
        """Answer the requests that wait for an answer."""
        while self.waiting:
            self.waiting.pop(0)()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        await Connection(self, writer).serve(reader)


class Connection:
    """One connection of a `Vendor`."""

    def __init__(self, vendor: Vendor, writer: asyncio.StreamWriter) -> None:
        self.vendor = vendor
        self.writer = writer
        self.state = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: vendor.max_streams,
            SettingCodes.INITIAL_WINDOW_SIZE: vendor.window,
        }
        self.state.local_settings = Settings(client=False, initial_values=values)
        self.paths: dict[int, bytes] = {}
        self.bodies: dict[int, bytearray] = {}
        self.unsent: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader) -> None:
        self.state.initiate_connection()
        self.state.increment_flow_control_window(self.vendor.window)
        self._flush()
        while data := await reader.read(65536):
            for event in self.state.receive_data(data):
                self._handle(event)
            await self.vendor.reading.wait()
            self.vendor.send_window = self.state.outbound_flow_control_window
            self._flush()

    def _handle(self, event: object) -> None:
        match event:
            case RequestReceived():
                self.vendor.headers = dict(event.headers)
                self.paths[event.stream_id] = self.vendor.headers[b":path"]
                self.bodies[event.stream_id] = bytearray()
                if self.vendor.headers[b":path"] == b"/stop-reading":
                    self.vendor.reading.clear()
            case DataReceived():
                self.bodies[event.stream_id] += event.data
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.vendor.requests += 1
                if event.stream_id in self.state.streams and self.state.streams[event.stream_id].open:
                    self._answer(event.stream_id, self.paths[event.stream_id])  # unless the client has reset the stream
                self.vendor.request_arrived.set()
            case StreamReset():
                self.vendor.reset_codes.append(event.error_code)
                self.unsent.pop(event.stream_id, None)
                self.vendor.stream_reset.set()
            case WindowUpdated():
                for stream_id in list(self.unsent):
                    self._send_more(stream_id)

    def _answer(self, stream: int, path: bytes) -> None:
        match path:
            case b"/stop-reading":
                self._begin(stream)
                self.state.send_data(stream, b"{}", end_stream=True)
            case b"/echo":
                self._begin(stream)
                self.unsent[stream] = bytes(self.bodies[stream])
                self._send_more(stream)
            case b"/openai/chat/completions":
                self._begin(stream)
                self.state.send_data(stream, ANSWER, end_stream=True)
            case b"/wait":
                self.vendor.waiting.append(lambda: self._answer(stream, b"/echo"))
                self.vendor.waiting.append(self._flush)
            case b"/piece":
                self._begin(stream)
                self.state.send_data(stream, b"piece")
            case b"/flood":
                self._begin(stream)
                self.state.send_data(stream, b" " * 16000)  # one TLS record with the headers: one read
            case b"/reset":
                self.state.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            case b"/goaway":
                self.state.close_connection(ErrorCodes.NO_ERROR, last_stream_id=stream)
            case b"/hang-up":
                self._answer(stream, b"/echo")
                self.state.close_connection()
                asyncio.get_running_loop().call_soon(self.writer.close)

    def _begin(self, stream: int) -> None:
        self.state.send_headers(stream, [(b":status", b"200"), (b"content-type", b"application/json")])

    def _send_more(self, stream: int) -> None:
        data = self.unsent[stream]
        while data and (size := min(self.state.local_flow_control_window(stream), 16384)):
            self.state.send_data(stream, data[:size])
            data = data[size:]
        self.unsent[stream] = data
        if not data:
            del self.unsent[stream]
            self.state.end_stream(stream)

    def _flush(self) -> None:
        if not self.writer.is_closing():
            self.writer.write(self.state.data_to_send())


@pytest.fixture
def authority_file(tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


OpenTransport = Callable[..., Any]


@pytest.fixture
def open_transport(speaks_http2: str, authority_file: str) -> OpenTransport:
    """Return a context manager that opens an HTTP/2 transport over the built-in carrier or over a host's client."""

    @asynccontextmanager
    async def opened(clock: Clock | None = None) -> AsyncIterator[HTTPTransport]:
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            if speaks_http2 == "ours":
                transport = HTTPTransport(clock, network=NetworkSettings(authority_file, http2=True))
            else:
                library = importlib.import_module(speaks_http2)
                context = ssl.create_default_context(cafile=authority_file)
                limits = library.Limits(max_connections=None)
                client = library.AsyncClient(http2=True, verify=context, timeout=None, limits=limits)
                transport = HTTPTransport(clock, client=await stack.enter_async_context(client))
            stack.push_async_callback(transport.aclose)
            yield transport

    return opened


@asynccontextmanager
async def https_server(
    vendor: Handle, protocols: tuple[str, ...] = ("h2", "http/1.1"), names: tuple[str, ...] = ("localhost",)
) -> AsyncIterator[str]:
    """Serve HTTPS on a loopback port and yield the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(protocols)
    async with listen(vendor, context) as port:
        yield f"https://localhost:{port}"


def wire_request(url: str, body: bytes = b"{}", own_header: str = "own") -> WireRequest:
    return WireRequest(
        ORIGIN, url, Headers({"authorization": "Bearer sk-key", "x-own": own_header}), body, model="gpt-x"
    )


async def failure(transport: HTTPTransport, sent: WireRequest, timeout: float = 5.0) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await transport.send(sent, timeout)
    return caught.value


async def test_sequential_calls_share_one_connection(open_transport: OpenTransport) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport:
        for number in range(5):
            reply = await transport.send(wire_request(f"{url}/echo", b"%d" % number), 20.0)
            assert (reply.status, reply.body, reply.content_type) == (200, b"%d" % number, "application/json")
    assert vendor.connections == 1
    assert vendor.headers[b"authorization"] == b"Bearer sk-key"


async def test_hundred_concurrent_calls_share_one_connection(open_transport: OpenTransport) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        calls = (transport.send(wire_request(f"{url}/echo", b"%d" % number), 20.0) for number in range(100))
        assert [reply.body for reply in await asyncio.gather(*calls)] == [b"%d" % number for number in range(100)]
    assert vendor.connections == 1


async def test_calls_wait_for_server_stream_limit(open_transport: OpenTransport) -> None:
    vendor = Vendor(max_streams=10)
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        replies = await asyncio.gather(*(transport.send(wire_request(f"{url}/echo"), 20.0) for _ in range(60)))
    assert {reply.body for reply in replies} == {b"{}"}
    assert vendor.requests == 60


async def test_large_request_and_response_arrive_complete(open_transport: OpenTransport) -> None:
    large = b" " * (2 * 1024 * 1024)
    async with https_server(Vendor()) as url, open_transport() as transport:
        assert (await transport.send(wire_request(f"{url}/echo", large), 20.0)).body == large


async def test_stream_close_resets_only_that_stream(open_transport: OpenTransport) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        other_call = asyncio.create_task(transport.send(wire_request(f"{url}/wait"), 20.0))
        stream = await transport.open(wire_request(f"{url}/piece"), 20.0)
        assert await stream.read() == b"piece"
        await stream.aclose()
        await vendor.stream_reset.wait()
        vendor.answer_waiting()
        assert (await other_call).body == b"{}"
    assert vendor.reset_codes == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


@pytest.mark.parametrize("ends", ["cancelled", "timeout"])
async def test_abandoned_call_resets_only_that_stream(open_transport: OpenTransport, ends: str) -> None:
    vendor, clock = Vendor(), FakeClock()
    async with https_server(vendor) as url, open_transport(clock) as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        other_calls = [asyncio.create_task(transport.send(wire_request(f"{url}/wait"), 20.0)) for _ in range(20)]
        call = asyncio.create_task(transport.send(wire_request(f"{url}/silence"), 5.0 if ends == "timeout" else 30.0))
        await vendor.wait_for_requests(22)
        if ends == "cancelled":
            call.cancel()
        else:
            clock.advance(5.0)
        await asyncio.wait({call})
        assert call.cancelled() or isinstance(call.exception(), ProviderTimeoutError)
        await vendor.stream_reset.wait()
        vendor.answer_waiting()
        assert {reply.body for reply in await asyncio.gather(*other_calls)} == {b"{}"}
    assert vendor.reset_codes == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


async def test_cancellation_does_not_wait_for_send_buffer(open_transport: OpenTransport) -> None:
    vendor = Vendor(window=2 * LARGE_BODY_BYTES)
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        call = asyncio.create_task(transport.send(wire_request(f"{url}/silence"), 30.0))
        other_call = asyncio.create_task(
            transport.send(wire_request(f"{url}/stop-reading", b" " * LARGE_BODY_BYTES), 30.0)
        )
        await vendor.wait_until_not_reading()
        await asyncio.sleep(1.0)  # until the client is blocked in its write
        call.cancel()
        await asyncio.wait({call}, timeout=15.0)
        assert call.cancelled()
        vendor.reading.set()
        assert (await other_call).body == b"{}"
        await vendor.stream_reset.wait()
    assert vendor.reset_codes == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


async def test_cancelled_partial_send_closes_connection(open_transport: OpenTransport) -> None:
    """A connection cannot be used after an incomplete TLS record."""
    vendor = Vendor(window=2 * LARGE_BODY_BYTES)
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        call = asyncio.create_task(transport.send(wire_request(f"{url}/stop-reading", b" " * LARGE_BODY_BYTES), 30.0))
        other_call = asyncio.create_task(transport.send(wire_request(f"{url}/echo"), 20.0))
        await vendor.wait_until_not_reading()
        await asyncio.sleep(1.0)  # until the client is blocked in its write
        call.cancel()
        await asyncio.wait({call}, timeout=15.0)
        assert call.cancelled()
        vendor.reading.set()
        outcome = (await asyncio.gather(other_call, return_exceptions=True))[0]
        assert isinstance(outcome, WireReply | ProviderUnavailableError)
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).status == 200


async def test_cancelled_calls_free_stream_slots(open_transport: OpenTransport) -> None:
    """httpcore by itself refuses every call after 100 cancelled calls: encode/httpcore#1022."""
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        for number in range(3):
            calls = [asyncio.create_task(transport.send(wire_request(f"{url}/silence"), 30.0)) for _ in range(50)]
            await vendor.wait_for_requests(1 + 50 * (number + 1))
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).body == b"{}"
    assert vendor.connections == 1


async def test_unread_data_does_not_exhaust_connection_window(
    open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpcore does not acknowledge unread data of closed streams; after 16 MB the server could send no more."""
    window_bytes = 16_000_000
    monkeypatch.setattr(httpx_streams, "MIN_WINDOW_BYTES", window_bytes)  # the test takes 0.1 s instead of 3 s
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        for _ in range(100):
            stream = await transport.open(wire_request(f"{url}/flood"), 20.0)
            await stream.aclose()
        await transport.send(wire_request(f"{url}/echo"), 20.0)
    assert vendor.connections == 1
    assert vendor.send_window >= window_bytes - 16384


async def test_call_can_be_cancelled_at_any_step(open_transport: OpenTransport) -> None:
    vendor, outcomes = Vendor(), set()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        for steps in range(50):
            for more_steps in ((), (0,), (1,), (1, 1)):
                call = asyncio.create_task(transport.send(wire_request(f"{url}/echo"), 20.0))
                for pause in (steps, *more_steps):
                    for _ in range(pause):
                        await asyncio.sleep(0)
                    call.cancel()
                await asyncio.wait({call})
                outcomes.add(call.cancelled())
        replies = await asyncio.gather(*(transport.send(wire_request(f"{url}/echo"), 20.0) for _ in range(100)))
        assert {reply.body for reply in replies} == {b"{}"}
    assert outcomes == {True, False}
    assert vendor.connections == 1


@pytest.mark.parametrize(("ends", "connections"), [("reset", 1), ("goaway", 2)])
async def test_server_reset_or_goaway_means_provider_unavailable(
    open_transport: OpenTransport, ends: str, connections: int
) -> None:
    """After a stream reset the next call uses the same connection, after GOAWAY a new one."""
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport:
        error = await failure(transport, wire_request(f"{url}/{ends}"))
        assert (type(error), error.phase) == (ProviderUnavailableError, "first byte")
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).status == 200
    assert vendor.connections == connections


@pytest.mark.parametrize("moment", [0, 1, 5, 20, 49])
async def test_goaway_during_calls_means_provider_unavailable(open_transport: OpenTransport, moment: int) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport, asyncio.timeout(50):
        await transport.send(wire_request(f"{url}/echo"), 20.0)
        paths = ["/goaway" if number == moment else "/echo" for number in range(50)]
        calls = [transport.send(wire_request(f"{url}{path}", b" " * 50_000), 15.0) for path in paths]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {WireReply, ProviderUnavailableError}
        assert isinstance(outcomes[moment], ProviderUnavailableError)
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).status == 200


async def test_h2_protocol_error_means_provider_unavailable(
    open_transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise TooManyStreamsError("Max outbound streams is 100, 100 open")

    async with https_server(Vendor()) as url, open_transport() as transport:
        monkeypatch.setattr(H2Connection, "send_headers", refuse)
        error = await failure(transport, wire_request(f"{url}/echo"))
    assert (type(error), error.phase) == (ProviderUnavailableError, "first byte")


async def test_server_closed_connection_is_not_reused(open_transport: OpenTransport) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport:
        for _ in range(3):
            assert (await transport.send(wire_request(f"{url}/hang-up"), 20.0)).status == 200
            await asyncio.sleep(0.02)
    assert vendor.connections == 3


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "a\nb", "a\0b"])
async def test_header_with_line_break_is_refused(open_transport: OpenTransport, value: str) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url, open_transport() as transport:
        assert isinstance(await failure(transport, wire_request(f"{url}/echo", own_header=value)), ConfigurationError)
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).status == 200
    assert vendor.requests == 1


@needs_httpx2
async def test_http2_passes_through_proxy_tunnel(authority_file: str) -> None:
    tunnels = 0

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while block := await source.read(65536):
            sink.write(block)
        sink.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tunnels
        tunnels += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            await asyncio.gather(pump(reader, target_writer), pump(target_reader, writer))
        finally:
            target_writer.close()

    vendor = Vendor()
    async with https_server(vendor, names=("vendor.invalid",)) as url, listen(tunnel) as port:
        network = NetworkSettings(authority_file, ProxySettings(https=f"localhost:{port}"), http2=True)
        transport = HTTPTransport(SystemClock(), network=network, carrier="httpx2")
        await transport.send(wire_request("https://vendor.invalid/echo"), 20.0)
        call = asyncio.create_task(transport.send(wire_request("https://vendor.invalid/silence"), 30.0))
        replies = await asyncio.gather(
            *(transport.send(wire_request("https://vendor.invalid/echo"), 20.0) for _ in range(20))
        )
        await vendor.wait_for_requests(22)
        call.cancel()
        await vendor.stream_reset.wait()
        await transport.aclose()
    assert {reply.body for reply in replies} == {b"{}"}
    assert (tunnels, vendor.connections, vendor.reset_codes) == (1, 1, [ErrorCodes.CANCEL])


async def test_http1_only_server_gets_http1(open_transport: OpenTransport) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with https_server(answer, ("http/1.1",)) as url, open_transport() as transport:
        assert (await transport.send(wire_request(f"{url}/echo"), 20.0)).body == b"{}"


# --- LLM_HTTP2 -------------------------------------------------------------------------------------------------------


@needs_httpx2
async def test_http2_setting_enables_http2(authority_file: str) -> None:
    vendor = Vendor()
    async with https_server(vendor) as url:
        env = {
            "GROQ_API_KEY": "k",
            "GROQ_API_BASE": f"{url}/openai",
            "SSL_CERT_FILE": authority_file,
            "LLM_HTTP2": "true",
        }
        async with open_container(env) as container:
            calls = (container.llm().generate(f"ping {number}") for number in range(10))
            assert {response.content for response in await asyncio.gather(*calls)} == {"pong"}
    assert (vendor.requests, vendor.connections) == (10, 1)


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
def test_http2_setting_refuses_http1_carrier(carrier: str) -> None:
    with pytest.raises(ConfigurationError, match=f"LLM_HTTP2=true: {carrier} .*LLM_HTTP_CARRIER=httpx2"):
        create_container({"LLM_HTTP2": "true", "LLM_HTTP_CARRIER": carrier}).llm()


@pytest.mark.parametrize(("variable", "value", "missing", "extra"), [
    ("LLM_HTTP2", "true", "h2", "http2"),
    ("LLM_HTTP2", "true", "httpx2", "http2"),
    ("LLM_HTTP_CARRIER", "httpx2", "httpx2", "httpx2"),
])  # fmt: skip
def test_missing_carrier_package_error_names_extra(
    variable: str, value: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(ConfigurationError, match=rf"{variable}={value} .* not installed.*faultmaven\[{extra}\]"):
        create_container({variable: value}).llm()


async def test_host_client_overrides_http2_setting(library: Any) -> None:
    env = {"GROQ_API_KEY": "k", "LLM_HTTP2": "true", "LLM_HTTP_CARRIER": "aiohttp"}
    mock = library.MockTransport(lambda request: library.Response(401, json={}))
    async with library.AsyncClient(transport=mock) as client, open_container(env, http_client=client) as container:
        with pytest.raises(AuthenticationError):
            await container.llm().generate("ping")


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
async def test_http1_and_http2_use_separate_tls_contexts(carrier: Any, authority_file: str) -> None:
    protocols: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def certificates(http2: bool) -> Certificates:
        return Certificates(authority_file, http2=http2)

    assert certificates(http2=True).context is certificates(http2=True).context
    assert certificates(http2=True).context is not certificates(http2=False).context
    transport = HTTPTransport(SystemClock(), certificates=certificates(http2=False), carrier=carrier)
    async with https_server(answer) as url:
        assert (await transport.send(wire_request(url), 20.0)).body == b"{}"
        await transport.aclose()
    assert protocols == ["http/1.1"]
