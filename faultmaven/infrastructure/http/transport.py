"""HTTPTransport: the one place that awaits httpx. Bytes out, bytes back, or a typed error."""

import contextlib
import functools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from faultmaven.domain.errors import (
    ConfigurationError,
    LLMError,
    MalformedResponseError,
    ProviderConfigurationError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from faultmaven.infrastructure.event_loops import PerLoop
from faultmaven.infrastructure.files import FileState, file_state
from faultmaven.infrastructure.http.connections import ClosingTransport, cancelled_in_waits_only
from faultmaven.infrastructure.http.network import NetworkSettings, network_settings
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.settings import Settings
from faultmaven.ports.clock import Clock

MAX_REPLY_BYTES = 32 * 1024 * 1024
CONNECT_SECONDS = 10.0

# All that httpx raises, and what the layers below it raise for an address or a header that is none.
FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    ValueError,
    OverflowError,
    RuntimeError,  # a passed-in client that is closed
    ExceptionGroup,
)


def build_transport(clock: Clock, client: httpx.AsyncClient | None, settings: Settings) -> "HTTPTransport":
    """Return the transport that all providers of one configuration share; a passed-in client stays the host's.

    Raises:
        ConfigurationError: a certificate path or a proxy that is none.
    """
    network = network_settings(settings)
    # A file without certificates is told now, and not by the first call; what becomes of it later changes nothing.
    certificates = ssl_context(network.certificates) if network.certificates and client is None else None
    return HTTPTransport(clock, client=client, network=network, certificates=certificates)


