"""Tests for the unchanged example scripts, against the fault lab on the loopback interface.

tests/examples/run.py runs this file too, from a copy outside of the repository and with the installed wheel.
"""

import asyncio
import contextlib
import json
import os
import pty
import runpy
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from faultmaven import ChatRequest, LLMResponse
from faultmaven.testing import FakeProvider, FaultLab
from faultmaven.testing.lab import LabReply

EXAMPLES = Path(__file__).parents[2] / "examples"
ANSWER = "The container was killed: out of memory."


RunBatch: TypeAlias = Callable[..., tuple[int, str]]


@dataclass
class CompletedScript:
    """Exit code and output of a script."""

    code: int | None
    output: str
    errors: str


@contextlib.asynccontextmanager
async def started(
    script: str, *arguments: str, variables: dict[str, str], stderr: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Any]:
    """Start a script in the empty working directory with the import paths of this run; stop it with the block."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LLM_MAX_RETRIES": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / script),
        *arguments,
        env=environment | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def finish(process: Any) -> CompletedScript:
    """Wait for a script to end."""
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    return CompletedScript(process.returncode, output.decode(), (errors or b"").decode())


async def run(script: str, *arguments: str, **variables: str) -> CompletedScript:
    async with started(script, *arguments, variables=variables) as process:
        return await finish(process)


async def run_in(lab: FaultLab, script: str, *arguments: str) -> CompletedScript:
    """Run a script with the lab in place of the vendors: openai first, then groq."""
    async with lab.serve() as address:
        return await run(script, *arguments, **lab.env("openai", "groq", address=address))


async def wait_for_answers(process: Any, prompts: int) -> None:
    """Wait until a script has reported the answers to so many prompts."""
    for _ in range(prompts):
        assert b"answered by" in await asyncio.wait_for(process.stderr.readline(), 30)


async def interrupt(process: Any) -> CompletedScript:
    """Send the signal of Ctrl-C and wait for the end."""
    process.send_signal(signal.SIGINT)
    return await finish(process)


def read_terminal(terminal: int) -> str:
    """Return all output until the other end of the terminal is closed."""
    data = b""
    with open(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):  # Linux reports the end as an error
        while part := file.read(4096):
            data += part
    return data.decode()


def write(path: Path, text: str, mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of three prompts, as plain text and as JSON."""
    path = tmp_path / "prompts.txt"
    path.write_text('Why does my pod restart?\n\n{"id": "q-7", "prompt": "What is 137?"}\nAnd 143?\n', "utf-8")
    return path


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The namespace of batch.py, for tests in this process."""
    monkeypatch.syspath_prepend(EXAMPLES)  # as Python does for the folder of a script
    return runpy.run_path(str(EXAMPLES / "batch.py"))


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """The path of the output file, which does not exist yet."""
    return tmp_path / "answers.jsonl"


@pytest.fixture
def run_batch(batch: dict[str, Any], prompts: Path, answers: Path, capsys: pytest.CaptureFixture[str]) -> RunBatch:
    """Runs batch.py in this process with further arguments; returns the exit code and standard error."""

    def run(*more: str, answers: Path = answers) -> tuple[int, str]:
        return batch["main"]([str(prompts), str(answers), *more]), capsys.readouterr().err

    return run


async def test_ask_prints_answer_and_attempts() -> None:
    lab = FaultLab()
    lab.script("openai", "overloaded")
    result = await run_in(lab, "ask.py", "Why does my pod restart?")
    assert (result.code, result.output) == (0, f"{ANSWER}\n")
    assert "openai: ProviderUnavailableError after " in result.errors
    assert "groq: answered after " in result.errors
    assert b"Why does my pod restart?" in lab.asked("groq")[0].body


async def test_ask_without_configuration_names_key_variable() -> None:
    result = await run("ask.py")
    assert (result.code, result.output) == (1, "")
    assert "OPENAI_API_KEY" in result.errors
    assert "Traceback" not in result.errors


async def test_notebook_works_inside_a_running_loop() -> None:
    lab = FaultLab()
    result = await run_in(lab, "notebook.py")
    assert (result.code, result.errors) == (0, "")
    assert result.output == f"openai: {ANSWER}\nin a running loop: {ANSWER}\n"
    assert len(lab.asked("openai")) == 2


async def test_batch_continues_after_a_failed_prompt(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    lab.script("openai", "ok", "quota", "ok")
    lab.always("groq", "quota")
    result = await run_in(lab, "batch.py", str(prompts), str(answers), "--at-once", "1")
    assert result.code == 3
    first, failed, last = lines_of(answers)
    assert (first["id"], first["answer"], first["provider"]) == (1, ANSWER, "openai")
    assert (failed["id"], failed["error"]) == ("q-7", "AllProvidersFailedError")
    assert (last["id"], last["answer"]) == (4, ANSWER)
    assert result.errors.splitlines() == [
        "1/3 1: answered by openai",
        "2/3 q-7: AllProvidersFailedError",
        "3/3 4: answered by openai",
        "openai: 2 answered, 84 tokens",
        "failed: 1 AllProvidersFailedError",
    ]


async def test_batch_in_order_keeps_prompt_order(tmp_path: Path, answers: Path) -> None:
    many = tmp_path / "many.txt"
    write(many, "Why?\n" * 20)
    result = await run_in(FaultLab(), "batch.py", str(many), str(answers), "--at-once", "4", "--in-order")
    assert result.code == 0
    assert [line["id"] for line in lines_of(answers)] == list(range(1, 21))


class BusyProvider(FakeProvider):
    """Fake that takes several iterations of the event loop and records the maximum of concurrent calls."""

    running = max_running = 0

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Answer after ten iterations of the event loop."""
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        for _ in range(10):
            await asyncio.sleep(0)
        self.running -= 1
        return await super().answer(request)


