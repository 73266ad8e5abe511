"""A vendor's reply that is an error, as one of our types."""

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

MAX_PROSE = 500


@dataclass(frozen=True, slots=True)
class VendorErrorDetails:
    """What a vendor's error body says: its prose, its codes from the most specific on, a delay in seconds, its id."""

    message: str = ""
    codes: tuple[str, ...] = ()
    retry_delay: float | None = None
    is_json: bool = False
    request_id: str = ""


def raise_for_status(reply: WireReply) -> None:
    """Return for a 200; raise the vendor's error otherwise.

    Raises:
        LLMError: see `error_rules` for which.
        MalformedResponseError: a 1xx or 2xx that carries no answer.
    """
    if reply.status != 200:
        raise build_error(reply, parse_error_body(reply))


def raise_for_error_body(reply: WireReply, data: Mapping[str, Any]) -> None:
    """Raise when the body of a 200 is an error object; its own code, or else its type, then stands for the status."""
    error = data.get("error")
    if not error and data.get("object") != "error":
        return
    found = parse_error_object(data)
    numbers = (int(code) for code in found.codes if re.fullmatch(r"[1-5]\d\d", code))
    types = (STATUS_OF_TYPE[code] for code in found.codes if code in STATUS_OF_TYPE)
    raise build_error(reply, found, status=(*numbers, *types, 500)[0])


def parse_error_body(reply: WireReply) -> VendorErrorDetails:
    """Read any error body: a JSON object, a JSON list of one, text, HTML or nothing."""
    data = parse_json(reply.body)
    if data is NOT_JSON:
        return VendorErrorDetails(reply.body[:MAX_PROSE].decode("utf-8", "replace").strip())
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, dict):
        return parse_error_object(data)
    return VendorErrorDetails(str(data)[:MAX_PROSE])


def parse_error_object(data: Mapping[str, Any]) -> VendorErrorDetails:
    """Read an error object in any of the vendors' shapes (openai-chat.md 9.4, parser rule)."""
    error = data.get("error")
    inner = object_or_empty(error)
    codes = [inner.get("code"), data.get("code"), inner.get("type"), inner.get("status"), data.get("type")]
    codes += [data.get("type_"), data.get("error_type"), data.get("status"), *_detail_codes(inner)]
    return VendorErrorDetails(
        _message(data, error)[:MAX_PROSE],
        tuple(dict.fromkeys(code for value in codes if (code := identifier_or_empty(value)))),
        _retry_info(inner),
        is_json=True,
        request_id=identifier_or_empty(data.get("request_id")),
    )


def _message(data: Mapping[str, Any], error: Any) -> str:
    detail = data.get("detail")
    candidates = (
        object_or_empty(error).get("message"),
        error,
        _dumped(data.get("message")),
        detail,
        object_or_empty(object_or_empty(detail).get("error")).get("message"),
        object_or_empty(detail).get("error"),
        "; ".join(str(item.get("msg")) for item in objects_in(detail)),
        data.get("title"),
    )
    return next((text for text in candidates if isinstance(text, str) and text), None) or str(_dumped(data))


def _dumped(value: Any) -> Any:
    """An object or list as text, for a message that is one (Mistral); anything else as it is."""
    return write_json(value).decode() if isinstance(value, dict | list) and value else value


def _detail_codes(inner: Mapping[str, Any]) -> Iterator[Any]:
    """Codes that lie deeper: Anthropic's `details.error_code`, Azure's inner error, Gemini's reasons and quota ids."""
    details = inner.get("details")
    yield object_or_empty(details).get("error_code")
    yield object_or_empty(inner.get("innererror")).get("code")
    for detail in objects_in(details):
        yield detail.get("reason")
        for violation in objects_in(detail.get("violations")):
            yield violation.get("quotaId")


def _retry_info(inner: Mapping[str, Any]) -> float | None:
    """Gemini's RetryInfo: decimal seconds and an `s`."""
    for detail in objects_in(inner.get("details")):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s") and (seconds := parse_positive(delay[:-1])) is not None:
            return seconds
    return None


def build_error(reply: WireReply, found: VendorErrorDetails, status: int | None = None) -> LLMError:
    """Return our error for what the vendor says. `status` overrides the reply's, for errors inside a 200.

    A vendor's `x-should-retry: false` makes any error one that is not retried. Its `true` changes nothing: what we
    retry it only confirms, and what we never retry (wire/README.md) would fail again.
    """
    effective = status if status is not None else reply.status
    retry_after = _retry_after(reply, found, effective)
    origin = reply.request.origin
    rule = _rule(effective, found, origin.dialect, retry_after)
    kind = rule.error if rule else MalformedResponseError
    error = kind(
        _problem(kind, effective, found),
        provider=origin.provider,
        model=reply.request.model,
        status=reply.status,
        code=_shown((code for code in found.codes if not code.isdigit()), reply.request.secret),
        request_id=_shown((read_request_id(reply), found.request_id), reply.request.secret),
        retry_after=retry_after if issubclass(kind, RateLimitError | ProviderUnavailableError) else None,
        advice=_advice(kind, origin),
        vendor_message=_without_secret(found.message, reply.request.secret),
        retry_limit=rule.retry_limit if rule else None,
    )
    if reply.headers.get("x-should-retry", "").strip().lower() == "false":
        error.retryable = False
    return error


