"""The error class, retryability and delay of a vendor's error reply: every row of the documents' error tables."""

from dataclasses import replace

import pytest

from faultmaven.domain import errors
from faultmaven.domain.errors import (
    AuthenticationError,
    LLMError,
    ModelNotFoundError,
    ProviderUnavailableError,
    RateLimitError,
    RejectedRequestError,
    WrongEndpointError,
)
from faultmaven.infrastructure.llm.dialects.shared.errors import raise_for_status

from .samples import Sample, json_body, load, reply_of

# wire/README.md, retry classification. 498 and 424 depend on the vendor and have their own samples.
RETRIED = (408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
NEVER_RETRIED = (400, 401, 402, 403, 404, 405, 410, 412, 413, 422, 499, 501)


def _error(reply_status: int, body: bytes = b"", dialect: str = "openai-chat", **headers: str) -> LLMError:
    named_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(LLMError) as caught:
        raise_for_status(reply_of(dialect, body, reply_status, named_headers))
    return caught.value


@pytest.mark.parametrize("sample", load("errors"), ids=str)
def test_error_reply_raises_documented_class(sample: Sample) -> None:
    """The class is exact. Code, delay, request id, vendor message and retryability match where the sample has them."""
    with pytest.raises(LLMError) as caught:
        raise_for_status(sample.reply)
    error, expected = caught.value, sample.expected
    assert type(error) is getattr(errors, expected["error"])
    for name in ("code", "retryable", "retry_after", "request_id", "vendor_message"):
        assert getattr(error, name) == expected.get(name, getattr(error, name)), name
    assert error.status == sample.reply.status
    assert (error.provider, error.model) == ("acme", "acme-1")


@pytest.mark.parametrize("status", RETRIED)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_transient_status_is_retryable_without_body(status: int, body: bytes) -> None:
    """The statuses that the reference retries need no details in the body."""
    assert _error(status, body).retryable


@pytest.mark.parametrize("status", NEVER_RETRIED)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_permanent_status_falls_back_without_retry(status: int, body: bytes) -> None:
    """The same request would fail again at this provider, and another provider may answer."""
    error = _error(status, body)
    assert not error.retryable
    assert error.elsewhere


@pytest.mark.parametrize("status", [418, 425, 431, 451])
def test_unlisted_4xx_raises_rejected_request_error(status: int) -> None:
    """An undocumented 4xx status means a rejected request."""
    assert type(_error(status)) is RejectedRequestError


@pytest.mark.parametrize("status", [505, 511, 530, 599])
def test_unlisted_5xx_raises_provider_unavailable_error(status: int) -> None:
    """An undocumented 5xx status means a failure that may pass."""
    assert type(_error(status)) is ProviderUnavailableError


def test_html_404_page_is_not_model_error() -> None:
    """A proxy's page may contain any word. Only JSON comes from the vendor."""
    assert type(_error(404, b"<html>Our business model</html>")) is WrongEndpointError


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, {}, "Verify that ACME_API_KEY is correct and has proper permissions."),
        (404, {"error": {"code": "model_not_found"}}, "Check the provider's documentation for exact model names"),
        (404, {}, "Check if ACME_API_BASE is set correctly."),
    ],
)
def test_error_advice_names_variable_to_check(status: int, body: object, advice: str) -> None:
    """GUIDE.md, common issues."""
    assert advice in str(_error(status, json_body(body)))