async def test_batch_limits_the_concurrent_calls(batch: dict[str, Any]) -> None:
    busy = BusyProvider("It ran out of memory.")
    lines: list[dict[str, Any]] = []
    prompts = [batch["Prompt"](number, "Why?") for number in range(20)]
    await batch["answer_all"](busy, prompts, 4, 60.0, lines.append)
    assert busy.max_running == 4
    assert sorted(line["id"] for line in lines) == list(range(20))


async def test_interrupted_batch_keeps_answers_and_resumes(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    lab.script("openai", "ok", "ok")
    lab.always("openai", "silent")
    arguments = (str(prompts), str(answers), "--at-once", "1")
    async with lab.serve() as address:
        env = lab.env("openai", address=address)
        async with started("batch.py", *arguments, variables=env) as process:
            await wait_for_answers(process, 2)
            assert [line["id"] for line in lines_of(answers)] == [1, "q-7"]  # written before the interruption
            interrupted = await interrupt(process)
        assert interrupted.code == 130
        assert interrupted.errors.endswith("and --resume goes on\n")
        assert [line["id"] for line in lines_of(answers)] == [1, "q-7"]
        refused = await run("batch.py", *arguments, **env)
        assert (refused.code, len(lines_of(answers))) == (2, 2)
        lab.always("openai", "ok")
        write(answers, '{"id": 4, "ans', "a")  # an incomplete line, as after a power cut
        resumed = await run("batch.py", *arguments, "--resume", **env)
    assert (resumed.code, resumed.errors.splitlines()[0]) == (0, "1/1 4: answered by openai")
    assert [line["id"] for line in lines_of(answers)] == [1, "q-7", 4]


class SilentForFirstPrompt(FaultLab):
    """Lab that never answers the first prompt."""

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply to a request, or the name of a fault of the connection."""
        return "silent" if b"Why does my pod restart?" in body else super().respond(method, target, headers, body)


async def test_interrupted_ordered_batch_writes_held_answers(prompts: Path, answers: Path) -> None:
    lab = SilentForFirstPrompt()
    arguments = (str(prompts), str(answers), "--in-order", "--at-once", "2")
    async with (
        lab.serve() as address,
        started("batch.py", *arguments, variables=lab.env("openai", address=address)) as process,
    ):
        await wait_for_answers(process, 2)
        assert lines_of(answers) == []
        interrupted = await interrupt(process)
    assert interrupted.code == 130
    assert len(lines_of(answers)) == 2


async def test_batch_shows_progress_bar_on_terminal(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    terminal, script_terminal = pty.openpty()
    async with lab.serve() as address:
        env = lab.env("openai", address=address) | {"TERM": "xterm", "COLUMNS": "80"}
        async with started("batch.py", str(prompts), str(answers), stderr=script_terminal, variables=env) as process:
            os.close(script_terminal)
            result, output = await asyncio.gather(finish(process), asyncio.to_thread(read_terminal, terminal))
    assert result.code == 0
    assert "3/3" in output
    assert "0 failed" in output
    assert "answered by" not in output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": 1}', 'prompts.txt:1 is no {"id": ..., "prompt": ...}'),
        ('{"id": 1, "prompt": ', 'prompts.txt:1 is no {"id": ..., "prompt": ...}'),
        ('{"id": [1], "prompt": "Why?"}', "prompts.txt:1: the id must be a text or a whole number"),
        ('{"id": 1, "prompt": "Why\u2028?"}\n{"id": 2}', 'prompts.txt:2 is no {"id": ..., "prompt": ...}'),
        ('Why?\n{"id": 1, "prompt": "Why?"}', "prompts.txt has the id 1 more than once"),
        (None, "prompts.txt cannot be read: FileNotFoundError"),
    ],
)
def test_invalid_input_ends_batch_before_start(
    run_batch: RunBatch, prompts: Path, answers: Path, text: str | None, message: str
) -> None:
    prompts.unlink() if text is None else write(prompts, text)
    code, errors = run_batch()
    assert code == 2
    assert message in errors
    assert not answers.exists()


@pytest.mark.parametrize("cut", ['{"id": 4, "answer": "\u00e4'.encode()[:-1], b'{"i', b""])
def test_resumed_batch_drops_incomplete_last_line(batch: dict[str, Any], answers: Path, cut: bytes) -> None:
    with answers.open("w", encoding="utf-8") as file:
        output = batch["Output"](file, [])
        output.add({"id": 1, "answer": "A line\u2028and another\nand a third."})
        output.add({"id": "q-7", "answer": "It ran out of memory."})
    written = answers.read_bytes()
    answers.write_bytes(written + cut)
    assert batch["ids_in"](answers) == {1, "q-7"}
    assert answers.read_bytes() == written


@pytest.mark.parametrize("text", ["Notes of mine", "Notes of mine\n", "[]\n", '{"name": "mine"}\n'])
@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_batch_leaves_foreign_output_file_unchanged(
    run_batch: RunBatch, answers: Path, more: list[str], text: str
) -> None:
    write(answers, text)
    assert run_batch(*more) == (2, f"{answers} is no output of this program\n")
    assert answers.read_text("utf-8") == text


def test_unwritable_output_file_is_reported(run_batch: RunBatch, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "answers.jsonl"
    assert run_batch(answers=nowhere) == (2, f"{nowhere} cannot be written: FileNotFoundError\n")


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ([], 1, "no provider is configured: `faultmaven providers` says what each of them needs."),
        (["--role", "chta"], 2, "unknown role 'chta'; did you mean 'chat'?"),
    ],
)
def test_batch_without_usable_provider_ends_immediately(
    run_batch: RunBatch, more: list[str], code: int, message: str
) -> None:
    assert run_batch(*more) == (code, f"{message}\n")
