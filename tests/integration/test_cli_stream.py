"""`faultmaven ask --stream` with images, schemas and tools, and `faultmaven chat`, against the fault lab."""

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


def test_stream_prints_only_the_answer(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "why?", "--stream", env=lab.local_env("openai"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{ANSWER}\n", "")
    assert lab.requests[0].json["stream"] is True


def test_json_stream_is_one_object_per_line(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("ask", "why?", "--stream", "--json", env=lab.local_env("openai"))
    *chunks, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert "".join(chunk.get("text", "") for chunk in chunks) == ANSWER == last["response"]["content"]


def test_interrupted_stream_ends_line_and_reports_error(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.always("openai", "stream_cut")
    result = run_cli("ask", "why?", "--stream", env={**lab.local_env("openai"), "LLM_MAX_RETRIES": "0"})
    assert result.exit_code == 3
    assert result.stdout.endswith("\n")
    assert ANSWER.startswith(result.stdout.strip())
    assert "without its end marker" in result.stderr


def test_tool_calls_are_printed_one_per_line(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    lab.always("mistral", "tool_calls")
    (tmp_path / "tool.json").write_text(json.dumps(TOOL))
    result = run_cli("ask", "weather?", "--tool", str(tmp_path / "tool.json"), env=lab.local_env("mistral"))
    assert result.stdout.splitlines() == ['get_weather({"city":"Oslo"})', 'get_weather({"city":"Rome"})']


def test_image_and_schema_options_reach_request(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "dash.png").write_bytes(PNG)
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    options = ("--image", str(tmp_path / "dash.png"), "--schema", str(tmp_path / "schema.json"))
    result = run_cli("ask", "see?", *options, env={**lab.local_env("openai"), "LLM_MAX_RETRIES": "0"})
    assert result.exit_code == 3  # the answer of the lab is not JSON
    body = lab.requests[0].json
    assert body["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["response_format"]["type"] == "json_schema"


def test_unusable_file_argument_is_usage_error(lab: "GuardedLab", run_cli: "RunCli", tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    for option in ("--schema", "--tool"):
        for path, message in (("list.json", "does not contain a JSON object"), ("none.json", "cannot be read")):
            result = run_cli("ask", "x", option, str(tmp_path / path), env=lab.local_env("openai"))
            assert (result.exit_code, message in result.stderr) == (2, True)
    # No server listens at this address: the file is checked before any request.
    missing = run_cli("ask", "x", "--image", str(tmp_path / "no.png"), env={"LOCAL_LLM_BASE_URL": "http://127.0.0.1:1"})
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (2, True)
    assert lab.requests == []


def test_chat_keeps_history_across_provider_change(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lines = "one?\n/provider anthropc\n/provider anthropic\ntwo?\n/nonsense\n/history\n/reset\nthree?\n/exit\nnever\n"
    result = run_cli("chat", "--provider", "mistral", env=lab.local_env("mistral", "anthropic"), input=lines)
    assert result.exit_code == 0
    first, second, third = (request.json for request in lab.requests)
    assert [request.provider for request in lab.requests] == ["mistral", "anthropic", "anthropic"]
    assert first["messages"] == [{"role": "user", "content": "one?"}]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == ANSWER
    assert len(third["messages"]) == 1
    assert "did you mean 'anthropic'" in result.stderr
    assert "unknown command /nonsense" in result.stderr
    assert result.stdout.count(ANSWER) == 5  # three answers, and two in the history


def test_chat_continues_after_provider_error(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("mistral", "unauthorized")
    env = {**lab.local_env("mistral"), "LLM_MAX_RETRIES": "0"}
    result = run_cli("chat", env=env, input="one?\ntwo?\n")
    assert result.exit_code == 0
    assert "does not accept the key" in result.stderr
    assert lab.requests[-1].json["messages"] == [{"role": "user", "content": "two?"}]


def test_interrupt_stops_answer_and_keeps_chat_running(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    lab.script("mistral", "stream_stall")
    command = [sys.executable, "-m", "faultmaven.cli", "chat"]
    env = {**process_env, **lab.local_env("mistral")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=env, text=True, bufsize=1, **pipes) as chat:  # type: ignore[call-overload]
        chat.stdin.write("one?\n")
        chat.stdin.flush()
        assert chat.stdout.read(3) == ANSWER[:3]
        os.kill(chat.pid, signal.SIGINT)
        output, errors = chat.communicate("two?\n/exit\n", timeout=20)
    assert chat.returncode == 0
    assert "Stopped" in errors
    assert ANSWER in output
