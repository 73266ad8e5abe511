"""`faultmaven ask` against the lab on a real socket."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faultmaven.cli.commands.ask import summary
from faultmaven.cli.output import print_answer
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.responses import LLMResponse, StopReason

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

# wire/openai-chat.md 3, as the lab sends it
ANSWER = "The container was killed: out of memory."
CHAIN = {"CHAT_PROVIDER": "openai", "LLM_FALLBACK_CHAIN": "openai,anthropic", "LLM_MAX_RETRIES": "0"}


def test_standard_output_holds_the_answer_and_nothing_else(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "Why does my pod restart?", env=lab.here("openai"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ANSWER}\n", "")
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Why does my pod restart?"}]


@pytest.mark.parametrize("arguments", [("ask",), ("ask", "-")])
def test_the_prompt_may_come_from_standard_input(
    lab: "GuardedLab", run_cli: "RunCli", arguments: tuple[str, ...]
) -> None:
    result = run_cli(*arguments, env=lab.here("openai"), input="\ufeffWarum fällt der Pod aus?\n")
    assert result.exit_code == 0
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Warum fällt der Pod aus?\n"}]


def test_a_stray_byte_of_a_log_is_replaced(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", env=lab.here("openai"), input=b"exit \xff 137")
    assert result.exit_code == 0
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "exit \N{REPLACEMENT CHARACTER} 137"}]


def test_a_piped_log_stands_below_the_question(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "faultmaven.cli", "ask", "Why did it die?"]
    env = {**process_env, **lab.here("openai")}
    subprocess.run(command, input="exit code 137\n", env=env, check=True, capture_output=True, text=True)
    assert lab.requests[0].json["messages"] == [{"role": "user", "content": "Why did it die?\n\nexit code 137\n"}]


def test_every_option_travels(lab: "GuardedLab", run_cli: "RunCli") -> None:
    options = ("--model", "mistral-large-latest", "--system", "Be brief.", "--max-tokens", "64", "--temperature", "0")
    result = run_cli("ask", "hi", *options, env=lab.here("mistral"))
    assert result.exit_code == 0
    body = lab.requests[0].json
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    # wire/openai-chat.md 9.1: Mistral's limit is called max_tokens
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("mistral-large-latest", 64, 0)


def test_provider_pins_one(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("anthropic", "overloaded")
    env = lab.here("openai", "anthropic") | CHAIN
    result = run_cli("ask", "hi", "--provider", "anthropic", env=env)
    assert result.exit_code == 3
    assert [request.provider for request in lab.requests] == ["anthropic"]


def test_role_picks_its_primary(lab: "GuardedLab", run_cli: "RunCli") -> None:
    env = lab.here("openai", "anthropic") | CHAIN | {"CODE_PROVIDER": "anthropic"}
    result = run_cli("ask", "hi", "--role", "code", env=env)
    assert result.exit_code == 0
    assert [request.provider for request in lab.requests] == ["anthropic"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--provider", "opneai"), 1, "'openai'"),
        (("--provider", "groq"), 1, "GROQ_API_KEY is not set"),
        (("--role", "cdoe"), 2, "'code'"),
        (("--temperature", "nan"), 2, "temperature"),
        (("--max-tokens", "0"), 2, "--max-tokens"),
        (("--deadline", "0"), 2, "--deadline"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(
    lab: "GuardedLab", run_cli: "RunCli", arguments: tuple[str, ...], code: int, told: str
) -> None:
    result = run_cli("ask", "hi", *arguments, env=lab.here("openai"))
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert lab.requests == []


def test_deadline_ends_the_call(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "silent")
    result = run_cli("ask", "hi", "--deadline", "0.2", env=lab.here("openai"))
    assert result.exit_code == 3
    assert "0.2 s" in result.stderr


def test_json_tells_everything_about_the_answer(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    result = run_cli("ask", "hi", "--json", env=lab.here("openai", "anthropic") | CHAIN)
    told = json.loads(result.stdout)
    assert set(told) == {
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
    assert (told["content"], told["provider"], told["model"]) == (ANSWER, "anthropic", "claude-sonnet-5-5")
    # wire/anthropic-messages.md 3: 8 new and 4 cached of the prompt, 10 visible and 20 thinking of the answer
    assert told["usage"] == {"input": 8, "cache_read": 4, "cache_write": 0, "output": 10, "reasoning": 20}
    assert (told["tokens_used"], told["stop_reason"]) == (42, "stop")
    assert [(line["provider"], line["status"], line["kept"]) for line in told["attempts"]] == [
        ("openai", 503, False),
        ("anthropic", 200, True),
    ]


def test_an_error_as_json_lists_who_was_asked(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    lab.script("anthropic", "unauthorized")
    result = run_cli("ask", "hi", "--json", env=lab.here("openai", "anthropic") | CHAIN)
    assert (result.exit_code, result.stderr) == (3, "")
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "AllProvidersFailedError"
    assert "ANTHROPIC_API_KEY" in error["message"]
    assert [(line["provider"], line["status"]) for line in error["attempts"]] == [("openai", 503), ("anthropic", 401)]


def test_nothing_configured_names_the_key_variables(run_cli: "RunCli") -> None:
    result = run_cli("ask", "hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "OPENAI_API_KEY" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_does_not_open_shows_every_fault(run_cli: "RunCli") -> None:
    env = {"CHAT_PROVIDER": "opneai", "LLM_FALLBACK_CHAIN": "gorq", "OPENAI_API_KEY": "k"}
    result = run_cli("ask", "hi", env=env)
    assert result.exit_code == 1
    assert "'openai'" in result.stderr
    assert "'groq'" in result.stderr


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_a_blank_prompt_is_a_usage_error(run_cli: "RunCli", prompt: str) -> None:
    result = run_cli("ask", prompt, env={"OPENAI_API_KEY": "k"})
    assert result.exit_code == 2
    assert "blank" in result.stderr


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_no_key_no_prompt_and_no_vendor_prose_in_an_error(lab: "GuardedLab", run_cli: "RunCli", more: Any) -> None:
    lab.script("openai", "unauthorized")
    env = lab.here("openai") | {"OPENAI_API_KEY": "Zq7wXk2pLm9vRt4y"}
    result = run_cli("ask", "Vx8tNb4q is our secret", *more, env=env)
    assert result.exit_code == 3
    assert "OPENAI_API_KEY" in result.output
    for planted in ("Zq7wXk2p", "Vx8tNb4q", "Incorrect API key provided"):
        assert planted not in result.output


def test_an_answer_is_not_buried_under_a_log(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    """As a process: Python prints warnings of a logger without handlers, which pytest's own handlers would hide."""
    lab.script("openai", "overloaded")
    env = process_env | lab.here("openai", "anthropic") | CHAIN | {"HF_TOKEN": "x"}
    command = [sys.executable, "-m", "faultmaven.cli", "ask", "hi"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ANSWER}\n", "")


