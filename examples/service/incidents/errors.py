"""Conversion of errors to HTTP responses: one table of statuses, one body."""

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

STATUSES: tuple[tuple[type[LLMError], int], ...] = (  # the first matching class decides
    (ContextLengthError, 413),
    (InvalidRequestError, 400),
    (ContentBlockedError, 422),
    (DeadlineExceededError, 504),
    (ProviderTimeoutError, 504),
    (ConfigurationError, 500),
)
UNAVAILABLE = 503
DEFAULT_RETRY_AFTER_SECONDS = 10.0
MAX_RETRY_AFTER_SECONDS = 300.0


def status_of(error: LLMError) -> int:
    """Return the HTTP status for `error`. When all providers failed with the same status, return that one."""
    if isinstance(error, AllProvidersFailedError):
        statuses = {status_of(cause) for cause in error.causes}
        return statuses.pop() if len(statuses) == 1 else UNAVAILABLE
    return next((status for kind, status in STATUSES if isinstance(error, kind)), UNAVAILABLE)


def retry_after(error: LLMError) -> int:
    """Return the whole seconds until the first provider may answer again, or a default without any hint."""
    causes = error.causes if isinstance(error, AllProvidersFailedError) else (error,)
    hints = [cause.retry_after for cause in causes if cause.retry_after is not None]
    return math.ceil(min([*hints, MAX_RETRY_AFTER_SECONDS] if hints else [DEFAULT_RETRY_AFTER_SECONDS]))


def described(error: LLMError, names_providers: bool) -> dict[str, str]:
    """Return the body for a client. The message holds no key and no prompt, but names providers and variables."""
    body = {"error": type(error).__name__}
    return body | {"detail": str(error)} if names_providers else body


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Handle any `LLMError` that a route raises."""
    if not isinstance(error, LLMError):
        raise error
    status = status_of(error)
    headers = {"Retry-After": str(retry_after(error))} if status == UNAVAILABLE else None
    return JSONResponse(described(error, request.app.state.names_providers), status, headers)
