"""HTTP/2 over TLS, against a server with an authority of its own: our own carrier, and clients that hosts pass in."""

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
from faultmaven.infrastructure.http import httpx_streams
from faultmaven.infrastructure.http.certificates import Certificates
from faultmaven.infrastructure.http.network import NetworkSettings, ProxySettings
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import Headers, Origin, WireReply, WireRequest
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeClock
from faultmaven.testing.lab.loopback import Handle, listen

ORIGIN = Origin("openai", "openai-chat", "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_API_BASE")
AUTHORITY = trustme.CA()
needs_httpx2 = pytest.mark.skipif(importlib.util.find_spec("httpx2") is None, reason="not installed: the extra http2")
FULL_LINE = 8 * 1024 * 1024  # bytes: more than the sockets of both sides hold
ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}]}'


class Vendor:
    """A server of HTTP/2: what it does with a request is said by the request's path, see `_answer`.

    Attributes:
        at_once: Streams that a client may have open on one connection.
        reset: Why the client left, of each stream that it left.
        window: Bytes that a client may send before some are taken.
        listening: Whether anything is read at all.
        room: Bytes that may be sent over the connection before the client takes some.
    """

    def __init__(self, at_once: int = 100, window: int = 65535) -> None:
        self.at_once = at_once
        self.window = window
        self.listening = asyncio.Event()
        self.listening.set()
        self.connections = 0
        self.asked = 0
        self.headers: dict[bytes, bytes] = {}
        self.reset: list[int] = []
        self.room = 0
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.waiting: list[Callable[[], None]] = []

    async def was_asked(self, times: int) -> None:
        """Return when so many requests have come."""
        while self.asked < times:
            self.arrived.clear()
            await self.arrived.wait()

    async def turns_away(self) -> None:
        """Return when a request has come after which nothing is read."""
        while self.listening.is_set():  # noqa: ASYNC110 - an event tells when it is set, and not when it is cleared
            await asyncio.sleep(0.005)

    def go_on(self) -> None:
        """Answer what waits for it."""
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
        values = {SettingCodes.MAX_CONCURRENT_STREAMS: vendor.at_once, SettingCodes.INITIAL_WINDOW_SIZE: vendor.window}
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
                self._take(event)
            await self.vendor.listening.wait()
            self.vendor.room = self.state.outbound_flow_control_window
            self._flush()

    def _take(self, event: object) -> None:
        match event:
            case RequestReceived():
                self.vendor.headers = dict(event.headers)
                self.paths[event.stream_id] = self.vendor.headers[b":path"]
                self.bodies[event.stream_id] = bytearray()
                if self.vendor.headers[b":path"] == b"/turn-away":
                    self.vendor.listening.clear()
            case DataReceived():
                self.bodies[event.stream_id] += event.data
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.vendor.asked += 1
                if event.stream_id in self.state.streams and self.state.streams[event.stream_id].open:
                    self._answer(event.stream_id, self.paths[event.stream_id])  # the client may have left already
                self.vendor.arrived.set()
            case StreamReset():
                self.vendor.reset.append(event.error_code)
                self.unsent.pop(event.stream_id, None)
                self.vendor.left.set()
            case WindowUpdated():
                for stream_id in list(self.unsent):
                    self._send_more(stream_id)

    def _answer(self, stream: int, path: bytes) -> None:
        match path:
            case b"/turn-away":
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
                self.state.send_data(stream, b" " * 16000)  # with its headers one record of TLS, which is read at once
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
        while data and (room := min(self.state.local_flow_control_window(stream), 16384)):
            self.state.send_data(stream, data[:room])
            data = data[room:]
        self.unsent[stream] = data
        if not data:
            del self.unsent[stream]
            self.state.end_stream(stream)

    def _flush(self) -> None:
        if not self.writer.is_closing():
            self.writer.write(self.state.data_to_send())


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


Make = Callable[..., Any]


@pytest.fixture
def make(speaks_http2: str, trusted: str) -> Make:
    """Make a transport over HTTP/2, and close it: over a client of our own, or over one of a host's."""

    @asynccontextmanager
    async def made(clock: Clock | None = None) -> AsyncIterator[HTTPTransport]:
        clock = clock or SystemClock()
        async with AsyncExitStack() as opened:
            if speaks_http2 == "ours":
                transport = HTTPTransport(clock, network=NetworkSettings(trusted, http2=True))
            else:
                library = importlib.import_module(speaks_http2)
                context = ssl.create_default_context(cafile=trusted)
                limits = library.Limits(max_connections=None)
                client = library.AsyncClient(http2=True, verify=context, timeout=None, limits=limits)
                transport = HTTPTransport(clock, client=await opened.enter_async_context(client))
            opened.push_async_callback(transport.aclose)
            yield transport

    return made


