"""`faultmaven chat` at its edges: Ctrl-C as a process gets it, stray bytes; and what a stream shows beside its text."""

import io
import json
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

import pytest

from faultmaven.cli.output import LivePrinter
from faultmaven.domain.responses import StreamChunk

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab, RunCli

ANSWER = "The container was killed: out of memory."
# A background job of a shell inherits an ignored SIGINT; a terminal's does not.
LIKE_A_TERMINAL = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from faultmaven.cli import main; sys.exit(main())"
)


class Talk:
    """A `faultmaven chat` that is typed to, and interrupted once it is seen to wait."""

    def __init__(self, env: dict[str, str]) -> None:
        command = [sys.executable, "-u", "-c", LIKE_A_TERMINAL, "chat"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)

    def type(self, line: str) -> None:
        stdin = _open(self.process.stdin)
        stdin.write(line.encode())
        stdin.flush()

    def wait_for(self, told: str) -> None:
        """Read standard error up to the line that holds `told`."""
        for line in _open(self.process.stderr):
            if told in line.decode():
                return
        pytest.fail(f"it ended without {told!r}")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


@pytest.fixture
def env(lab: "GuardedLab", process_env: dict[str, str]) -> dict[str, str]:
    return process_env | lab.here("openai") | {"LLM_MAX_RETRIES": "0"}


def at_the_prompt(env: dict[str, str]) -> Talk:
    """Return a conversation that has obeyed a command, so it waits for a line."""
    talk = Talk(env)
    talk.type("/help\n")
    talk.wait_for("At the prompt")
    return talk


def test_a_second_interrupt_at_the_prompt_ends_it_with_0(env: dict[str, str]) -> None:
    """The process ends though its standard input stays open: nothing waits for the thread that reads it."""
    talk = at_the_prompt(env)
    talk.interrupt()
    talk.wait_for("Ctrl-C again")
    talk.interrupt()
    assert talk.process.wait(20) == 0
    assert talk.end() == (0, "")


def test_an_interrupt_at_the_prompt_loses_no_line(lab: "GuardedLab", env: dict[str, str]) -> None:
    talk = at_the_prompt(env)
    for question in ("one?", "two?"):  # what is typed between them takes the first interrupt back
        talk.interrupt()
        talk.wait_for("Ctrl-C again")
        talk.type(f"{question}\n")
        talk.wait_for("openai (")
    talk.type("/exit\n")
    assert talk.end() == (0, f"{ANSWER}\n{ANSWER}\n")
    assert [turn["content"] for turn in lab.requests[-1].json["messages"]] == ["one?", ANSWER, "two?"]


def test_a_stopped_answer_is_dropped_with_its_question(lab: "GuardedLab", env: dict[str, str]) -> None:
    lab.script("openai", "stream_stall")
    talk = Talk(env)
    talk.type("one?\n")
    assert _open(talk.process.stdout).read(3) == ANSWER[:3].encode()
    talk.interrupt()
    talk.wait_for("Stopped")
    talk.type("two?\n")
    code, out = talk.end()
    assert (code, out.splitlines()[-1]) == (0, ANSWER)
    assert lab.requests[-1].json["messages"] == [{"role": "user", "content": "two?"}]


@pytest.mark.parametrize("encoding", ["C", "C.UTF-8"])
def test_a_stray_byte_is_replaced_and_a_mark_of_byte_order_is_no_text(
    lab: "GuardedLab", env: dict[str, str], encoding: str
) -> None:
    talk = Talk(env | {"LC_ALL": encoding})
    _open(talk.process.stdin).write(b"\xef\xbb\xbfexit \xff 137\r\n/exit")
    assert talk.end() == (0, f"{ANSWER}\n")
    assert lab.requests[0].json["messages"][0]["content"] == "exit \N{REPLACEMENT CHARACTER} 137"


def test_a_wrong_provider_to_begin_with_asks_nobody_else(lab: "GuardedLab", run_cli: "RunCli") -> None:
    result = run_cli("chat", "--provider", "opneai", env=lab.here("openai"), input="hi\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'openai'" in result.stderr
    assert lab.requests == []


def test_an_error_before_any_text_leaves_standard_output_empty(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "unauthorized")
    result = run_cli("chat", env=lab.here("openai") | {"LLM_MAX_RETRIES": "0"}, input="hi\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "OPENAI_API_KEY" in result.stderr


def test_a_stream_as_json_ends_in_its_error_on_one_line(lab: "GuardedLab", run_cli: "RunCli") -> None:
    lab.script("openai", "stream_error_middle")
    env = lab.here("openai") | {"LLM_MAX_RETRIES": "0"}
    result = run_cli("ask", "hi", "--stream", "--json", env=env)
    *chunks, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, result.stderr) == (3, "")
    assert ANSWER.startswith("".join(chunk["text"] for chunk in chunks))
    assert last["error"]["type"] == "ProviderUnavailableError"


class Screen(io.StringIO):
    """A terminal, as far as its user can tell."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Screen, "Hm, so.\n"), (io.StringIO, "")])
def test_thoughts_appear_on_a_terminal_and_never_in_the_answer(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], shown: str
) -> None:
    stdout, stderr = io.StringIO(), stream()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "dumb")  # no colours, so that the text stands alone
    with LivePrinter() as printer:
        for chunk in (StreamChunk(reasoning="Hm, "), StreamChunk(reasoning="so."), StreamChunk(text="Yes.")):
            printer.show(chunk)
    assert (stdout.getvalue(), stderr.getvalue()) == ("Yes.\n", shown)
