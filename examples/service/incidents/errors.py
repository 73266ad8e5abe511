"""From errors to HTTP: one table of statuses, one body."""

import math

from fastapi import Request
from fastapi.responses import JSONResponse

from faultmaven import (
    AllProvidersFailedError,
    ConfigurationError,
    ContentBlockedError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ProviderTimeoutError,
)

STATUSES: tuple[tuple[type[LLMError], int], ...] = (  # the first that fits
    (ContextLengthError, 413),
    (InvalidRequestError, 400),
    (ContentBlockedError, 422),
    (DeadlineExceededError, 504),
    (ProviderTimeoutError, 504),
    (ConfigurationError, 500),
)
UNAVAILABLE = 503
RETRY_AFTER = 10.0
LONGEST_RETRY_AFTER = 300.0


def status_of(error: LLMError) -> int:
    """Return the HTTP status for `error`. When all providers failed alike, it is that of any of them."""
    if isinstance(error, AllProvidersFailedError):
        statuses = {status_of(cause) for cause in error.causes}
        return statuses.pop() if len(statuses) == 1 else UNAVAILABLE
    return next((status for kind, status in STATUSES if isinstance(error, kind)), UNAVAILABLE)


def retry_after(error: LLMError) -> int:
    """Return the whole seconds after which the first provider may answer again, a guess where none says."""
    causes = error.causes if isinstance(error, AllProvidersFailedError) else (error,)
    told = [cause.retry_after for cause in causes if cause.retry_after is not None]
    return math.ceil(min([*told, LONGEST_RETRY_AFTER] if told else [RETRY_AFTER]))


def described(error: LLMError, names_providers: bool) -> dict[str, str]:
    """Return what a client is told. The message holds no key and no prompt, but it names providers and variables."""
    body = {"error": type(error).__name__}
    return body | {"detail": str(error)} if names_providers else body


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer any `LLMError` that a route lets through."""
    if not isinstance(error, LLMError):
        raise error
    status = status_of(error)
    headers = {"Retry-After": str(retry_after(error))} if status == UNAVAILABLE else None
    return JSONResponse(described(error, request.app.state.names_providers), status, headers)
