"""Tests for event logging: names and fields of records, handlers only on request, no cost for a disabled level."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dependency_injector import containers, providers

import faultmaven
from faultmaven import Container, open_container
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.events import (
    AttemptEnded,
    AttemptStarted,
    CallAnswered,
    CallFailed,
    Event,
    FellBack,
    InputTruncated,
)
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.logging import LoggingObserver, configure_logging, describe, get_logger, level_of
from faultmaven.testing import FakeProvider

FAILED = Attempt("openai", "gpt-6.2-sol", "RateLimitError", status=429, request_id="req_1", duration=0.25)


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The package's logger as a host application sees it, restored after the test."""
    package_logger = logging.getLogger("faultmaven")
    level, propagate, handlers = package_logger.level, package_logger.propagate, list(package_logger.handlers)
    yield package_logger
    package_logger.setLevel(level)
    package_logger.propagate, package_logger.handlers[:] = propagate, handlers


@pytest.mark.parametrize(
    ("event", "level", "name"),
    [
        (AttemptStarted(1, 1, "openai", "m", 30.0), logging.DEBUG, "attempt_started"),
        (AttemptEnded(1, 1, Attempt("openai", "m")), logging.DEBUG, "attempt_ended"),
        (AttemptEnded(1, 1, FAILED), logging.WARNING, "attempt_ended"),
        (FellBack(1, "openai", "groq", "RateLimitError"), logging.WARNING, "fell_back"),
        (CallAnswered(1, "groq", "m", (), 0.5, "stop", Usage(input=1, output=2)), logging.INFO, "call_answered"),
        (InputTruncated(1, "ollama", "m", 9000, 2048), logging.WARNING, "input_truncated"),
        (CallFailed(1, "RateLimitError", (), 0.5), logging.ERROR, "call_failed"),
        (CallFailed(1, "cancelled", (), 0.5), logging.INFO, "call_failed"),
    ],
)
def test_each_event_has_level_and_name(event: Event, level: int, name: str) -> None:
    assert (level_of(event), describe(event)[0]) == (level, name)


def test_failed_attempt_is_logged_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    LoggingObserver(get_logger())(AttemptEnded(7, 2, FAILED))
    (record,) = caplog.records
    assert record.__dict__["faultmaven"] == {
        "event": "attempt_ended",
        "call": 7,
        "attempt": 2,
        "provider": "openai",
        "model": "gpt-6.2-sol",
        "outcome": "RateLimitError",
        "status": 429,
        "request_id": "req_1",
        "duration_ms": 250.0,
    }
    assert "provider=openai" in record.getMessage()


def test_request_change_is_logged_once_per_model(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """Every attempt record has the note; the log has it once per provider and model, when INFO is enabled."""
    observe = LoggingObserver(get_logger())
    seedless = Attempt("groq", "m", notes=("seed left out",))
    logger.setLevel(logging.WARNING)
    observe(AttemptEnded(1, 1, seedless))
    logger.setLevel(logging.INFO)
    for attempt in (seedless, seedless, replace(seedless, model="n"), Attempt("groq", "m")):
        observe(AttemptEnded(1, 1, attempt))
    logged = [record.__dict__["faultmaven"] for record in caplog.records]
    assert logged == [
        {"event": "request_changed", "provider": "groq", "model": model, "note": "seed left out"} for model in "mn"
    ]


def test_disabled_level_builds_no_description(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    logger.setLevel(logging.CRITICAL)
    monkeypatch.setattr("faultmaven.infrastructure.logging.describe", None)  # calling it would raise
    LoggingObserver(get_logger())(AttemptEnded(1, 1, FAILED))


async def test_container_does_not_change_host_logging(logger: logging.Logger) -> None:
    root_before = list(logging.getLogger().handlers)
    async with open_container(providers={"fake": FakeProvider()}) as container:
        await container.llm().generate("ping")
    assert logger.handlers == []
    assert logging.getLogger().handlers == root_before
    assert logger.level == logging.NOTSET


async def test_configure_logging_option_applies_level_and_format(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"LOG_LEVEL": "info", "LOG_FORMAT": "json"}
    async with open_container(env, providers={"fake": FakeProvider()}, configure_logging=True) as container:
        await container.llm().generate("ping")
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"], line["provider"]) == ("call_answered", "info", "fake")


async def test_nested_container_logs_after_apply_logging(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    host = containers.DynamicContainer()
    host.fm = providers.Container(Container, env={"LOG_FORMAT": "json", "LLM_DEDLINE": "3"})
    host.fm.apply_logging()
    host.fm.router_parts()
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["level"]) == ("configuration_warning", "warning")


def test_configure_logging_twice_keeps_one_handler(logger: logging.Logger) -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging("INFO", "json", first)
    configure_logging("INFO", "console", second)
    logger.warning("a record that is not ours")
    assert first.getvalue() == ""
    assert "a record that is not ours" in second.getvalue()


UNCONFIGURED_SCRIPT = """
import asyncio, faultmaven
from faultmaven.testing import FakeProvider

async def main():
    failing = {"fake": FakeProvider(faultmaven.ProviderUnavailableError("down"))}
    async with faultmaven.open_container({"LLM_DEADLINES": "5"}, providers=failing) as container:
        try:
            await container.llm().generate("ping")
        except faultmaven.LLMError:
            print("it failed")

asyncio.run(main())
"""


def test_unconfigured_logging_shows_only_configuration_warnings() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(faultmaven.__file__).parents[1])}
    command = [sys.executable, "-c", UNCONFIGURED_SCRIPT]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert result.stdout == "it failed\n"
    (line,) = result.stderr.splitlines()
    assert line.startswith("configuration_warning warning=LLM_DEADLINES (argument) is unknown")
