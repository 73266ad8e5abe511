"""Parsers for numbers and times in headers. All return None for any other text, and none raises."""

import email.utils
import math
import re
from datetime import UTC, datetime

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse_decimal(text: str | None) -> float | None:
    """Return a plain decimal number: no sign, no exponent, neither infinity nor NaN."""
    if not text or not _DECIMAL.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_positive(text: str | None) -> float | None:
    """Return a plain decimal number greater than zero."""
    return parse_decimal(text) or None


def parse_http_date(text: str | None) -> datetime | None:
    """Return the time of an HTTP date in any of the three formats, all of which are in UTC (RFC 9110, 5.6.7)."""
    try:
        time = email.utils.parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # the asctime format and -0000 name no zone


def sent_time(date: str | None, received_at: float) -> datetime | None:
    """Return the time in the `Date` header of a reply, or else `received_at` in Unix seconds; None when that is 0."""
    return parse_http_date(date) or (from_unix_time(received_at) if received_at else None)


def from_unix_time(seconds: float) -> datetime | None:
    """Return the time of a number of Unix seconds."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def parse_internet_time(text: str) -> datetime | None:
    """Return the time of an RFC 3339 text with a zone, such as `2026-11-23T22:00:30Z`."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time if time.tzinfo else None


def seconds_between(earlier: datetime | None, later: datetime | None) -> float | None:
    """Return the seconds from `earlier` to `later`; None when a time is unknown or `later` is not after `earlier`."""
    if earlier is None or later is None:
        return None
    seconds = (later - earlier).total_seconds()
    return seconds if seconds > 0 else None
