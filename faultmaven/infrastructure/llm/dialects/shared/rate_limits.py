"""Delay until the next allowed request, from rate-limit headers.

Source: wire reference, README.md, "Delay", 2026-11-23.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from .header_values import (
    from_unix_time,
    parse_decimal,
    parse_internet_time,
    parse_positive,
    seconds_between,
    sent_time,
)

# Header of the remaining count to header of the reset time. `x-ratelimit-remaining` without a scope is Cohere's.
RESET_OF_REMAINING = {
    "x-ratelimit-remaining-requests": "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens": "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-requests-day": "x-ratelimit-reset-requests-day",
    "x-ratelimit-remaining-tokens-minute": "x-ratelimit-reset-tokens-minute",
    "x-ratelimit-remaining": "x-ratelimit-reset",
    "anthropic-ratelimit-requests-remaining": "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining": "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining": "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-remaining": "anthropic-ratelimit-output-tokens-reset",
}

# OpenAI and Groq print durations as Go does, whose largest unit is the hour.
_DURATION = re.compile(
    r"(?:(?P<h>[0-9]{1,9})h)?(?:(?P<m>[0-9]{1,9})m)?(?:(?P<s>[0-9]{1,9}(?:\.[0-9]+)?)s)?(?:(?P<ms>[0-9]{1,9}(?:\.[0-9]+)?)ms)?"
)
_SECONDS_OF_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

# A bare number is either a delay in seconds (Cerebras) or a time in Unix seconds (Cohere). No limit lasts thirty years,
# so that a larger number is a time.
_MIN_UNIX_SECONDS = 1e9


def seconds_until_allowed(
    headers: Mapping[str, str], received_at: float = 0.0, *, is_rate_limited: bool = False
) -> float | None:
    """Return the seconds until the vendor accepts another request, None when no header names an exhausted limit.

    Reset times are compared with the reply's `Date`, which the vendor's clock wrote, or else with `received_at`. With
    several exhausted limits, the longest delay counts.

    Args:
        headers: A reply's headers, names in lower case.
        received_at: Time of the reply in Unix seconds; 0 is unknown.
        is_rate_limited: Whether the status is that of an exceeded limit. A reset time without a remaining count, as
            Cohere sends it, then counts as well.
    """
    resets = []
    for remaining, reset in RESET_OF_REMAINING.items():
        count = headers.get(remaining)
        if (is_rate_limited if count is None else parse_decimal(count) == 0) and (text := headers.get(reset)):
            resets.append(text)
    if not resets:
        return None
    sent_at = sent_time(headers.get("date"), received_at)
    waits = (_seconds_until_reset(text, sent_at) for text in resets)
    return max((seconds for seconds in waits if seconds is not None), default=None)


def _seconds_until_reset(text: str, sent_at: datetime | None) -> float | None:
    number = parse_positive(text)
    if number is None:
        return _parse_duration(text) or seconds_between(sent_at, parse_internet_time(text))
    if number < _MIN_UNIX_SECONDS:
        return number
    return seconds_between(sent_at, from_unix_time(number))


def _parse_duration(text: str) -> float | None:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    parts = ((unit, amount) for unit, amount in match.groupdict().items() if amount)
    return sum(float(amount) * _SECONDS_OF_UNIT[unit] for unit, amount in parts) or None
