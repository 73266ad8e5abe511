"""`faultmaven ask` against the fault lab on a real socket."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven.cli.commands.ask import summarize
from faultmaven.cli.output import print_answer
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.responses import LLMResponse, StopReason

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

# The reply of the lab, after wire/openai-chat.md 3
ANSWER = "The container was killed: out of memory."
CHAIN = {"CHAT_PROVIDER": "openai", "LLM_FALLBACK_CHAIN": "openai,anthropic", "LLM_MAX_RETRIES": "0"}


def test_ask_stdout_holds_only_the_answer(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "Why does my pod restart?", env=lab.local_env("openai"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ANSWER}\n", "")
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Why does my pod restart?"}]


@pytest.mark.parametrize("arguments", [("ask",), ("ask", "-")])
def test_ask_reads_prompt_from_stdin(lab: "GuardedLab", run_cli: "RunCli", arguments: tuple[str, ...]) -> None:
    result = run_cli(*arguments, env=lab.local_env("openai"), input="\ufeffWarum fällt der Pod aus?\n")
    assert result.exit_code == 0
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Warum fällt der Pod aus?\n"}]


def test_invalid_utf8_of_stdin_is_replaced(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", env=lab.local_env("openai"), input=b"exit \xff 137")
    assert result.exit_code == 0
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "exit \N{REPLACEMENT CHARACTER} 137"}]


def test_piped_stdin_follows_prompt_argument(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "faultmaven.cli", "ask", "Why did it die?"]
    env = {**process_env, **lab.local_env("openai")}
    subprocess.run(command, input="exit code 137\n", env=env, check=True, capture_output=True, text=True)
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Why did it die?\n\nexit code 137\n"}]


def test_ask_options_reach_request_body(lab: "GuardedLab", run_cli: "RunCli") -> None:
    options = ("--model", "mistral-large-latest", "--system", "Be brief.", "--max-tokens", "64", "--temperature", "0")
    result = run_cli("ask", "hi", *options, env=lab.local_env("mistral"))
    assert result.exit_code == 0
    body = lab.requests[0].json
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    # wire/openai-chat.md 9.1: Mistral's limit is called max_tokens
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("mistral-large-latest", 64, 0)


def test_provider_option_disables_the_fallback(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("anthropic", "overloaded")
    env = lab.local_env("openai", "anthropic") | CHAIN
    result = run_cli("ask", "hi", "--provider", "anthropic", env=env)
    assert result.exit_code == 3
    assert [request.provider for request in lab.requests] == ["anthropic"]


def test_role_option_selects_primary_provider(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.local_env("openai", "anthropic") | CHAIN | {"CODE_PROVIDER": "anthropic"}
    result = run_cli("ask", "hi", "--role", "code", env=env)
    assert result.exit_code == 0
    assert [request.provider for request in lab.requests] == ["anthropic"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("--provider", "opneai"), 1, "'openai'"),
        (("--provider", "groq"), 1, "GROQ_API_KEY is not set"),
        (("--role", "cdoe"), 2, "'code'"),
        (("--temperature", "nan"), 2, "temperature"),
        (("--max-tokens", "0"), 2, "--max-tokens"),
        (("--deadline", "0"), 2, "--deadline"),
    ],
)
def test_invalid_option_fails_before_any_request(
    lab: "GuardedLab", run_cli: "RunCli", arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    result = run_cli("ask", "hi", *arguments, env=lab.local_env("openai"))
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert lab.requests == []


def test_deadline_option_ends_silent_call(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "silent")
    result = run_cli("ask", "hi", "--deadline", "0.2", env=lab.local_env("openai"))
    assert result.exit_code == 3
    assert "0.2 s" in result.stderr


def test_json_output_has_full_response(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    result = run_cli("ask", "hi", "--json", env=lab.local_env("openai", "anthropic") | CHAIN)
    output = json.loads(result.stdout)
    assert set(output) == {
        "content",
        "provider",
        "model",
        "tokens_used",
        "response_time_ms",
        "stop_reason",
        "usage",
        "attempts",
        "reasoning",
        "tool_calls",
        "parsed",
    }
    assert (output["content"], output["provider"], output["model"]) == (ANSWER, "anthropic", "claude-sonnet-5-5")
    # wire/anthropic-messages.md 3: 8 new and 4 cached of the prompt, 10 visible and 20 thinking of the answer
    assert output["usage"] == {"input": 8, "cache_read": 4, "cache_write": 0, "output": 10, "reasoning": 20}
    assert (output["tokens_used"], output["stop_reason"]) == (42, "stop")
    assert [(attempt["provider"], attempt["status"], attempt["kept"]) for attempt in output["attempts"]] == [
        ("openai", 503, False),
        ("anthropic", 200, True),
    ]


def test_json_error_lists_attempts_by_provider(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    lab.script("anthropic", "unauthorized")
    result = run_cli("ask", "hi", "--json", env=lab.local_env("openai", "anthropic") | CHAIN)
    assert (result.exit_code, result.stderr) == (3, "")
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "AllProvidersFailedError"
    assert "ANTHROPIC_API_KEY" in error["message"]
    assert [(attempt["provider"], attempt["status"]) for attempt in error["attempts"]] == [
        ("openai", 503),
        ("anthropic", 401),
    ]


def test_missing_configuration_error_names_key_variables(run_cli: "RunCli") -> None:
    result = run_cli("ask", "hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "OPENAI_API_KEY" in result.stderr
    assert "Traceback" not in result.stderr


def test_invalid_configuration_error_lists_every_fault(run_cli: "RunCli") -> None:
    env = {"CHAT_PROVIDER": "opneai", "LLM_FALLBACK_CHAIN": "gorq", "OPENAI_API_KEY": "k"}
    result = run_cli("ask", "hi", env=env)
    assert result.exit_code == 1
    assert "'openai'" in result.stderr
    assert "'groq'" in result.stderr


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_blank_prompt_is_usage_error(run_cli: "RunCli", prompt: str) -> None:
    result = run_cli("ask", prompt, env={"OPENAI_API_KEY": "k"})
    assert result.exit_code == 2
    assert "blank" in result.stderr


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_error_hides_key_prompt_and_vendor_text(lab: "GuardedLab", run_cli: "RunCli", options: Any) -> None:
    lab.script("openai", "unauthorized")
    env = lab.local_env("openai") | {"OPENAI_API_KEY": "Zq7wXk2pLm9vRt4y"}
    result = run_cli("ask", "Vx8tNb4q is our secret", *options, env=env)
    assert result.exit_code == 3
    assert "OPENAI_API_KEY" in result.output
    for secret in ("Zq7wXk2p", "Vx8tNb4q", "Incorrect API key provided"):
        assert secret not in result.output


def test_ask_writes_no_log_by_default(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    """Runs a process, because Python prints warnings of a logger without handlers and pytest installs handlers."""
    lab.script("openai", "overloaded")
    env = process_env | lab.local_env("openai", "anthropic") | CHAIN | {"HF_TOKEN": "x"}
    command = [sys.executable, "-m", "faultmaven.cli", "ask", "hi"]
    completed = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, f"{ANSWER}\n", "")


def test_log_level_writes_events_to_stderr(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    env = lab.local_env("openai", "anthropic") | CHAIN | {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "json"}
    result = run_cli("ask", "hi", env=env)
    assert result.stdout == f"{ANSWER}\n"
    events = [json.loads(line)["event"] for line in result.stderr.splitlines()]
    assert events == ["attempt_ended", "fell_back"]


def test_log_level_of_env_file_applies(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\nLOG_FORMAT=json\n")
    result = run_cli("ask", "hi", env=lab.local_env("openai"))
    assert "call_answered" in result.stderr


def test_summary_names_answering_and_failed_providers() -> None:
    attempts = (Attempt("openai", outcome="RateLimitError"), Attempt("groq", outcome="answered", kept=True))
    response = LLMResponse("text", 0.8, "groq", "gpt-oss-120b", 42, 1234.0, (), StopReason.STOP, attempts=attempts)
    assert summarize(response) == "groq, gpt-oss-120b, 42 tokens, 1.23 s; failed before: openai (RateLimitError)"


def test_summary_shows_truncation_and_missing_usage() -> None:
    response = LLMResponse("text", 0.8, "local", "", None, 10.0, (), StopReason.MAX_TOKENS)
    assert summarize(response) == "local, tokens not counted, 0.01 s, stopped by max_tokens"


class FakeTerminal(io.StringIO):
    """A text stream that reports to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream_type", "expected"), [(FakeTerminal, "a\ufffd[2Jb\nc\td\ufffde\n"), (io.StringIO, "a\x1b[2Jb\nc\td\x9be\n")]
)
def test_control_characters_are_replaced_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch, stream_type: type[io.StringIO], expected: str
) -> None:
    stdout = stream_type()
    monkeypatch.setattr(sys, "stdout", stdout)
    print_answer("a\x1b[2Jb\nc\td\x9be")
    assert stdout.getvalue() == expected


def test_terminal_stderr_shows_answering_provider(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    """Standard error is a pseudo-terminal here, and standard output a pipe."""
    controller, terminal = pty.openpty()
    env = process_env | lab.local_env("openai") | {"TERM": "xterm", "COLUMNS": "200"}
    completed = subprocess.run(
        [sys.executable, "-m", "faultmaven.cli", "ask", "hi"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=False,
        timeout=30,
    )
    os.close(terminal)
    output = os.read(controller, 65536).decode()
    os.close(controller)
    assert completed.stdout.decode() == f"{ANSWER}\n"
    assert "\x1b[2mopenai, gpt-6.2-sol, 42 tokens" in output
