"""`faultmaven ask --stream`, its images, schemas and tools, and `faultmaven chat`, against the lab on a real socket."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

ANSWER = "The container was killed: out of memory."
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOL = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def test_a_stream_prints_the_answer_and_nothing_else(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "why?", "--stream", env=lab.here("openai"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ANSWER}\n", "")
    assert lab.requests[0].json["stream"] is True


def test_a_stream_as_json_is_an_object_a_line(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "why?", "--stream", "--json", env=lab.here("openai"))
    *chunks, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert "".join(chunk.get("text", "") for chunk in chunks) == ANSWER == last["response"]["content"]


def test_a_stream_that_breaks_off_ends_its_line_and_says_why(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.always("openai", "stream_cut")
    result = run_cli("ask", "why?", "--stream", env={**lab.here("openai"), "LLM_MAX_RETRIES": "0"})
    assert result.exit_code == 3
    assert result.stdout.endswith("\n")
    assert ANSWER.startswith(result.stdout.strip())
    assert "without its end marker" in result.stderr


def test_the_calls_of_tools_are_shown(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    lab.always("mistral", "tool_calls")
    (tmp_path / "tool.json").write_text(json.dumps(TOOL))
    result = run_cli("ask", "weather?", "--tool", str(tmp_path / "tool.json"), env=lab.here("mistral"))
    assert result.stdout.splitlines() == ['get_weather({"city":"Oslo"})', 'get_weather({"city":"Rome"})']


def test_an_image_and_a_schema_travel(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "dash.png").write_bytes(PNG)
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    options = ("--image", str(tmp_path / "dash.png"), "--schema", str(tmp_path / "schema.json"))
    result = run_cli("ask", "see?", *options, env={**lab.here("openai"), "LLM_MAX_RETRIES": "0"})
    assert result.exit_code == 3  # the lab's answer is no JSON
    body = lab.requests[0].json
    assert body["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["response_format"]["type"] == "json_schema"


def test_a_file_that_is_none_is_a_wrong_command_line(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    for option in ("--schema", "--tool"):
        for path, told in (("list.json", "holds no JSON object"), ("none.json", "cannot be read")):
            result = run_cli("ask", "x", option, str(tmp_path / path), env=lab.here("openai"))
            assert (result.exit_code, told in result.stderr) == (2, True)
    # Nobody listens there: the mistake is found first.
    missing = run_cli("ask", "x", "--image", str(tmp_path / "no.png"), env={"LOCAL_LLM_BASE_URL": "http://127.0.0.1:1"})
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (2, True)
    assert lab.requests == []


def test_a_conversation_keeps_its_turns_and_changes_provider(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lines = "one?\n/provider anthropc\n/provider anthropic\ntwo?\n/nonsense\n/history\n/reset\nthree?\n/exit\nnever\n"
    result = run_cli("chat", "--provider", "mistral", env=lab.here("mistral", "anthropic"), input=lines)
    assert result.exit_code == 0
    first, second, third = (request.json for request in lab.requests)
    assert [request.provider for request in lab.requests] == ["mistral", "anthropic", "anthropic"]
    assert first["messages"] == [{"role": "user", "content": "one?"}]
    assert [turn["role"] for turn in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == ANSWER
    assert len(third["messages"]) == 1
    assert "did you mean 'anthropic'" in result.stderr
    assert "unknown command /nonsense" in result.stderr
    assert result.stdout.count(ANSWER) == 5  # three answers, and two in the history


def test_an_error_is_told_and_the_conversation_goes_on(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("mistral", "unauthorized")
    env = {**lab.here("mistral"), "LLM_MAX_RETRIES": "0"}
    result = run_cli("chat", env=env, input="one?\ntwo?\n")
    assert result.exit_code == 0
    assert "does not accept the key" in result.stderr
    assert lab.requests[-1].json["messages"] == [{"role": "user", "content": "two?"}]


def test_an_interrupt_stops_the_answer_and_not_the_program(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    lab.script("mistral", "stream_stall")
    command = [sys.executable, "-m", "faultmaven.cli", "chat"]
    env = {**process_env, **lab.here("mistral")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=env, text=True, bufsize=1, **pipes) as chat:  # type: ignore[call-overload]
        chat.stdin.write("one?\n")
        chat.stdin.flush()
        assert chat.stdout.read(3) == ANSWER[:3]
        os.kill(chat.pid, signal.SIGINT)
        out, told = chat.communicate("two?\n/exit\n", timeout=20)
    assert chat.returncode == 0
    assert "Stopped" in told
    assert ANSWER in out
