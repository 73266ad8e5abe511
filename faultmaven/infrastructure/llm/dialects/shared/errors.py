"""Conversion of a vendor's error reply to a subclass of `LLMError`."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .....domain.errors import (
    AuthenticationError,
    ContentBlockedError,
    ContextLengthError,
    LLMError,
    MalformedResponseError,
    ModelNotFoundError,
    ProviderConfigurationError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
)
from ....http.types import Origin, WireReply
from .error_rules import ERROR_RULES, STATUS_OF_TYPE, ErrorRule
from .header_values import parse_http_date, parse_positive, seconds_between, sent_time
from .rate_limits import seconds_until_allowed
from .reading import (
    NOT_JSON,
    identifier_or_empty,
    object_or_empty,
    objects_in,
    parse_json,
    read_request_id,
    shows_secret,
    write_json,
)

MAX_MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class VendorErrorDetails:
    """Contents of a vendor's error body.

    Attributes:
        codes: Codes, types and reasons of the error, the most specific first.
        retry_delay: Seconds until a retry may succeed, None where the body names no delay.
        is_json: Whether the body is JSON. The text of an HTML page decides no error class.
        request_id: The vendor's id of the exchange, "" where the body holds none.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    retry_delay: float | None = None
    is_json: bool = False
    request_id: str = ""


def raise_for_status(reply: WireReply) -> None:
    """Raise the vendor's error unless the status is 200.

    Raises:
        LLMError: `error_rules` decide on the subclass.
        MalformedResponseError: the status is another 1xx or 2xx, which carries no answer.
    """
    if reply.status != 200:
        raise build_error(reply, parse_error_body(reply))


def raise_for_error_body(reply: WireReply, data: Mapping[str, Any]) -> None:
    """Raise the vendor's error if the body of a 200 is an error object.

    The status for `error_rules` is the numeric code of the error, or else the status of its type, or else 500.
    """
    error = data.get("error")
    if not error and data.get("object") != "error":
        return
    details = parse_error_object(data)
    numbers = (int(code) for code in details.codes if re.fullmatch(r"[1-5]\d\d", code))
    types = (STATUS_OF_TYPE[code] for code in details.codes if code in STATUS_OF_TYPE)
    raise build_error(reply, details, status=(*numbers, *types, 500)[0])


def parse_error_body(reply: WireReply) -> VendorErrorDetails:
    """Parse an error body of any form: a JSON object, a JSON list of one object, text, HTML or no bytes."""
    data = parse_json(reply.body)
    if data is NOT_JSON:
        return VendorErrorDetails(reply.body[:MAX_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip())
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, dict):
        return parse_error_object(data)
    return VendorErrorDetails(str(data)[:MAX_MESSAGE_CHARACTERS])


def parse_error_object(data: Mapping[str, Any]) -> VendorErrorDetails:
    """Parse an error object of any vendor's shape (openai-chat.md 9.4, parser rule)."""
    error = data.get("error")
    inner = object_or_empty(error)
    codes = [inner.get("code"), data.get("code"), inner.get("type"), inner.get("status"), data.get("type")]
    codes += [data.get("type_"), data.get("error_type"), data.get("status"), *_read_detail_codes(inner)]
    return VendorErrorDetails(
        _read_message(data, error)[:MAX_MESSAGE_CHARACTERS],
        tuple(dict.fromkeys(code for value in codes if (code := identifier_or_empty(value)))),
        _read_retry_info(inner),
        is_json=True,
        request_id=identifier_or_empty(data.get("request_id")),
    )


def _read_message(data: Mapping[str, Any], error: Any) -> str:
    detail = data.get("detail")
    candidates = (
        object_or_empty(error).get("message"),
        error,
        _to_text(data.get("message")),
        detail,
        object_or_empty(object_or_empty(detail).get("error")).get("message"),
        object_or_empty(detail).get("error"),
        "; ".join(str(item.get("msg")) for item in objects_in(detail)),
        data.get("title"),
    )
    return next((text for text in candidates if isinstance(text, str) and text), None) or str(_to_text(data))


def _to_text(value: Any) -> Any:
    """Return an object or a list as JSON text, since Mistral's `message` may be one; return other values unchanged."""
    return write_json(value).decode() if isinstance(value, dict | list) and value else value


