"""`faultmaven demo`: the output shows the events of real calls of the library."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven.cli.commands.demo import PROVIDERS, SCENES

if TYPE_CHECKING:
    from tests.integration.conftest import RunCli


@pytest.fixture
def events(run_cli: "RunCli") -> list[dict[str, Any]]:
    result = run_cli("demo", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def outcomes(events: list[dict[str, Any]], scene: int) -> list[tuple[str, str, int | None]]:
    ended = [event for event in events if event["scene"] == scene and event["event"] == "AttemptEnded"]
    return [(event["attempt"]["provider"], event["attempt"]["outcome"], event["attempt"]["status"]) for event in ended]


def test_demo_events_have_real_attempt_outcomes(events: list[dict[str, Any]]) -> None:
    """The statuses come from section 5 of each wire document."""
    assert outcomes(events, 1) == [("openai", "answered", 200)]
    assert outcomes(events, 2) == [("openai", "ProviderUnavailableError", 503), ("anthropic", "answered", 200)]
    assert outcomes(events, 3) == [
        ("openai", "AuthenticationError", 401),
        ("anthropic", "MalformedResponseError", 200),
        ("gemini", "answered", 200),
    ]
    assert outcomes(events, 4) == [
        ("openai", "ProviderUnavailableError", 503),
        ("anthropic", "RateLimitError", 429),
        ("gemini", "QuotaExceededError", 429),
        ("ollama", "ProviderUnavailableError", None),
    ]


def test_each_scene_ends_with_call_event(events: list[dict[str, Any]]) -> None:
    last = {event["scene"]: event["event"] for event in events}
    assert last == {1: "CallAnswered", 2: "CallAnswered", 3: "CallAnswered", 4: "CallFailed"}
    assert len(SCENES) == len(last)


def test_every_attempt_has_positive_duration(events: list[dict[str, Any]]) -> None:
    durations = [event["attempt"]["duration"] for event in events if event["event"] == "AttemptEnded"]
    assert all(0 < duration < 5 for duration in durations)


def test_text_output_shows_timed_attempts_and_error(run_cli: "RunCli") -> None:
    result = run_cli("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "openai failed: the vendor is overloaded (HTTP 503, " in result.stdout
    assert "AllProvidersFailedError: all 4 providers failed:" in result.stdout
    assert result.stdout.count("answer: ") == 3
    timed = [line for line in result.stdout.splitlines() if line[3:9].strip().replace(".", "").isdigit()]
    # 4 calls: 10 attempts start and end, 6 fallbacks, 4 calls end
    assert len(timed) == 10 + 10 + 6 + 4


def test_demo_reads_no_environment(run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_DEADLINE=never\n")
    result = run_cli("demo", env={"CHAT_PROVIDER": "nonsense", "HTTP_PROXY": "http://proxy.invalid:1"})
    assert result.exit_code == 0


def test_demo_ends_within_seconds(run_cli: "RunCli") -> None:
    began = time.monotonic()
    run_cli("demo")
    assert time.monotonic() - began < 60  # 3 s on an idle machine


def test_demo_providers_use_four_dialects(run_cli: "RunCli") -> None:
    rows = {row["name"]: row["dialect"].partition("/")[0] for row in json.loads(run_cli("providers", "--json").stdout)}
    assert len({rows[name] for name in PROVIDERS}) == 4