@asynccontextmanager
async def served(
    vendor: Handle, protocols: tuple[str, ...] = ("h2", "http/1.1"), names: tuple[str, ...] = ("localhost",)
) -> AsyncIterator[str]:
    """Serve for the body; gives the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(protocols)
    async with listen(vendor, context) as port:
        yield f"https://localhost:{port}"


def asking(url: str, body: bytes = b"{}", own: str = "own") -> WireRequest:
    return WireRequest(ORIGIN, url, Headers({"authorization": "Bearer sk-key", "x-own": own}), body, model="gpt-x")


async def failure(transport: HTTPTransport, sent: WireRequest, timeout: float = 5.0) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await transport.send(sent, timeout)
    return caught.value


async def test_one_connection_carries_call_after_call(make: Make) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport:
        for number in range(5):
            reply = await transport.send(asking(f"{url}/echo", b"%d" % number), 20.0)
            assert (reply.status, reply.body, reply.content_type) == (200, b"%d" % number, "application/json")
    assert vendor.connections == 1
    assert vendor.headers[b"authorization"] == b"Bearer sk-key"


async def test_a_hundred_calls_at_once_share_one_connection(make: Make) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        calls = (transport.send(asking(f"{url}/echo", b"%d" % number), 20.0) for number in range(100))
        assert [reply.body for reply in await asyncio.gather(*calls)] == [b"%d" % number for number in range(100)]
    assert vendor.connections == 1


async def test_calls_beyond_what_the_server_takes_at_once_wait_for_each_other(make: Make) -> None:
    vendor = Vendor(at_once=10)
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        replies = await asyncio.gather(*(transport.send(asking(f"{url}/echo"), 20.0) for _ in range(60)))
    assert {reply.body for reply in replies} == {b"{}"}
    assert vendor.asked == 60


async def test_a_large_prompt_and_a_large_answer_come_whole(make: Make) -> None:
    large = b" " * (2 * 1024 * 1024)
    async with served(Vendor()) as url, make() as transport:
        assert (await transport.send(asking(f"{url}/echo", large), 20.0)).body == large


async def test_a_stream_comes_piece_by_piece_and_its_leaving_is_told(make: Make) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        neighbour = asyncio.create_task(transport.send(asking(f"{url}/wait"), 20.0))
        stream = await transport.open(asking(f"{url}/piece"), 20.0)
        assert await stream.read() == b"piece"
        await stream.aclose()
        await vendor.left.wait()
        vendor.go_on()
        assert (await neighbour).body == b"{}"
    assert vendor.reset == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


@pytest.mark.parametrize("ends", ["cancelled", "timeout"])
async def test_a_call_that_is_given_up_is_told_and_harms_no_neighbour(make: Make, ends: str) -> None:
    vendor, clock = Vendor(), FakeClock()
    async with served(vendor) as url, make(clock) as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        neighbours = [asyncio.create_task(transport.send(asking(f"{url}/wait"), 20.0)) for _ in range(20)]
        call = asyncio.create_task(transport.send(asking(f"{url}/silence"), 5.0 if ends == "timeout" else 30.0))
        await vendor.was_asked(22)
        if ends == "cancelled":
            call.cancel()
        else:
            clock.advance(5.0)
        await asyncio.wait({call})
        assert call.cancelled() or isinstance(call.exception(), ProviderTimeoutError)
        await vendor.left.wait()
        vendor.go_on()
        assert {reply.body for reply in await asyncio.gather(*neighbours)} == {b"{}"}
    assert vendor.reset == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


async def test_giving_up_waits_for_no_room_on_the_line(make: Make) -> None:
    vendor = Vendor(window=2 * FULL_LINE)
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        call = asyncio.create_task(transport.send(asking(f"{url}/silence"), 30.0))
        neighbour = asyncio.create_task(transport.send(asking(f"{url}/turn-away", b" " * FULL_LINE), 30.0))
        await vendor.turns_away()
        await asyncio.sleep(0.3)
        call.cancel()
        await asyncio.wait({call}, timeout=15.0)
        assert call.cancelled()
        vendor.listening.set()
        assert (await neighbour).body == b"{}"
        await vendor.left.wait()
    assert vendor.reset == [ErrorCodes.CANCEL]
    assert vendor.connections == 1


async def test_giving_up_in_the_middle_of_the_request_takes_the_connection_along(make: Make) -> None:
    """A record of TLS that is cut short cannot be made whole again."""
    vendor = Vendor(window=2 * FULL_LINE)
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        call = asyncio.create_task(transport.send(asking(f"{url}/turn-away", b" " * FULL_LINE), 30.0))
        neighbour = asyncio.create_task(transport.send(asking(f"{url}/echo"), 20.0))
        await vendor.turns_away()
        await asyncio.sleep(0.3)
        call.cancel()
        await asyncio.wait({call}, timeout=15.0)
        assert call.cancelled()
        vendor.listening.set()
        outcome = (await asyncio.gather(neighbour, return_exceptions=True))[0]
        assert isinstance(outcome, WireReply | ProviderUnavailableError)
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).status == 200


async def test_calls_that_were_given_up_do_not_count_among_those_at_once(make: Make) -> None:
    """httpcore alone refuses every call after a hundred of them: encode/httpcore#1022."""
    vendor = Vendor()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        for number in range(3):
            calls = [asyncio.create_task(transport.send(asking(f"{url}/silence"), 30.0)) for _ in range(50)]
            await vendor.was_asked(1 + 50 * (number + 1))
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).body == b"{}"
    assert vendor.connections == 1


