"""What aiohttp raises, as our errors."""

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from ....domain.errors import LLMError, MalformedResponseError
from ..failures import (
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
from ..types import WireRequest

# All that aiohttp raises, and what the layers below it raise for an address or a header that is none.
AIOHTTP_FAILURES = (
    aiohttp.ClientError,
    HttpProcessingError,
    ValueError,
    OverflowError,
    OSError,
    RuntimeError,  # a reply that is read twice at once
)


def aiohttp_error(sent: WireRequest, error: Exception, phase: str, timeout: float | None) -> LLMError:
    """Map every aiohttp exception to ours; a test walks them all.

    Only what says that no connection was made is told so: of anything else the vendor may have seen the request, and
    another attempt may be billed again.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return timeout_error(sent, "connect", connect_seconds(timeout))
        case aiohttp.ServerTimeoutError():
            return timeout_error(sent, phase, timeout)
        case aiohttp.ClientConnectorError():  # first: one of them is a ValueError as well
            return connect_error(sent, error)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError() | OverflowError():
            return address_error(sent)
        case _ if has_cause(error, ContentEncodingError):
            return failure(MalformedResponseError, sent, "the reply's encoding is broken", phase)
        case HttpProcessingError():  # something came, so the vendor has seen the request
            return failure(MalformedResponseError, sent, "the reply is no HTTP", phase)
        case aiohttp.ClientHttpProxyError():
            return proxy_error(sent)
        case (
            aiohttp.ClientPayloadError()  # shorter than announced, or chunks that are none
            | aiohttp.ClientResponseError()
            | aiohttp.ClientConnectionError()
            | OSError()
        ):
            return broken_error(sent, phase)
        case _:
            return other_error(sent, error, phase)
