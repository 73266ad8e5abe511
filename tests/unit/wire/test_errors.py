"""Which of our errors a vendor's error reply becomes: every row of the documents' error tables."""

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

# wire/README.md, retry classification. 498 and 424 depend on the vendor and have samples of their own.
RETRIED = (408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
NEVER_RETRIED = (400, 401, 402, 403, 404, 405, 410, 412, 413, 422, 499, 501)


def _error(reply_status: int, body: bytes = b"", dialect: str = "openai-chat", **headers: str) -> LLMError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(LLMError) as caught:
        raise_for_status(reply_of(dialect, body, reply_status, named))
    return caught.value


@pytest.mark.parametrize("sample", load("errors"), ids=str)
def test_error_row_becomes_the_documented_type(sample: Sample) -> None:
    """Class exactly, and code, delay, id, prose and retryability where the row says them."""
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
def test_status_that_passes_is_retryable(status: int, body: bytes) -> None:
    """The statuses that the reference retries, with no help from a body."""
    assert _error(status, body).retryable


@pytest.mark.parametrize("status", NEVER_RETRIED)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_status_that_stays_is_not_retryable_and_goes_elsewhere(status: int, body: bytes) -> None:
    """The same request would fail again here; another provider may answer."""
    error = _error(status, body)
    assert not error.retryable
    assert error.elsewhere


@pytest.mark.parametrize("status", [418, 425, 431, 451])
def test_unlisted_4xx_is_a_rejected_request(status: int) -> None:
    """A status that no document names is treated by its class."""
    assert type(_error(status)) is RejectedRequestError


@pytest.mark.parametrize("status", [505, 511, 530, 599])
def test_unlisted_5xx_is_trouble_that_may_pass(status: int) -> None:
    """A status that no document names is treated by its class."""
    assert type(_error(status)) is ProviderUnavailableError


def test_model_in_the_prose_of_html_is_no_unknown_model() -> None:
    """A proxy's page may hold any word; only JSON speaks for the vendor."""
    assert type(_error(404, b"<html>Our business model</html>")) is WrongEndpointError


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, {}, "Verify that ACME_API_KEY is correct and has proper permissions."),
        (404, {"error": {"code": "model_not_found"}}, "Check the provider's documentation for exact model names"),
        (404, {}, "Check if ACME_API_BASE is set correctly."),
    ],
)
def test_advice_is_the_guides_fix_with_the_variable_to_look_at(status: int, body: object, advice: str) -> None:
    """GUIDE.md, common issues."""
    assert advice in str(_error(status, json_body(body)))


def test_message_names_provider_model_status_code_and_id() -> None:
    """What a support ticket needs is in one line."""
    told = str(_error(401, json_body({"error": {"code": "invalid_api_key"}}), x_request_id="req_1"))
    for part in ("acme", "acme-1", "HTTP 401", "invalid_api_key", "req_1"):
        assert part in told


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
        # Long, and told as it is: whoever may not wait so long refuses to.
        ({"retry-after": "999999999999"}, 999999999999.0),
        ({"retry-after": "Tue, 23 Nov 2027 22:00:00 GMT", "date": "Mon, 23 Nov 2026 22:00:00 GMT"}, 31_536_000.0),
        # A source that names no time to come leaves it to the next one.
        ({"retry-after-ms": "0", "retry-after": "2"}, 2.0),
        ({"retry-after": "0", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"retry-after": "2", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 2.0),
        # Nothing to wait for: no delay, and never another exception.
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
def test_retry_after_is_read_in_every_form(status: int, headers: dict[str, str], seconds: float | None) -> None:
    """wire/README.md, delay: `retry-after-ms`, `retry-after` as seconds, float or HTTP date, the reset headers."""
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
def test_moment_counts_from_the_replys_date_and_without_one_from_its_coming(headers: dict[str, str]) -> None:
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
def test_geminis_retry_info_is_decimal_seconds(delay: object, seconds: float | None) -> None:
    """wire/gemini-generate-content.md section 5."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    body = json_body({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}})
    assert _error(429, body, "gemini-generate-content").retry_after == seconds


def test_header_comes_before_retry_info() -> None:
    """wire/README.md, delay: the order of sources."""
    body = json_body({"error": {"code": 429, "details": [{"retryDelay": "31s"}]}})
    assert _error(429, body, "gemini-generate-content", retry_after="2").retry_after == 2.0


@pytest.mark.parametrize("status", [400, 401, 402, 404])
def test_delay_is_told_only_where_waiting_helps(status: int) -> None:
    """A Retry-After on a wrong key does not make it right."""
    assert _error(status, retry_after="5").retry_after is None


def test_reset_headers_come_after_retry_info() -> None:
    """wire/README.md, delay: the order of sources."""
    body = json_body({"error": {"code": 429, "details": [{"retryDelay": "31s"}]}})
    assert _error(429, body, x_ratelimit_reset_requests="1s").retry_after == 31.0
    assert _error(429, b"{}", x_ratelimit_reset_requests="1s").retry_after == 1.0


def test_coheres_reset_without_a_count_counts_on_a_refusal() -> None:
    """wire/cohere-v2-chat.md section 5: `x-ratelimit-reset` is in unix seconds, and no count stands beside it."""
    date = "Mon, 23 Nov 2026 22:00:00 GMT"
    assert _error(429, b"{}", "cohere-v2-chat", x_ratelimit_reset="1795471230", date=date).retry_after == 30.0


@pytest.mark.parametrize("status", [408, 500, 502, 529])
def test_reset_headers_say_nothing_of_other_trouble(status: int) -> None:
    """A server that broke is not back when a limit is."""
    assert _error(status, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="6m0s").retry_after is None


@pytest.mark.parametrize(("told", "retryable"), [("true", True), ("false", False), (" FALSE ", False), ("maybe", True)])
def test_vendor_can_forbid_a_retry(told: str, retryable: bool) -> None:
    """wire/README.md, delay: `x-should-retry`; anything but false leaves the type's own fact."""
    assert _error(503, x_should_retry=told).retryable is retryable


@pytest.mark.parametrize("status", NEVER_RETRIED)
def test_vendor_cannot_ask_for_a_retry_of_what_stays(status: int) -> None:
    """The same request would fail again, whatever a header says."""
    assert not _error(status, x_should_retry="true").retryable


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"code": "insufficient_quota"}}),
        (400, {"error": {"code": "content_filter"}}),
        (400, {"error": {"code": "context_length_exceeded"}}),
    ],
)
def test_vendor_cannot_ask_for_a_retry_of_billing_refusals_and_length(status: int, body: object) -> None:
    """wire/README.md, never retry."""
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
def test_failed_generation_is_worth_one_retry(status: int, body: object, dialect: str, limit: int | None) -> None:
    """wire/huggingface.md section 4, column "retry"."""
    error = _error(status, json_body(body), dialect)
    assert error.retryable
    assert error.retry_limit == limit


def test_one_vendors_rule_does_not_touch_another() -> None:
    """Phrases and statuses of one vendor's table hold for that vendor."""
    credits = json_body({"error": "you used all your credits", "code": "x"})
    assert type(_error(429, credits, "openai-chat/groq")) is RateLimitError
    assert type(_error(403, b"{}", "openai-chat/openai")) is AuthenticationError
    assert type(_error(404, json_body({"status": 404}), "openai-chat/xai")) is WrongEndpointError
    assert type(_error(404, json_body({"status": 404}), "openai-chat/nvidia")) is ModelNotFoundError