def _read_detail_codes(inner: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the nested codes: Anthropic's `details.error_code`, Azure's inner error, Gemini's reasons and quota ids."""
    details = inner.get("details")
    yield object_or_empty(details).get("error_code")
    yield object_or_empty(inner.get("innererror")).get("code")
    for detail in objects_in(details):
        yield detail.get("reason")
        for violation in objects_in(detail.get("violations")):
            yield violation.get("quotaId")


def _read_retry_info(inner: Mapping[str, Any]) -> float | None:
    """Return the seconds of Gemini's RetryInfo, a decimal number with the suffix `s`."""
    for detail in objects_in(inner.get("details")):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s") and (seconds := parse_positive(delay[:-1])) is not None:
            return seconds
    return None


def build_error(reply: WireReply, details: VendorErrorDetails, status: int | None = None) -> LLMError:
    """Return the error for a reply of a vendor.

    The header `x-should-retry: false` makes any error non-retryable. `true` changes nothing: the header then confirms a
    retryable error, and a request with a non-retryable one (wire reference, README.md) would fail again.

    Args:
        status: Overrides the status of the reply, for errors inside a 200.
    """
    effective = status if status is not None else reply.status
    retry_after = _read_retry_after(reply, details, effective)
    origin = reply.request.origin
    rule = _find_rule(effective, details, origin.dialect, retry_after)
    error_class = rule.error if rule else MalformedResponseError
    error = error_class(
        _describe(error_class, effective, details),
        provider=origin.provider,
        model=reply.request.model,
        status=reply.status,
        code=_first_safe((code for code in details.codes if not code.isdigit()), reply.request.secret),
        request_id=_first_safe((read_request_id(reply), details.request_id), reply.request.secret),
        retry_after=retry_after if issubclass(error_class, RateLimitError | ProviderUnavailableError) else None,
        advice=_build_advice(error_class, origin),
        vendor_message=_redact(details.message, reply.request.secret),
        retry_limit=rule.retry_limit if rule else None,
    )
    if reply.headers.get("x-should-retry", "").strip().lower() == "false":
        error.retryable = False
    return error


def _find_rule(status: int, details: VendorErrorDetails, dialect: str, retry_after: float | None) -> ErrorRule | None:
    message = details.message.lower()
    for rule in _rules_for(status, dialect):
        if rule.codes and not any(_matches(code, pattern) for code in details.codes for pattern in rule.codes):
            continue
        if rule.phrase and not (details.is_json and rule.phrase in message):
            continue
        if rule.has_retry_after and retry_after is None:
            continue
        return rule
    return None


@functools.lru_cache(maxsize=512)
def _rules_for(status: int, dialect: str) -> tuple[ErrorRule, ...]:
    """Return the rules for this status and dialect, in the order of `ERROR_RULES`."""
    return tuple(
        rule
        for rule in ERROR_RULES
        if (not rule.statuses or status in rule.statuses)
        and (not rule.dialect or dialect == rule.dialect or dialect.startswith(rule.dialect + "/"))
    )


def _matches(code: str, pattern: str) -> bool:
    if not pattern.endswith("*"):
        return code == pattern
    fragment = pattern.strip("*")
    return fragment in code if pattern.startswith("*") else code.startswith(fragment)


_PROBLEMS: dict[type[LLMError], str] = {
    AuthenticationError: "the vendor does not accept the key",
    QuotaExceededError: "credits or a long-term quota are used up",
    ModelNotFoundError: "the vendor does not know the model, or does not serve it for this key",
    ContextLengthError: "the prompt is larger than this model or this route accepts",
    RejectedRequestError: "the vendor rejected the request",
    ProviderConfigurationError: "the proxy requires a user and a password",
    ContentBlockedError: "the vendor's safety filter or the model itself refused",
    RateLimitError: "too many requests or tokens for now",
}


def _describe(error_class: type[LLMError], status: int, details: VendorErrorDetails) -> str:
    if error_class is WrongEndpointError:
        redirected = 300 <= status < 400
        return "the address redirects elsewhere" if redirected else "there is no such route at this address"
    if error_class is MalformedResponseError:
        return f"a status of {status} carries no answer"
    if error_class is ProviderUnavailableError:
        busy = status in (503, 529) or any("overloaded" in code for code in details.codes)
        return "the vendor is overloaded" if busy else "the vendor has trouble answering"
    return _PROBLEMS[error_class]


def _build_advice(error_class: type[LLMError], origin: Origin) -> str:
    """Return the troubleshooting advice of the guide, with the environment variable to check."""
    if error_class is AuthenticationError:
        key = origin.api_key_var or "the API key"
        return f"Verify that {key} is correct and has proper permissions."
    if error_class is ModelNotFoundError:
        variable = f" and {origin.model_var}" if origin.model_var else ""
        return f"Check the provider's documentation for exact model names{variable}."
    if error_class is WrongEndpointError:
        return f"Check if {origin.base_url_var or 'the base URL'} is set correctly."
    if error_class is ProviderConfigurationError:
        return "Write user and password into the address in HTTPS_PROXY or HTTP_PROXY."
    return ""


def _first_safe(values: Iterable[str], secret: str) -> str:
    """Return the first value that is not empty and shows no part of the API key, else ""."""
    return next((value for value in values if value and not shows_secret(value, secret)), "")


def _redact(text: str, secret: str) -> str:
    """Remove the API key from a vendor's message, even where the message shows only the key's beginning or end."""
    if len(secret) < 4:
        return text
    text = text.replace(secret, "***")
    for piece in (secret[:8], secret[-8:], secret[:4], secret[-4:]):
        text = re.sub(re.escape(piece) + r"\S*", "***", text)
    return text


def _read_retry_after(reply: WireReply, details: VendorErrorDetails, status: int) -> float | None:
    """Return the seconds that the vendor asks to wait, from the first source with a time in the future.

    Source: wire reference, README.md, delay. A time in the past, a zero and an unreadable value are ignored: the
    configured backoff is better than a guess. A long delay is returned unchanged; the caller decides whether to wait so
    long.
    """
    header = reply.headers.get
    milliseconds = parse_positive(header("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    retry_after = header("retry-after")
    delay = parse_positive(retry_after)
    if delay is None and retry_after:
        delay = seconds_between(sent_time(header("date"), reply.received_at), parse_http_date(retry_after))
    if delay is None:
        delay = details.retry_delay
    if delay is None and status in (429, 503):
        delay = seconds_until_allowed(reply.headers, reply.received_at, is_rate_limited=True)
    return delay