def test_error_message_contains_support_ticket_facts() -> None:
    """Provider, model, status, code and request id are in one line."""
    message = str(_error(401, json_body({"error": {"code": "invalid_api_key"}}), x_request_id="req_1"))
    for part in ("acme", "acme-1", "HTTP 401", "invalid_api_key", "req_1"):
        assert part in message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.75"}, 1.75),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "Mon, 23 Nov 2026 22:00:30 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, 30.0),
        # RFC 9110, 5.6.7: the obsolete forms, and all in UTC.
        ({"retry-after": "Monday, 23-Nov-26 22:00:30 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, 30.0),
        ({"retry-after": "Mon Nov 23 22:00:30 2026", "date": "Mon Nov 23 22:00:00 2026"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 22:00:30 -0000", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, 30.0),
        # A long delay is reported unchanged: a caller with less time refuses to wait.
        ({"retry-after": "999999999999"}, 999999999999.0),
        ({"retry-after": "Tue, 23 Nov 2027 22:00:00 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, 31_536_000.0),
        # A source without a future time yields to the next source.
        ({"retry-after-ms": "0", "retry-after": "2"}, 2.0),
        ({"retry-after": "0", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"retry-after": "2", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 2.0),
        # Values without a usable delay give None, and never another exception.
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after-ms": "0"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 21:59:00 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 22:00:00 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 22:00:30 GMT"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 22:00:30 GMT", "date": "today"}, None),
        ({"retry-after": "Mon, 23 Nov 99999 22:00:30 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, None),
        ({"retry-after": f"Mon, 23 Nov 2026 22:00:30 +{'9' * 30}", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_parses_every_documented_form(status: int, headers: dict[str, str], seconds: float | None) -> None:
    """wire/README.md, delay: `retry-after-ms`; `retry-after` as seconds, float or HTTP date; the reset headers."""
    with pytest.raises(LLMError) as caught:
        raise_for_status(reply_of("openai-chat", b"", status, headers))
    assert caught.value.retry_after == seconds


RECEIVED = 1795471200.0  # Mon, 23 Nov 2026 22:00:00 GMT


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "Mon, 23 Nov 2026 22:00:30 GMT"},
        {"retry-after": "Mon, 23 Nov 2026 22:00:30 GMT", "date": "today"},
        {"retry-after": "Mon, 23 Nov 2026 22:10:30 GMT", "date": "Mon, 23 Nov 2026 22:10:00 GMT"},
        {"x-ratelimit-reset": "1795471230"},
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-23T22:00:30Z"},
    ],
)
def test_absolute_delay_counts_from_reply_date(headers: dict[str, str]) -> None:
    """Without a `date` header the delay counts from the time of reception."""
    with pytest.raises(LLMError) as caught:
        raise_for_status(replace(reply_of("openai-chat", b"", 429, headers), received_at=RECEIVED))
    assert caught.value.retry_after == 30.0


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("31s", 31.0),
        ("0.5s", 0.5),
        ("31", None),
        ("0s", None),
        ("-1s", None),
        ("s", None),
        (31, None),
        (None, None),
        ("9" * 400 + "s", None),
    ],
)
def test_gemini_retry_info_parses_decimal_seconds(delay: object, seconds: float | None) -> None:
    """wire/gemini-generate-content.md section 5."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    body = json_body({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}})
    assert _error(429, body, "gemini-generate-content").retry_after == seconds


def test_retry_after_header_overrides_retry_info() -> None:
    """wire/README.md, delay: the order of sources."""
    body = json_body({"error": {"code": 429, "details": [{"retryDelay": "31s"}]}})
    assert _error(429, body, "gemini-generate-content", retry_after="2").retry_after == 2.0


@pytest.mark.parametrize("status", [400, 401, 402, 404])
def test_permanent_error_has_no_retry_delay(status: int) -> None:
    """A Retry-After on a wrong key does not make the key right."""
    assert _error(status, retry_after="5").retry_after is None


def test_retry_info_overrides_reset_headers() -> None:
    """wire/README.md, delay: the order of sources."""
    body = json_body({"error": {"code": 429, "details": [{"retryDelay": "31s"}]}})
    assert _error(429, body, x_ratelimit_reset_requests="1s").retry_after == 31.0
    assert _error(429, b"{}", x_ratelimit_reset_requests="1s").retry_after == 1.0


def test_cohere_reset_without_count_sets_delay() -> None:
    """wire/cohere-v2-chat.md section 5: `x-ratelimit-reset` is in unix seconds, and no count comes with the header."""
    date = "Mon, 23 Nov 2026 22:00:00 GMT"
    assert _error(429, b"{}", "cohere-v2-chat", x_ratelimit_reset="1795471230", date=date).retry_after == 30.0


@pytest.mark.parametrize("status", [408, 500, 502, 529])
def test_reset_headers_do_not_delay_other_errors(status: int) -> None:
    """The end of a rate limit does not repair a failed server."""
    assert _error(status, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="6m0s").retry_after is None


@pytest.mark.parametrize(
    ("header", "retryable"), [("true", True), ("false", False), (" FALSE ", False), ("maybe", True)]
)
def test_should_retry_header_can_forbid_retry(header: str, retryable: bool) -> None:
    """wire/README.md, delay: `x-should-retry`. Values other than false keep the retryability of the error class."""
    assert _error(503, x_should_retry=header).retryable is retryable


@pytest.mark.parametrize("status", NEVER_RETRIED)
def test_should_retry_header_cannot_retry_permanent_status(status: int) -> None:
    """The same request would fail again, even if the header allows a retry."""
    assert not _error(status, x_should_retry="true").retryable


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"code": "insufficient_quota"}}),
        (400, {"error": {"code": "content_filter"}}),
        (400, {"error": {"code": "context_length_exceeded"}}),
    ],
)
def test_should_retry_header_cannot_override_error_code(status: int, body: object) -> None:
    """wire/README.md, never retry: billing, refusals and context length."""
    assert not _error(status, json_body(body), x_should_retry="true").retryable


@pytest.mark.parametrize(
    ("status", "body", "dialect", "limit"),
    [
        (424, {"error": "text", "error_type": "generation"}, "tgi-generate", 1),
        (424, {"error": "text", "error_type": "generation"}, "openai-chat/tgi", 1),
        (500, {"error": "text", "error_type": "incomplete_generation"}, "tgi-generate", 1),
        (500, {"error": "text", "error_type": "incomplete_generation"}, "openai-chat/tgi", 1),
        (500, {"error": "text"}, "tgi-generate", None),
        (429, {"error": "text", "error_type": "overloaded"}, "tgi-generate", None),
        (503, {}, "openai-chat", None),
    ],
)
def test_failed_generation_allows_one_retry(status: int, body: object, dialect: str, limit: int | None) -> None:
    """wire/huggingface.md section 4, column "retry"."""
    error = _error(status, json_body(body), dialect)
    assert error.retryable
    assert error.retry_limit == limit


def test_vendor_error_rules_are_vendor_specific() -> None:
    """Phrases and statuses of a vendor's table apply to that vendor only."""
    credits_body = json_body({"error": "you used all your credits", "code": "x"})
    assert type(_error(429, credits_body, "openai-chat/groq")) is RateLimitError
    assert type(_error(403, b"{}", "openai-chat/openai")) is AuthenticationError
    assert type(_error(404, json_body({"status": 404}), "openai-chat/xai")) is WrongEndpointError
    assert type(_error(404, json_body({"status": 404}), "openai-chat/nvidia")) is ModelNotFoundError