async def test_what_was_left_unread_does_not_fill_the_connection(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it has read and nobody took, httpcore gives nothing back; after 16 MB the server may send no more."""
    enough = 16_000_000
    monkeypatch.setattr(httpx_streams, "LOW_WINDOW", enough)  # a tenth of a second in place of three
    vendor = Vendor()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        for _ in range(100):
            stream = await transport.open(asking(f"{url}/flood"), 20.0)
            await stream.aclose()
        await transport.send(asking(f"{url}/echo"), 20.0)
    assert vendor.connections == 1
    assert vendor.room >= enough - 16384


async def test_a_call_may_be_cancelled_once_or_twice_at_any_turn_of_the_loop(make: Make) -> None:
    vendor, outcomes = Vendor(), set()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        for turn in range(50):
            for again in ((), (0,), (1,), (1, 1)):
                call = asyncio.create_task(transport.send(asking(f"{url}/echo"), 20.0))
                for pause in (turn, *again):
                    for _ in range(pause):
                        await asyncio.sleep(0)
                    call.cancel()
                await asyncio.wait({call})
                outcomes.add(call.cancelled())
        replies = await asyncio.gather(*(transport.send(asking(f"{url}/echo"), 20.0) for _ in range(100)))
        assert {reply.body for reply in replies} == {b"{}"}
    assert outcomes == {True, False}
    assert vendor.connections == 1


@pytest.mark.parametrize(("ends", "connections"), [("reset", 1), ("goaway", 2)])
async def test_a_stream_or_a_connection_that_the_server_ends_is_one_that_broke(
    make: Make, ends: str, connections: int
) -> None:
    """After a reset the next call goes over the same connection, after a goodbye over another one."""
    vendor = Vendor()
    async with served(vendor) as url, make() as transport:
        error = await failure(transport, asking(f"{url}/{ends}"))
        assert (type(error), error.phase) == (ProviderUnavailableError, "first byte")
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).status == 200
    assert vendor.connections == connections


@pytest.mark.parametrize("moment", [0, 1, 5, 20, 49])
async def test_a_goodbye_amid_other_calls_is_nobodys_configuration(make: Make, moment: int) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport, asyncio.timeout(50):
        await transport.send(asking(f"{url}/echo"), 20.0)
        paths = ["/goaway" if number == moment else "/echo" for number in range(50)]
        calls = [transport.send(asking(f"{url}{path}", b" " * 50_000), 15.0) for path in paths]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {WireReply, ProviderUnavailableError}
        assert isinstance(outcomes[moment], ProviderUnavailableError)
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).status == 200


async def test_what_h2_itself_refuses_is_a_connection_that_broke(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise TooManyStreamsError("Max outbound streams is 100, 100 open")

    async with served(Vendor()) as url, make() as transport:
        monkeypatch.setattr(H2Connection, "send_headers", refuse)
        error = await failure(transport, asking(f"{url}/echo"))
    assert (type(error), error.phase) == (ProviderUnavailableError, "first byte")


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(make: Make) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport:
        for _ in range(3):
            assert (await transport.send(asking(f"{url}/hang-up"), 20.0)).status == 200
            await asyncio.sleep(0.02)
    assert vendor.connections == 3


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "a\nb", "a\0b"])
async def test_no_header_hides_another_one(make: Make, value: str) -> None:
    vendor = Vendor()
    async with served(vendor) as url, make() as transport:
        assert isinstance(await failure(transport, asking(f"{url}/echo", own=value)), ConfigurationError)
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).status == 200
    assert vendor.asked == 1


@needs_httpx2
async def test_it_goes_through_a_proxys_tunnel(trusted: str) -> None:
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
        back, forth = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            await asyncio.gather(pump(reader, forth), pump(back, writer))
        finally:
            forth.close()

    vendor = Vendor()
    async with served(vendor, names=("vendor.invalid",)) as url, listen(tunnel) as port:
        network = NetworkSettings(trusted, ProxySettings(https=f"localhost:{port}"), http2=True)
        transport = HTTPTransport(SystemClock(), network=network, carrier="httpx2")
        await transport.send(asking("https://vendor.invalid/echo"), 20.0)
        call = asyncio.create_task(transport.send(asking("https://vendor.invalid/silence"), 30.0))
        replies = await asyncio.gather(
            *(transport.send(asking("https://vendor.invalid/echo"), 20.0) for _ in range(20))
        )
        await vendor.was_asked(22)
        call.cancel()
        await vendor.left.wait()
        await transport.aclose()
    assert {reply.body for reply in replies} == {b"{}"}
    assert (tunnels, vendor.connections, vendor.reset) == (1, 1, [ErrorCodes.CANCEL])


async def test_a_server_that_knows_http_1_alone_is_spoken_to_in_it(make: Make) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with served(answer, ("http/1.1",)) as url, make() as transport:
        assert (await transport.send(asking(f"{url}/echo"), 20.0)).body == b"{}"


# --- LLM_HTTP2 -------------------------------------------------------------------------------------------------------


@needs_httpx2
async def test_it_is_one_setting(trusted: str) -> None:
    vendor = Vendor()
    async with served(vendor) as url:
        env = {"GROQ_API_KEY": "k", "GROQ_API_BASE": f"{url}/openai", "SSL_CERT_FILE": trusted, "LLM_HTTP2": "true"}
        async with open_container(env) as container:
            asked = (container.llm().generate(f"ping {number}") for number in range(10))
            assert {response.content for response in await asyncio.gather(*asked)} == {"pong"}
    assert (vendor.asked, vendor.connections) == (10, 1)


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
def test_a_carrier_that_does_not_speak_it_is_refused_at_the_start(carrier: str) -> None:
    with pytest.raises(ConfigurationError, match=f"LLM_HTTP2=true: {carrier} .*LLM_HTTP_CARRIER=httpx2"):
        create_container({"LLM_HTTP2": "true", "LLM_HTTP_CARRIER": carrier}).llm()


@pytest.mark.parametrize(("variable", "value", "lacks", "extra"), [
    ("LLM_HTTP2", "true", "h2", "http2"),
    ("LLM_HTTP2", "true", "httpx2", "http2"),
    ("LLM_HTTP_CARRIER", "httpx2", "httpx2", "httpx2"),
])  # fmt: skip
def test_what_is_not_installed_is_told_at_the_start(
    variable: str, value: str, lacks: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == lacks else object())
    with pytest.raises(ConfigurationError, match=rf"{variable}={value} .* not installed.*faultmaven\[{extra}\]"):
        create_container({variable: value}).llm()


async def test_a_client_that_is_passed_in_goes_before_the_setting(library: Any) -> None:
    env = {"GROQ_API_KEY": "k", "LLM_HTTP2": "true", "LLM_HTTP_CARRIER": "aiohttp"}
    mock = library.MockTransport(lambda request: library.Response(401, json={}))
    async with library.AsyncClient(transport=mock) as client, open_container(env, http_client=client) as container:
        with pytest.raises(AuthenticationError):
            await container.llm().generate("ping")


@pytest.mark.parametrize("carrier", ["aiohttp", "httpx"])
async def test_nobody_else_is_spoken_to_in_it_over_the_same_certificates(carrier: Any, trusted: str) -> None:
    spoken: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def certificates(http2: bool) -> Certificates:
        return Certificates(trusted, http2=http2)

    assert certificates(http2=True).context is certificates(http2=True).context
    assert certificates(http2=True).context is not certificates(http2=False).context
    transport = HTTPTransport(SystemClock(), certificates=certificates(http2=False), carrier=carrier)
    async with served(answer) as url:
        assert (await transport.send(asking(url), 20.0)).body == b"{}"
        await transport.aclose()
    assert spoken == ["http/1.1"]
