"""Exceptions of httpx or httpx2 and the layers below as `LLMError`."""

import sys
from typing import Any

import h11

from ....domain.errors import LLMError, MalformedResponseError
from ..failures import (
    address_error,
    broken_error,
    connect_error,
    connect_seconds,
    exchange_error,
    has_cause,
    other_error,
    proxy_error,
    timeout_error,
)
from ..types import WireRequest


def httpx_error(httpx: Any, sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Return the `LLMError` for an exception of the package `httpx`; a test covers every class."""
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return timeout_error(sent, "connect", connect_seconds(timeout))
        case httpx.TimeoutException():
            return timeout_error(sent, phase, timeout)
        case httpx.LocalProtocolError() if has_cause(error, _h2_error()):
            return broken_error(sent, phase)  # such as a connection closed between two frames, not an invalid address
        case (
            httpx.InvalidURL()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
            | ValueError()
            | OverflowError()
        ):
            return address_error(sent)
        case httpx.DecodingError():
            return exchange_error(MalformedResponseError, sent, "the reply's encoding is broken", phase)
        case httpx.RemoteProtocolError() if phase == "first byte" and has_cause(error, h11.RemoteProtocolError):
            return exchange_error(MalformedResponseError, sent, "the reply is not HTTP", phase)
        case httpx.ProxyError():
            return proxy_error(sent)
        case httpx.ConnectError():
            return connect_error(sent, error)
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return broken_error(sent, phase)
        case _:
            return other_error(sent, error, phase)


def _h2_error() -> Any:
    """Return the base class of h2's exceptions; () when h2 has not been imported, which no exception matches."""
    return getattr(sys.modules.get("h2.exceptions"), "H2Error", ())
