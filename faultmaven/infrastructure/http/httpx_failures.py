"""What httpx and the layers below it raise, as our errors."""

import h11
import httpx

from faultmaven.domain.errors import LLMError, MalformedResponseError
from faultmaven.infrastructure.http.failures import (
    address_error,
    broken_error,
    connect_error,
    connect_seconds,
    failure,
    has_cause,
    other_error,
    proxy_error,
    timeout_error,
)
from faultmaven.infrastructure.http.types import WireRequest

# All that httpx raises, and what the layers below it raise for an address or a header that is none.
HTTPX_FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    ValueError,
    OverflowError,
    RuntimeError,  # a passed-in client that is closed
    ExceptionGroup,
)


def httpx_error(sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Map every httpx exception to ours; a test walks them all."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return timeout_error(sent, "connect", connect_seconds(timeout))
        case httpx.TimeoutException():
            return timeout_error(sent, phase, timeout)
        case (
            httpx.InvalidURL()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | ValueError()
            | OverflowError()
        ):
            return address_error(sent)
        case httpx.DecodingError():
            return failure(MalformedResponseError, sent, "the reply's encoding is broken", phase)
        case httpx.RemoteProtocolError() if phase == "first byte" and has_cause(error, h11.RemoteProtocolError):
            return failure(MalformedResponseError, sent, "the reply is no HTTP", phase)
        case httpx.ProxyError():
            return proxy_error(sent)
        case httpx.ConnectError():
            return connect_error(sent, error)
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return broken_error(sent, phase)
        case _:
            return other_error(sent, error, phase)
