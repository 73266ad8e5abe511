"""Failures of connections and exchanges as `LLMError`, for every carrier."""

import socket
import ssl
from collections.abc import Iterator

from ...domain.errors import LLMError, ProviderConfigurationError, ProviderTimeoutError, ProviderUnavailableError
from .network import NetworkSettings
from .types import WireRequest

CONNECT_SECONDS = 10.0


def connect_seconds(timeout: float | None) -> float:
    """Return the seconds for connecting: `CONNECT_SECONDS`, but at most half of the attempt's `timeout`."""
    return CONNECT_SECONDS if timeout is None else min(CONNECT_SECONDS, timeout / 2)


def timeout_error(sent: WireRequest, phase: str, timeout: float | None) -> ProviderTimeoutError:
    waited = f" within {timeout:.3g} s" if timeout is not None else ""
    problem = {
        "connect": f"no connection{waited}",
        "first byte": f"no reply began{waited}",
        "body": f"the reply began but did not end{waited}",
    }[phase]
    advice = address_advice(sent) if phase == "connect" else ""
    return ProviderTimeoutError(problem, provider=sent.origin.provider, model=sent.model, phase=phase, advice=advice)


def address_error(sent: WireRequest) -> LLMError:
    problem = "the base URL or a header is not valid HTTP"
    return exchange_error(ProviderConfigurationError, sent, problem, "request", address_advice(sent))


def loop_error(sent: WireRequest) -> LLMError:
    """Return the error for a passed-in client in another event loop than its own, for which its connections wait."""
    advice = (
        "Open a container without http_client for another event loop, and for generate_sync, which has its own loop."
    )
    problem = "the http_client that was passed in belongs to another event loop"
    return exchange_error(ProviderConfigurationError, sent, problem, "request", advice)


def proxy_error(sent: WireRequest) -> LLMError:
    advice = "Check HTTPS_PROXY and NO_PROXY."
    return exchange_error(ProviderUnavailableError, sent, "the proxy refused", "proxy", advice)


def broken_error(sent: WireRequest, phase: str) -> LLMError:
    where = "before the reply began" if phase == "first byte" else "in the middle of the reply"
    return exchange_error(ProviderUnavailableError, sent, f"the connection broke {where}", phase)


TLS_ADVICE = (
    "If a proxy or a private authority signs the connection, set SSL_CERT_FILE to its certificate; "
    "if the server serves plain HTTP, use http:// in the base URL."
)


def connect_error(sent: WireRequest, error: Exception) -> LLMError:
    """Return the error for a failed connection. The operating system's own error is the last of the causes."""
    causes = list(_causes(error))
    advice = address_advice(sent)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return exchange_error(ProviderUnavailableError, sent, "the host name could not be resolved", "dns", advice)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return exchange_error(ProviderUnavailableError, sent, "the TLS handshake failed", "tls", TLS_ADVICE)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return exchange_error(ProviderUnavailableError, sent, "the connection was refused", "connect", advice)
    return exchange_error(ProviderUnavailableError, sent, "no connection could be made", "connect", advice)


def other_error(sent: WireRequest, error: Exception, phase: str) -> LLMError:
    return exchange_error(ProviderUnavailableError, sent, f"the exchange failed ({type(error).__name__})", phase)


def exchange_error(kind: type[LLMError], sent: WireRequest, problem: str, phase: str, advice: str = "") -> LLMError:
    return kind(problem, provider=sent.origin.provider, model=sent.model, phase=phase, advice=advice)


def blame_proxy(error: LLMError, sent: WireRequest, network: NetworkSettings) -> LLMError:
    """Change `error` to name the proxy when the connection to a proxy failed; return `error`."""
    variable = network.proxies.variable_for(sent.url) if error.phase in ("connect", "dns") else ""
    if variable:
        error.problem = f"the proxy cannot be reached: {error.problem}"
        error.advice = f"Check {variable} and NO_PROXY."
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and all its causes, contexts and members of groups."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def has_cause(error: Exception, kind: type[BaseException]) -> bool:
    """Return whether `error` or one of its causes is a `kind`."""
    return any(isinstance(cause, kind) for cause in _causes(error))


def without_frames(error: Exception) -> Exception:
    """Remove the frames of `error` and all its causes, whose locals hold headers and bodies; return `error`."""
    for cause in _causes(error):
        cause.__traceback__ = None
    return error


def address_advice(sent: WireRequest) -> str:
    variable = sent.origin.base_url_var
    if sent.origin.is_local:
        return (
            f"Start the server, or check {variable or 'its address'}; "
            "`faultmaven doctor --probe` names the server that answers."
        )
    return f"Check if {variable} is set correctly." if variable else "Check the base URL."
