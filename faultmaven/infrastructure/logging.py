"""Events as log records: structlog in front of the standard logger `faultmaven`, without a handler.

Each event is one record with a name and fields. No record contains prompts, answers or keys.
"""

import functools
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from typing import Any, TextIO

import structlog

from ..domain.attempts import Attempt
from ..domain.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CacheAnswered,
    CallAnswered,
    CallFailed,
    CallShared,
    ConfigurationReloaded,
    Event,
    FellBack,
    HedgeStarted,
    InputTruncated,
    ProviderSkipped,
    ReloadRefused,
    RetryRefused,
    RetryScheduled,
)

LOGGER_NAME = "faultmaven"
MIN_LOGGED_WAIT_SECONDS = 0.001
MAX_LOGGED_NOTES = 1000
"""Limit of different notes that are logged. Notes are written by this package, so that there are far fewer."""


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    fields = {
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "request_id": attempt.request_id,
        "waited_ms": _milliseconds(attempt.waited) if attempt.waited >= MIN_LOGGED_WAIT_SECONDS else None,
        "duration_ms": _milliseconds(attempt.duration),
        "notes": list(attempt.notes),
    }
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def level_of(event: Event) -> int:
    """Return the log level of an event: DEBUG for a successful step of a call, WARNING for a failed one."""
    level = _LEVELS.get(type(event))
    if level is not None:
        return level
    match event:
        case AttemptEnded():
            return logging.DEBUG if event.attempt.outcome in ("answered", "cancelled") else logging.WARNING
        case CallFailed():
            return logging.INFO if event.reason == "cancelled" else logging.ERROR
        case BreakerChanged():
            return logging.WARNING if event.phase == "open" else logging.INFO
        case _:
            raise TypeError(f"{type(event).__name__} is not an event")


_LEVELS = {
    AttemptStarted: logging.DEBUG,
    RetryScheduled: logging.INFO,
    RetryRefused: logging.INFO,
    ProviderSkipped: logging.INFO,
    FellBack: logging.WARNING,
    HedgeStarted: logging.INFO,
    CallShared: logging.DEBUG,
    CacheAnswered: logging.DEBUG,
    CallAnswered: logging.INFO,
    InputTruncated: logging.WARNING,
    ConfigurationReloaded: logging.INFO,
    ReloadRefused: logging.ERROR,
}


def describe(event: Event) -> tuple[str, dict[str, Any]]:
    """Return an event's name, such as "fell_back", and its fields. Measured times are in milliseconds, in fields that
    end in `_ms`; timeouts, delays and the open time of a circuit breaker are in seconds, in fields that end in `_s`."""
    name = _to_snake_case(type(event).__name__)
    match event:
        case AttemptStarted():
            fields = {"provider": event.provider, "model": event.model, "timeout_s": round(event.timeout, 3)}
            return name, {"call": event.call, "attempt": event.number, **fields}
        case AttemptEnded():
            return name, {"call": event.call, "attempt": event.number, **_attempt_fields(event.attempt)}
        case CallAnswered():
            fields = {"call": event.call, "provider": event.provider, "model": event.model}
            total = event.usage.total if event.usage else None
            result = {"stop_reason": event.stop_reason} | ({"tokens": total} if total is not None else {})
            return name, fields | _call_fields(event) | result
        case CallFailed():
            return name, {"call": event.call, "reason": event.reason, **_call_fields(event)}
        case _:
            return name, {_RENAMED.get(field.name, field.name): _read(event, field.name) for field in fields_of(event)}


_RENAMED = {"delay": "delay_s", "seconds": "open_s"}


@functools.cache
def _to_snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _read(event: Event, name: str) -> Any:
    value = getattr(event, name)
    return round(value, 3) if isinstance(value, float) else list(value) if isinstance(value, tuple) else value


def _call_fields(event: CallAnswered | CallFailed) -> dict[str, Any]:
    return {"attempts": len(event.attempts), "duration_ms": _milliseconds(event.duration)}


def _to_standard_record(
    logger: Any, method: str, event_dict: Mapping[str, Any]
) -> tuple[tuple[str], dict[str, dict[str, dict[str, Any]]]]:
    """Return arguments for the standard logger: readable text as the message, the fields in `extra` for formatters."""
    fields = {name: value for name, value in event_dict.items() if name != "event"}
    text = " ".join(f"{name}={value}" for name, value in fields.items())
    return (f"{event_dict['event']} {text}",), {"extra": {"faultmaven": {"event": event_dict["event"], **fields}}}


def get_logger() -> Any:
    """Return the standard logger `faultmaven` wrapped by structlog, independent of the host's structlog settings."""
    return structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[structlog.stdlib.filter_by_level, _to_standard_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )


class LoggingObserver:
    """An `Observer` that writes every event to the logger. An event whose level is off costs one comparison.

    Without configured logging, nothing is written: Python would otherwise print warnings to standard error, in the
    middle of the host's own output.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._standard = logging.getLogger(LOGGER_NAME)
        self._logged_notes: set[tuple[str, str, str]] = set()

    def __call__(self, event: Event, /) -> None:
        """Log `event`."""
        level = level_of(event)
        if self._is_enabled(level):
            name, fields = describe(event)
            self._logger.log(level, name, **fields)
        if isinstance(event, AttemptEnded) and event.attempt.notes and self._is_enabled(logging.INFO):
            self._log_new_notes(event.attempt)

    def _is_enabled(self, level: int) -> bool:
        return self._standard.isEnabledFor(level) and self._standard.hasHandlers()

    def _log_new_notes(self, attempt: Attempt) -> None:
        """Log each part of a request that a provider and model did not get, once; `attempts` have it every time."""
        for note in attempt.notes:
            key = (attempt.provider, attempt.model, note)
            if key not in self._logged_notes and len(self._logged_notes) < MAX_LOGGED_NOTES:
                self._logged_notes.add(key)
                self._logger.info("request_changed", provider=attempt.provider, model=attempt.model, note=note)


class _Formatter(logging.Formatter):
    """Renders records of `LoggingObserver` from their fields, and every other record from its message."""

    def __init__(self, render: Callable[[Any, str, dict[str, Any]], str | bytes]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(getattr(record, LOGGER_NAME, None) or {"event": record.getMessage()})
        event = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **fields,
        }
        return str(self._render(None, record.levelname.lower(), event))


def configure_logging(level: str, form: str | None, stream: TextIO | None = None) -> None:
    """Set the level of the logger `faultmaven` and add one handler to it; replace the handler of an earlier call.

    Args:
        level: A standard level's name.
        form: "json" or "console"; None is console on a terminal and JSON elsewhere.
        stream: None is standard error.
    """
    target = stream or sys.stderr
    console = form == "console" or (form is None and target.isatty())
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=target.isatty()) if console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_Formatter(render))
    handler.set_name("faultmaven")
    logger = logging.getLogger(LOGGER_NAME)
    for earlier in [earlier for earlier in logger.handlers if earlier.get_name() == "faultmaven"]:
        logger.removeHandler(earlier)
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
