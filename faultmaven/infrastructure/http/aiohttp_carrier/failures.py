"""Exceptions of aiohttp as `LLMError`."""

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

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

# All exceptions of aiohttp, and those of the layers below for an invalid address or header.
AIOHTTP_FAILURES = (
    aiohttp.ClientError,
    HttpProcessingError,
    ValueError,
    OverflowError,
    OSError,
    RuntimeError,  # two concurrent reads of one reply
)


def aiohttp_error(sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Return the `LLMError` for an exception of aiohttp; a test covers every class.

    Only exceptions that prove that no connection was made become connection errors: after any other, the vendor may
    have received the request, and another attempt may be billed again.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return timeout_error(sent, "connect", connect_seconds(timeout))
        case aiohttp.ServerTimeoutError():
            return timeout_error(sent, phase, timeout)
        case aiohttp.ClientConnectorError():  # before ValueError, which one of its subclasses also is
            return connect_error(sent, error)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError() | OverflowError():
            return address_error(sent)
        case _ if has_cause(error, ContentEncodingError):
            return exchange_error(MalformedResponseError, sent, "the reply's encoding is broken", phase)
        case HttpProcessingError():  # data arrived, so the vendor has received the request
            return exchange_error(MalformedResponseError, sent, "the reply is not HTTP", phase)
        case aiohttp.ClientHttpProxyError():
            return proxy_error(sent)
        case (
            aiohttp.ClientPayloadError()  # shorter than announced, or invalid chunks
            | aiohttp.ClientResponseError()
            | aiohttp.ClientConnectionError()
            | OSError()
        ):
            return broken_error(sent, phase)
        case _:
            return other_error(sent, error, phase)