class HTTPTransport:
    """Sends wire requests through one shared httpx client per event loop."""

    def __init__(
        self,
        clock: Clock,
        *,
        client: httpx.AsyncClient | None = None,
        network: NetworkSettings | None = None,
        certificates: ssl.SSLContext | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Args:
        client: A client of the host's, used for everything and closed by the host.
        certificates: What is trusted, in every event loop; None reads what `network` names at the first use.
        max_reply_bytes: A reply whose decoded body is larger is refused, so that no server fills the memory.
        wall_clock: Gives Unix seconds: a moment that a vendor names without a `Date` beside it is measured by it.
        """
        self._clock = clock
        self._client = client
        self._network = network or NetworkSettings()
        self._certificates = certificates
        self._max_reply_bytes = max_reply_bytes
        self._wall_clock = wall_clock
        self._clients = PerLoop(lambda: _LoopClient(self._make_client()), _LoopClient.aclose)
        self._retired = False

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Return the whole reply to `sent`, whatever its status, within `timeout` seconds.

        Raises:
            ProviderTimeoutError: with its phase, "connect", "first byte" or "body".
            ProviderUnavailableError: refused, reset, DNS, TLS.
            MalformedResponseError: not HTTP, undecodable, or larger than the limit.
            ProviderConfigurationError: the address is no URL.
        """
        progress = _Progress(self._clock.monotonic())
        try:
            async with self._clock.timeout(timeout):
                return await cancelled_in_waits_only(self._exchange(sent, timeout, progress))
        except TimeoutError:
            raise _timeout_error(sent, progress.phase, timeout) from None
        except FAILURES as error:
            mapped = _transport_error(sent, error, progress.phase, timeout)
            proxy = self._network.proxies.variable_for(sent.url)
            if proxy and mapped.phase in ("connect", "dns"):
                mapped.problem = f"the proxy cannot be reached: {mapped.problem}"
                mapped.advice = f"Check {proxy} and NO_PROXY."
            raise mapped from _without_frames(error)

    async def aclose(self) -> None:
        """Close the running loop's connections; a client that the host passed in stays open."""
        await self._clients.aclose()

    def retire(self) -> None:
        """Close each loop's connections as soon as nothing is under way there; any thread may call this.

        A call that began before may still send: it gets a connection, which is closed after it.
        """
        self._retired = True
        for loop in self._clients.loops():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, and its connections with it
                loop.call_soon_threadsafe(self._close_if_idle)

    @property
    def is_open(self) -> bool:
        """Whether any loop holds a client or is still closing one."""
        return bool(self._clients.loops())

    def _close_if_idle(self) -> None:
        held = self._clients.here()
        if held is not None and not held.exchanges:
            self._clients.close_soon()

    async def _exchange(self, sent: WireRequest, timeout: float | None, progress: "_Progress") -> WireReply:
        if self._client is not None:
            return await self._converse(self._client, sent, timeout, progress)
        held = await self._clients.get()
        held.exchanges += 1
        try:
            return await self._converse(held.client, sent, timeout, progress)
        finally:
            held.exchanges -= 1
            if self._retired:
                self._close_if_idle()

    async def _converse(
        self, client: httpx.AsyncClient, sent: WireRequest, timeout: float | None, progress: "_Progress"
    ) -> WireReply:
        request = client.build_request(
            sent.method,
            sent.url,
            headers=sent.headers,
            content=sent.body if sent.method == "POST" else None,
            timeout=_timeouts(timeout),
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        progress.phase = "body"
        time_to_headers, received_at = self._clock.monotonic() - progress.started, self._wall_clock()
        try:
            body = await self._read(response, sent)
        finally:
            await response.aclose()
        return WireReply(sent, response.status_code, response.headers, body, time_to_headers, received_at)

    async def _read(self, response: httpx.Response, sent: WireRequest) -> bytes:
        blocks: list[bytes] = []
        size = 0
        async for block in response.aiter_bytes():
            size += len(block)
            if size > self._max_reply_bytes:
                raise MalformedResponseError(
                    f"the reply is larger than {self._max_reply_bytes} bytes",
                    provider=sent.origin.provider,
                    model=sent.model,
                    status=response.status_code,
                    advice=_address_advice(sent),
                )
            blocks.append(block)
        return b"".join(blocks)

    def _make_client(self) -> httpx.AsyncClient:
        if self._certificates is None:
            self._certificates = ssl_context(self._network.certificates)
        context = self._certificates
        # No cap on connections: the pool is shared by all providers, and a slow one must never block another.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
        mounts = {
            pattern: ClosingTransport(context, limits, proxy) if proxy else None
            for pattern, proxy in self._network.proxies.mounts().items()
        }
        return httpx.AsyncClient(
            transport=ClosingTransport(context, limits),
            trust_env=False,
            mounts=mounts,
            timeout=_timeouts(None),
            follow_redirects=False,
        )


class _LoopClient:
    """One event loop's client, and how many exchanges are under way on it."""

    __slots__ = ("client", "exchanges")

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.exchanges = 0

    async def aclose(self) -> None:
        """Close the client with all its connections."""
        await cancelled_in_waits_only(self.client.aclose())


class _Progress:
    """How far an exchange came, so that a timeout can say in which phase it struck."""

    __slots__ = ("phase", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.phase = "first byte"


def ssl_context(certificates: str) -> ssl.SSLContext:
    """Return a verifying context, built once for each state of the file: reading certificates takes about 25 ms.

    Args:
        certificates: A PEM file or a folder of hashed certificates; "" for the bundle of certifi.

    Raises:
        ConfigurationError: the path is missing or holds no certificate.
    """
    return _ssl_context(certificates, file_state(Path(certificates)) if certificates else None)


@functools.lru_cache(maxsize=4)  # of certificates that rotate, the old ones go
def _ssl_context(certificates: str, state: FileState | None) -> ssl.SSLContext:
    if not certificates:
        return httpx.create_ssl_context(trust_env=False)
    context = ssl.create_default_context()
    try:
        _load_certificates(context, certificates)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"no certificates could be read from {certificates!r}",
            advice="Set SSL_CERT_FILE to a PEM file, or SSL_CERT_DIR to a folder, that this process can read.",
        ) from error
    return context


def _load_certificates(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except IsADirectoryError:
        context.load_verify_locations(capath=path)


def _timeouts(timeout: float | None) -> httpx.Timeout:
    """Connecting may use half of the attempt; everything after is under the one total, not per read."""
    connect = CONNECT_SECONDS if timeout is None else min(CONNECT_SECONDS, timeout / 2)
    return httpx.Timeout(None, connect=connect)


def _timeout_error(sent: WireRequest, phase: str, timeout: float | None) -> ProviderTimeoutError:
    waited = f" within {timeout:.3g} s" if timeout is not None else ""
    problem = {
        "connect": f"no connection{waited}",
        "first byte": f"no reply began{waited}",
        "body": f"the reply began but did not end{waited}",
    }[phase]
    advice = _address_advice(sent) if phase == "connect" else ""
    return ProviderTimeoutError(problem, provider=sent.origin.provider, model=sent.model, phase=phase, advice=advice)


def _transport_error(sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Map every httpx exception to ours; a test walks them all."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return _timeout_error(sent, "connect", _timeouts(timeout).connect)
        case httpx.TimeoutException():
            return _timeout_error(sent, phase, timeout)
        case (
            httpx.InvalidURL()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | ValueError()
            | OverflowError()
        ):
            problem = "the base URL or a header is not valid HTTP"
            return _error(ProviderConfigurationError, sent, problem, "request", _address_advice(sent))
        case httpx.DecodingError():
            return _error(MalformedResponseError, sent, "the reply's encoding is broken", phase)
        case httpx.ProxyError():
            return _error(
                ProviderUnavailableError, sent, "the proxy refused", "proxy", "Check HTTPS_PROXY and NO_PROXY."
            )
        case httpx.ConnectError():
            return _connect_error(sent, error)
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            where = "before the reply began" if phase == "first byte" else "in the middle of the reply"
            return _error(ProviderUnavailableError, sent, f"the connection broke {where}", phase)
        case _:
            return _error(ProviderUnavailableError, sent, f"the exchange failed ({type(error).__name__})", phase)


TLS_ADVICE = (
    "If a proxy or a private authority signs the connection, set SSL_CERT_FILE to its certificate; "
    "if the server speaks plain HTTP, use http:// in the base URL."
)


def _connect_error(sent: WireRequest, error: Exception) -> LLMError:
    causes = list(_causes(error))
    advice = _address_advice(sent)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return _error(ProviderUnavailableError, sent, "the host name could not be resolved", "dns", advice)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return _error(ProviderUnavailableError, sent, "the TLS handshake failed", "tls", TLS_ADVICE)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return _error(ProviderUnavailableError, sent, "the connection was refused", "connect", advice)
    return _error(ProviderUnavailableError, sent, "no connection could be made", "connect", advice)


def _error(kind: type[LLMError], sent: WireRequest, problem: str, phase: str, advice: str = "") -> LLMError:
    return kind(problem, provider=sent.origin.provider, model=sent.model, phase=phase, advice=advice)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk causes, contexts and groups: the operating system's own error lies at the bottom."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _without_frames(error: Exception) -> Exception:
    """Return `error` with its whole chain of causes, without their frames: their locals hold headers and bodies."""
    for cause in _causes(error):
        cause.__traceback__ = None
    return error


def _address_advice(sent: WireRequest) -> str:
    variable = sent.origin.base_url_var
    if sent.origin.is_local:
        return (
            f"Start the server, or check {variable or 'its address'}; `faultmaven doctor --probe` names what answers."
        )
    return f"Check if {variable} is set correctly." if variable else "Check the base URL."