def _rule(status: int, found: VendorErrorDetails, dialect: str, retry_after: float | None) -> ErrorRule | None:
    prose = found.message.lower()
    for rule in _rules(status, dialect):
        if rule.codes and not any(_matches(code, wanted) for code in found.codes for wanted in rule.codes):
            continue
        if rule.phrase and not (found.is_json and rule.phrase in prose):
            continue
        if rule.has_retry_after and retry_after is None:
            continue
        return rule
    return None


@functools.lru_cache(maxsize=512)
def _rules(status: int, dialect: str) -> tuple[ErrorRule, ...]:
    """Return the rules for this status in this dialect, in their order."""
    return tuple(
        rule
        for rule in ERROR_RULES
        if (not rule.statuses or status in rule.statuses)
        and (not rule.dialect or dialect == rule.dialect or dialect.startswith(rule.dialect + "/"))
    )


def _matches(code: str, wanted: str) -> bool:
    if not wanted.endswith("*"):
        return code == wanted
    core = wanted.strip("*")
    return core in code if wanted.startswith("*") else code.startswith(core)


_PROBLEMS: dict[type[LLMError], str] = {
    AuthenticationError: "the vendor does not accept the key",
    QuotaExceededError: "credits or a long-term quota are used up",
    ModelNotFoundError: "the vendor does not know the model, or does not serve it for this key",
    ContextLengthError: "the prompt is larger than this model or this route takes",
    RejectedRequestError: "the vendor refused the request as it is",
    ProviderConfigurationError: "the proxy wants a user and a password",
    ContentBlockedError: "the vendor's safety filter or the model itself refused",
    RateLimitError: "too many requests or tokens for now",
}


def _problem(kind: type[LLMError], status: int, found: VendorErrorDetails) -> str:
    if kind is WrongEndpointError:
        redirected = 300 <= status < 400
        return "the address redirects elsewhere" if redirected else "there is no such route at this address"
    if kind is MalformedResponseError:
        return f"a status of {status} carries no answer"
    if kind is ProviderUnavailableError:
        busy = status in (503, 529) or any("overloaded" in code for code in found.codes)
        return "the vendor is overloaded" if busy else "the vendor has trouble answering"
    return _PROBLEMS[kind]


def _advice(kind: type[LLMError], origin: Origin) -> str:
    """The guide's three fixes, with the variable to look at."""
    if kind is AuthenticationError:
        key = origin.api_key_var or "the API key"
        return f"Verify that {key} is correct and has proper permissions."
    if kind is ModelNotFoundError:
        variable = f" and {origin.model_var}" if origin.model_var else ""
        return f"Check the provider's documentation for exact model names{variable}."
    if kind is WrongEndpointError:
        return f"Check if {origin.base_url_var or 'the base URL'} is set correctly."
    if kind is ProviderConfigurationError:
        return "Write them into the address in HTTPS_PROXY or HTTP_PROXY."
    return ""


def _shown(values: Iterable[str], secret: str) -> str:
    """The first that says something and holds no piece of the key."""
    return next((value for value in values if value and not shows_secret(value, secret)), "")


def _without_secret(text: str, secret: str) -> str:
    """Take the key out of a vendor's prose, also where the vendor shows only its beginning or its end."""
    if len(secret) < 4:
        return text
    text = text.replace(secret, "***")
    for piece in (secret[:8], secret[-8:], secret[:4], secret[-4:]):
        text = re.sub(re.escape(piece) + r"\S*", "***", text)
    return text


def _retry_after(reply: WireReply, found: VendorErrorDetails, status: int) -> float | None:
    """Return the seconds that the vendor asks us to wait, from the first source that names a time to come.

    Source: wire/README.md, delay. A time that has passed, a zero and anything unreadable say nothing: our own backoff
    is better than a guess. A long time is told as it is; whether to wait so long is for the caller to decide.
    """
    told = reply.headers.get
    milliseconds = parse_positive(told("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = told("retry-after")
    asked = parse_positive(after)
    if asked is None and after:
        asked = seconds_between(sent_time(told("date"), reply.received_at), parse_http_date(after))
    if asked is None:
        asked = found.retry_delay
    if asked is None and status in (429, 503):
        asked = seconds_until_allowed(reply.headers, reply.received_at, refused=True)
    return asked
