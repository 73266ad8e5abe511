"""`faultmaven chat`: Ctrl-C in a real process, invalid bytes, wrong providers, and the display of reasoning."""

import io
import json
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

import pytest

from faultmaven.cli.output import LivePrinter
from faultmaven.domain.chat import StreamChunk

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

ANSWER = "The container was killed: out of memory."
# A background job of a shell inherits an ignored SIGINT, so the default handler is installed as in a terminal.
MAIN_WITH_SIGINT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from faultmaven.cli import main; sys.exit(main())"
)


class ChatProcess:
    """A `faultmaven chat` process that a test types lines to and interrupts."""

    def __init__(self, env: dict[str, str]) -> None:
        command = [sys.executable, "-u", "-c", MAIN_WITH_SIGINT, "chat"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)

    def type_line(self, line: str) -> None:
        stdin = _require_pipe(self.process.stdin)
        stdin.write(line.encode())
        stdin.flush()

    def wait_for(self, text: str) -> None:
        """Read standard error up to the line that contains `text`."""
        for line in _require_pipe(self.process.stderr):
            if text in line.decode():
                return
        pytest.fail(f"it ended without {text!r}")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode()


def _require_pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


@pytest.fixture
def env(lab: "GuardedLab", process_env: dict[str, str]) -> dict[str, str]:
    return process_env | lab.local_env("openai") | {"LLM_MAX_RETRIES": "0"}


def chat_at_prompt(env: dict[str, str]) -> ChatProcess:
    """Start a chat that has run one command, so that the process waits for the next line."""
    chat = ChatProcess(env)
    chat.type_line("/help\n")
    chat.wait_for("At the prompt")
    return chat


def test_second_interrupt_at_prompt_exits_zero(env: dict[str, str]) -> None:
    """The process ends although standard input stays open: the exit does not wait for the reading thread."""
    chat = chat_at_prompt(env)
    chat.interrupt()
    chat.wait_for("Ctrl-C again")
    chat.interrupt()
    assert chat.process.wait(20) == 0
    assert chat.end() == (0, "")


def test_interrupt_at_prompt_loses_no_line(lab: "GuardedLab", env: dict[str, str]) -> None:
    chat = chat_at_prompt(env)
    for question in ("one?", "two?"):  # a typed line resets the count of interrupts
        chat.interrupt()
        chat.wait_for("Ctrl-C again")
        chat.type_line(f"{question}\n")
        chat.wait_for("openai (")
    chat.type_line("/exit\n")
    assert chat.end() == (0, f"{ANSWER}\n{ANSWER}\n")
    assert [message["content"] for message in lab.requests[-1].json["messages"]] == ["one?", ANSWER, "two?"]


def test_interrupted_answer_and_question_leave_history(lab: "GuardedLab", env: dict[str, str]) -> None:
    lab.script("openai", "stream_stall")
    chat = ChatProcess(env)
    chat.type_line("one?\n")
    assert _require_pipe(chat.process.stdout).read(3) == ANSWER[:3].encode()
    chat.interrupt()
    chat.wait_for("Stopped")
    chat.type_line("two?\n")
    code, out = chat.end()
    assert (code, out.splitlines()[-1]) == (0, ANSWER)
    assert lab.requests[-1].json["messages"] == [{"role": "user", "content": "two?"}]


@pytest.mark.parametrize("encoding", ["C", "C.UTF-8"])
def test_chat_replaces_invalid_utf8_and_drops_bom(lab: "GuardedLab", env: dict[str, str], encoding: str) -> None:
    chat = ChatProcess(env | {"LC_ALL": encoding})
    _require_pipe(chat.process.stdin).write(b"\xef\xbb\xbfexit \xff 137\r\n/exit")
    assert chat.end() == (0, f"{ANSWER}\n")
    assert lab.requests[0].json["messages"][0]["content"] == "exit \N{REPLACEMENT CHARACTER} 137"


def test_unknown_provider_ends_chat_without_requests(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("chat", "--provider", "opneai", env=lab.local_env("openai"), input="hi\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'openai'" in result.stderr
    assert lab.requests == []


def test_error_before_text_leaves_stdout_empty(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "unauthorized")
    result = run_cli("chat", env=lab.local_env("openai") | {"LLM_MAX_RETRIES": "0"}, input="hi\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "OPENAI_API_KEY" in result.stderr


def test_json_stream_ends_with_error_object(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "stream_error_middle")
    env = lab.local_env("openai") | {"LLM_MAX_RETRIES": "0"}
    result = run_cli("ask", "hi", "--stream", "--json", env=env)
    *chunks, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (3, "")
    assert ANSWER.startswith("".join(chunk["text"] for chunk in chunks))
    assert last["error"]["type"] == "ProviderUnavailableError"


class FakeTerminal(io.StringIO):
    """A text stream that reports to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream_type", "expected"), [(FakeTerminal, "Hm, so.\n"), (io.StringIO, "")])
def test_reasoning_is_shown_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch, stream_type: type[io.StringIO], expected: str
) -> None:
    stdout, stderr = io.StringIO(), stream_type()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "dumb")  # without colours, so that only the text is written
    with LivePrinter() as printer:
        for chunk in (StreamChunk(reasoning="Hm, "), StreamChunk(reasoning="so."), StreamChunk(text="Yes.")):
            printer.show(chunk)
    assert (stdout.getvalue(), stderr.getvalue()) == ("Yes.\n", expected)
