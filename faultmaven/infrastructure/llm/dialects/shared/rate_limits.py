"""What a reply's rate-limit headers say of the next request. Read on 2026-11-23 from wire/README.md, "Delay"."""

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

# What remains, and when it is whole again. The last of the first group is Cohere's, which names no scope.
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

# A bare number is either a time to wait (Cerebras) or a moment in unix seconds (Cohere): no limit lasts thirty years,
# and no moment lies in 1970.
_FIRST_MOMENT = 1e9


def seconds_until_allowed(
    headers: Mapping[str, str], received_at: float = 0.0, *, refused: bool = False
) -> float | None:
    """Return the seconds for which the vendor lets nothing through, None when the headers do not say so.

    Moments are measured against the reply's own `Date`, whose clock is the vendor's, and without one against ours. Of
    several limits the one that lasts longest counts.

    Args:
        headers: A reply's headers, names in lower case.
        received_at: When the reply came, in Unix seconds; 0 is unknown.
        refused: The reply says that there was too much. A reset without any count of what remains, as Cohere sends it,
            then counts as well.
    """
    resets = []
    for remaining, reset in RESET_OF_REMAINING.items():
        left = headers.get(remaining)
        if (refused if left is None else parse_decimal(left) == 0) and (text := headers.get(reset)):
            resets.append(text)
    if not resets:
        return None
    sent = sent_time(headers.get("date"), received_at)
    waits = (_until_reset(text, sent) for text in resets)
    return max((seconds for seconds in waits if seconds is not None), default=None)


def _until_reset(text: str, sent: datetime | None) -> float | None:
    number = parse_positive(text)
    if number is None:
        return _duration(text) or seconds_between(sent, parse_internet_time(text))
    if number < _FIRST_MOMENT:
        return number
    return seconds_between(sent, from_unix_time(number))


def _duration(text: str) -> float | None:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    parts = ((unit, amount) for unit, amount in found.groupdict().items() if amount)
    return sum(float(amount) * _SECONDS_OF_UNIT[unit] for unit, amount in parts) or None
