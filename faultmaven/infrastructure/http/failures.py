"""What httpx and the layers below it raise, as our errors."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from faultmaven.domain.errors import (
    LLMError,
    MalformedResponseError,
    ProviderConfigurationError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from faultmaven.infrastructure.http.types import WireRequest

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


def timeouts(timeout: float | None) -> httpx.Timeout:
    """Connecting may use half of the attempt; everything after is under the one total, not per read."""
    connect = CONNECT_SECONDS if timeout is None else min(CONNECT_SECONDS, timeout / 2)
    return httpx.Timeout(None, connect=connect)


def timeout_error(sent: WireRequest, phase: str, timeout: float | None) -> ProviderTimeoutError:
    waited = f" within {timeout:.3g} s" if timeout is not None else ""
    problem = {
        "connect": f"no connection{waited}",
        "first byte": f"no reply began{waited}",
        "body": f"the reply began but did not end{waited}",
    }[phase]
    advice = address_advice(sent) if phase == "connect" else ""
    return ProviderTimeoutError(problem, provider=sent.origin.provider, model=sent.model, phase=phase, advice=advice)


def transport_error(sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Map every httpx exception to ours; a test walks them all."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return timeout_error(sent, "connect", timeouts(timeout).connect)
        case httpx.TimeoutException():
            return timeout_error(sent, phase, timeout)
        case (
            httpx.InvalidURL()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | ValueError()
            | OverflowError()
        ):
            problem = "the base URL or a header is not valid HTTP"
            return _error(ProviderConfigurationError, sent, problem, "request", address_advice(sent))
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
    advice = address_advice(sent)
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


def without_frames(error: Exception) -> Exception:
    """Return `error` with its whole chain of causes, without their frames: their locals hold headers and bodies."""
    for cause in _causes(error):
        cause.__traceback__ = None
    return error


def address_advice(sent: WireRequest) -> str:
    variable = sent.origin.base_url_var
    if sent.origin.is_local:
        return (
            f"Start the server, or check {variable or 'its address'}; `faultmaven doctor --probe` names what answers."
        )
    return f"Check if {variable} is set correctly." if variable else "Check the base URL."
