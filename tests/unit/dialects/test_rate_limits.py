"""Seconds until a vendor's rate-limit headers allow the next request. Forms and names are those of wire/*.md."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.http.types import Headers, ReplyStream, WireReply, WireRequest
from faultmaven.infrastructure.llm.dialects.shared.rate_limits import RESET_OF_REMAINING, seconds_until_allowed
from faultmaven.infrastructure.llm.providers import OpenAIProvider, ProviderConfig
from faultmaven.testing import FakeClock

from .samples import json_body

DATE = "Mon, 23 Nov 2026 22:00:00 GMT"


def _openai_headers(remaining: str | None, reset: str | None, kind: str = "requests") -> dict[str, str]:
    headers = {f"x-ratelimit-remaining-{kind}": remaining, f"x-ratelimit-reset-{kind}": reset}
    return {name: value for name, value in headers.items() if value is not None}


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        # wire/README.md, delay: durations of OpenAI and Groq
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("20ms", 0.02),
        ("1s", 1.0),
        ("1h0m0s", 3600.0),
        # float seconds of Cerebras
        ("33011.382867", 33011.382867),
        ("5", 5.0),
        # unix seconds of Cohere, RFC 3339 of Anthropic
        ("1795471230", 30.0),
        ("2026-11-23T22:00:30Z", 30.0),
        ("2026-11-23T23:00:30.5+01:00", 30.5),
        # a time in the past, or now
        ("1795471200", None),
        ("2026-11-23T21:59:59Z", None),
        # no valid form
        ("0", None),
        ("0s", None),
        ("-1", None),
        ("-1s", None),
        ("", None),
        ("s", None),
        ("6m0", None),
        ("1s6m", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("9" * 400, None),
        ("1795471230000", None),
        ("2026-11-23T22:00:30", None),
        ("1s, 2s", None),
        ("٣s", None),
    ],
)
def test_rate_limit_reset_parses_every_form(reset: str, seconds: float | None) -> None:
    assert seconds_until_allowed({**_openai_headers("0", reset), "date": DATE}) == (
        None if seconds is None else pytest.approx(seconds)
    )


@pytest.mark.parametrize("reset", ["1795471230", "2026-11-23T22:00:30Z"])
@pytest.mark.parametrize("date", [{}, {"date": "today"}, {"date": ""}])
def test_absolute_reset_without_date_is_ignored(reset: str, date: dict[str, str]) -> None:
    assert seconds_until_allowed({**_openai_headers("0", reset), **date}) is None


async def test_attempt_limit_counts_from_reception_time() -> None:
    provider = _provider_returning(200, _openai_headers("0", "2026-11-23T22:00:30Z"), ANSWER, received_at=1795471200.0)
    assert (await provider.answer(REQUEST)).attempts[0].limited_for == 30.0


@pytest.mark.parametrize("remaining", ["1", "100", "-1", "", "none", "nan", "0.5"])
def test_remaining_quota_gives_no_delay(remaining: str) -> None:
    """wire/README.md: values can be -1, 0 or absent."""
    assert seconds_until_allowed(_openai_headers(remaining, "6m0s")) is None
    assert seconds_until_allowed(_openai_headers(remaining, "6m0s"), is_rate_limited=True) is None


def test_missing_remaining_count_delays_refusals_only() -> None:
    assert seconds_until_allowed(_openai_headers(None, "6m0s")) is None
    assert seconds_until_allowed(_openai_headers(None, "6m0s"), is_rate_limited=True) == 360.0
    assert seconds_until_allowed(_openai_headers("0", None)) is None


@pytest.mark.parametrize(
    ("remaining", "reset"),
    [
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),
        ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        *(
            (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset")
            for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        ),
    ],
)
def test_every_vendor_header_pair_is_known(remaining: str, reset: str) -> None:
    """wire/README.md, header names."""
    assert seconds_until_allowed({remaining: "0", reset: "1s"}) == 1.0
    assert len(RESET_OF_REMAINING) == 9


def test_longest_rate_limit_reset_wins() -> None:
    headers = _openai_headers("0", "1s") | _openai_headers("0", "6m0s", "tokens")
    assert seconds_until_allowed(headers) == 360.0
    assert seconds_until_allowed(headers | _openai_headers("7", "6m0s", "tokens")) == 1.0


def test_headers_without_rate_limit_give_no_delay() -> None:
    assert seconds_until_allowed({}) is None
    assert seconds_until_allowed({"content-type": "application/json", "date": DATE, "retry-after": "3"}) is None


OFFSETS = [UTC, timezone(timedelta(hours=23, minutes=59)), timezone(-timedelta(hours=23, minutes=59)), None]
MOMENTS = st.builds(lambda when, zone: when.replace(tzinfo=zone).isoformat(), st.datetimes(), st.sampled_from(OFFSETS))
NUMBERS = st.floats().map(str) | st.integers().map(str)
DURATIONS = st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(["h", "m", "s", "ms", ".5s"])), max_size=4).map(
    lambda parts: "".join(f"{amount}{unit}" for amount, unit in parts)
)
DATES = st.datetimes().map(lambda when: f"{when:%a, %d %b %Y %H:%M:%S} GMT")
TEXTS = st.text(max_size=40) | MOMENTS | NUMBERS | DURATIONS | DATES
NAMES = [*RESET_OF_REMAINING, *RESET_OF_REMAINING.values(), "date"]


@given(
    st.dictionaries(st.sampled_from(NAMES), TEXTS | st.just("0"), max_size=8),
    st.booleans(),
)
def test_arbitrary_headers_give_positive_seconds_or_none(headers: dict[str, str], refused: bool) -> None:
    seconds = seconds_until_allowed(headers, is_rate_limited=refused)
    assert seconds is None or (math.isfinite(seconds) and seconds > 0)


@given(st.integers(1, 10**7))
def test_future_reset_gives_exact_seconds(seconds: int) -> None:
    then = datetime(2026, 11, 23, 22, tzinfo=UTC) + timedelta(seconds=seconds)
    for text in (f"{then:%Y-%m-%dT%H:%M:%SZ}", f"{then.timestamp():.0f}"):
        assert seconds_until_allowed({**_openai_headers("0", text), "date": DATE}) == seconds


class SingleReplyTransport:
    """A fake transport that returns the same reply to every request."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, received_at: float) -> None:
        self._parts = (status, headers, body, received_at)

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        status, headers, body, received_at = self._parts
        return WireReply(sent, status, Headers(headers), body, received_at=received_at)

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Do nothing: no connection is open."""


def _provider_returning(status: int, headers: dict[str, str], body: object, received_at: float = 0.0) -> OpenAIProvider:
    config = ProviderConfig(name="acme", base_url="https://acme.invalid/v1", api_key="k", models=["acme-1"])
    return OpenAIProvider.create(
        config, SingleReplyTransport(status, headers, json_body(body), received_at), FakeClock()
    )


ANSWER = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
REQUEST = ChatRequest((Message.user("hi"),))


@pytest.mark.parametrize(("remaining", "limited_for"), [("0", 360.0), ("1", None)])
async def test_answer_attempt_reports_exhausted_rate_limit(remaining: str, limited_for: float | None) -> None:
    """The last request of a minute succeeds, and the headers announce that the next one would fail."""
    provider = _provider_returning(200, _openai_headers(remaining, "6m0s", "tokens"), ANSWER)
    assert (await provider.answer(REQUEST)).attempts[0].limited_for == limited_for


@pytest.mark.parametrize(("remaining", "limited_for"), [("0", 360.0), ("1", None)])
async def test_error_attempt_reports_exhausted_rate_limit(remaining: str, limited_for: float | None) -> None:
    """`limited_for` is independent of the delay that the error itself has."""
    provider = _provider_returning(429, {**_openai_headers(remaining, "6m0s"), "retry-after": "2"}, {})
    with pytest.raises(LLMError) as caught:
        await provider.answer(REQUEST)
    assert caught.value.attempts[0].limited_for == limited_for
    assert caught.value.retry_after == 2.0