def test_log_level_brings_the_log(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "overloaded")
    env = lab.here("openai", "anthropic") | CHAIN | {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "json"}
    result = run_cli("ask", "hi", env=env)
    assert result.stdout == f"{ANSWER}\n"
    events = [json.loads(line)["event"] for line in result.stderr.splitlines()]
    assert events == ["attempt_ended", "fell_back"]


def test_log_level_counts_from_the_env_file_too(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\nLOG_FORMAT=json\n")
    result = run_cli("ask", "hi", env=lab.here("openai"))
    assert "call_answered" in result.stderr


def test_the_summary_names_who_answered_and_who_failed_before() -> None:
    attempts = (Attempt("openai", outcome="RateLimitError"), Attempt("groq", outcome="answered", kept=True))
    response = LLMResponse("text", 0.8, "groq", "gpt-oss-120b", 42, 1234.0, (), StopReason.STOP, attempts=attempts)
    assert summary(response) == "groq, gpt-oss-120b, 42 tokens, 1.23 s; before it: openai (RateLimitError)"


def test_the_summary_says_when_an_answer_was_cut_or_not_counted() -> None:
    response = LLMResponse("text", 0.8, "local", "", None, 10.0, (), StopReason.MAX_TOKENS)
    assert summary(response) == "local, tokens not counted, 0.01 s, stopped by max_tokens"


class Screen(io.StringIO):
    """A terminal, as far as its user can tell."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "shown"), [(Screen, "a\ufffd[2Jb\nc\td\ufffde\n"), (io.StringIO, "a\x1b[2Jb\nc\td\x9be\n")]
)
def test_control_characters_reach_a_pipe_but_no_terminal(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], shown: str
) -> None:
    stdout = stream()
    monkeypatch.setattr(sys, "stdout", stdout)
    print_answer("a\x1b[2Jb\nc\td\x9be")
    assert stdout.getvalue() == shown


def test_a_terminal_shows_who_answered(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    """Standard error is a terminal, standard output a pipe."""
    ours, theirs = pty.openpty()
    env = process_env | lab.here("openai") | {"TERM": "xterm", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "faultmaven.cli", "ask", "hi"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        timeout=30,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.stdout.decode() == f"{ANSWER}\n"
    assert "\x1b[2mopenai, gpt-6.2-sol, 42 tokens" in shown
