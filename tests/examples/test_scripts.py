"""The example scripts run as they are, against the lab on the loopback interface.

tests/examples/run.py runs this file too, from a copy outside of the repository, over the installed wheel.
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


Ended: TypeAlias = Callable[..., tuple[int, str]]


@dataclass
class Done:
    """What a script printed, and how it ended."""

    code: int | None
    output: str
    errors: str


@contextlib.asynccontextmanager
async def started(
    script: str, *arguments: str, variables: dict[str, str], stderr: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Any]:
    """Start a script in the (empty) working directory, importing what this very run imports; it ends with the block."""
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


async def finish(process: Any) -> Done:
    """Wait for a script's end."""
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    return Done(process.returncode, output.decode(), (errors or b"").decode())


async def run(script: str, *arguments: str, **variables: str) -> Done:
    async with started(script, *arguments, variables=variables) as process:
        return await finish(process)


async def run_in(lab: FaultLab, script: str, *arguments: str) -> Done:
    """Run a script whose vendors, openai and then groq, are the lab."""
    async with lab.serve() as address:
        return await run(script, *arguments, **lab.env("openai", "groq", address=address))


async def told(process: Any, prompts: int) -> None:
    """Wait until a script has told of so many prompts."""
    for _ in range(prompts):
        assert b"answered by" in await asyncio.wait_for(process.stderr.readline(), 30)


async def interrupt(process: Any) -> Done:
    """Press Ctrl-C, and wait for the end."""
    process.send_signal(signal.SIGINT)
    return await finish(process)


def read_terminal(terminal: int) -> str:
    """Return everything that comes until nobody holds its other end."""
    read = b""
    with open(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):  # the end is an error, on Linux
        while piece := file.read(4096):
            read += piece
    return read.decode()


def write(path: Path, text: str, mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of three prompts, in both forms."""
    path = tmp_path / "prompts.txt"
    path.write_text('Why does my pod restart?\n\n{"id": "q-7", "prompt": "What is 137?"}\nAnd 143?\n', "utf-8")
    return path


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of batch.py, for what needs no process."""
    monkeypatch.syspath_prepend(EXAMPLES)  # where Python finds the modules beside a script that it runs
    return runpy.run_path(str(EXAMPLES / "batch.py"))


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Where the answers go; nothing is there yet."""
    return tmp_path / "answers.jsonl"


@pytest.fixture
def ended(batch: dict[str, Any], prompts: Path, answers: Path, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Runs batch.py in this process, with further arguments; gives its exit code and what it told."""

    def run(*more: str, answers: Path = answers) -> tuple[int, str]:
        return batch["main"]([str(prompts), str(answers), *more]), capsys.readouterr().err

    return run


async def test_ask_prints_the_answer_and_who_gave_it() -> None:
    lab = FaultLab()
    lab.script("openai", "overloaded")
    done = await run_in(lab, "ask.py", "Why does my pod restart?")
    assert (done.code, done.output) == (0, f"{ANSWER}\n")
    assert "openai: ProviderUnavailableError after " in done.errors
    assert "groq: answered after " in done.errors
    assert b"Why does my pod restart?" in lab.asked("groq")[0].body


async def test_ask_says_what_to_set_when_nothing_is_configured() -> None:
    done = await run("ask.py")
    assert (done.code, done.output) == (1, "")
    assert "OPENAI_API_KEY" in done.errors
    assert "Traceback" not in done.errors


async def test_the_notebook_asks_in_a_script_and_inside_a_running_loop() -> None:
    lab = FaultLab()
    done = await run_in(lab, "notebook.py")
    assert (done.code, done.errors) == (0, "")
    assert done.output == f"openai: {ANSWER}\nin a running loop: {ANSWER}\n"
    assert len(lab.asked("openai")) == 2


async def test_a_batch_answers_every_prompt_and_a_failed_one_does_not_end_it(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    lab.script("openai", "ok", "quota", "ok")
    lab.always("groq", "quota")
    done = await run_in(lab, "batch.py", str(prompts), str(answers), "--at-once", "1")
    assert done.code == 3
    first, failed, last = lines_of(answers)
    assert (first["id"], first["answer"], first["provider"]) == (1, ANSWER, "openai")
    assert (failed["id"], failed["error"]) == ("q-7", "AllProvidersFailedError")
    assert (last["id"], last["answer"]) == (4, ANSWER)
    assert done.errors.splitlines() == [
        "1/3 1: answered by openai",
        "2/3 q-7: AllProvidersFailedError",
        "3/3 4: answered by openai",
        "openai: 2 answered, 84 tokens",
        "failed: 1 AllProvidersFailedError",
    ]


async def test_a_batch_can_be_written_in_the_order_of_the_prompts(tmp_path: Path, answers: Path) -> None:
    many = tmp_path / "many.txt"
    write(many, "Why?\n" * 20)
    done = await run_in(FaultLab(), "batch.py", str(many), str(answers), "--at-once", "4", "--in-order")
    assert done.code == 0
    assert [line["id"] for line in lines_of(answers)] == list(range(1, 21))


class BusyProvider(FakeProvider):
    """A fake that takes several turns of the loop, and counts how many ask it at once."""

    now = most = 0

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Answer."""
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(10):
            await asyncio.sleep(0)
        self.now -= 1
        return await super().answer(request)


async def test_a_batch_asks_no_more_at_once_than_it_may(batch: dict[str, Any]) -> None:
    busy = BusyProvider("It ran out of memory.")
    taken: list[dict[str, Any]] = []
    prompts = [batch["Prompt"](number, "Why?") for number in range(20)]
    await batch["ask_all"](busy, prompts, 4, 60.0, taken.append)
    assert busy.most == 4
    assert sorted(line["id"] for line in taken) == list(range(20))


async def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    lab.script("openai", "ok", "ok")
    lab.always("openai", "silent")
    arguments = (str(prompts), str(answers), "--at-once", "1")
    async with lab.serve() as address:
        env = lab.env("openai", address=address)
        async with started("batch.py", *arguments, variables=env) as process:
            await told(process, 2)
            assert [line["id"] for line in lines_of(answers)] == [1, "q-7"]  # safe from whatever may end it
            interrupted = await interrupt(process)
        assert interrupted.code == 130
        assert interrupted.errors.endswith("and --resume goes on\n")
        assert [line["id"] for line in lines_of(answers)] == [1, "q-7"]
        refused = await run("batch.py", *arguments, **env)
        assert (refused.code, len(lines_of(answers))) == (2, 2)
        lab.always("openai", "ok")
        write(answers, '{"id": 4, "ans', "a")  # as a power cut would leave it
        resumed = await run("batch.py", *arguments, "--resume", **env)
    assert (resumed.code, resumed.errors.splitlines()[0]) == (0, "1/1 4: answered by openai")
    assert [line["id"] for line in lines_of(answers)] == [1, "q-7", 4]


class SlowToStart(FaultLab):
    """A lab that says nothing to the first of the prompts, whenever it comes."""

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply to a request, or the name of a fault of the connection."""
        return "silent" if b"Why does my pod restart?" in body else super().respond(method, target, headers, body)


async def test_ctrl_c_keeps_what_waited_for_its_turn(prompts: Path, answers: Path) -> None:
    lab = SlowToStart()
    arguments = (str(prompts), str(answers), "--in-order", "--at-once", "2")
    async with (
        lab.serve() as address,
        started("batch.py", *arguments, variables=lab.env("openai", address=address)) as process,
    ):
        await told(process, 2)
        assert lines_of(answers) == []
        interrupted = await interrupt(process)
    assert interrupted.code == 130
    assert len(lines_of(answers)) == 2


async def test_a_terminal_gets_a_bar(prompts: Path, answers: Path) -> None:
    lab = FaultLab()
    ours, theirs = pty.openpty()
    async with lab.serve() as address:
        env = lab.env("openai", address=address) | {"TERM": "xterm", "COLUMNS": "80"}
        async with started("batch.py", str(prompts), str(answers), stderr=theirs, variables=env) as process:
            os.close(theirs)
            done, shown = await asyncio.gather(finish(process), asyncio.to_thread(read_terminal, ours))
    assert done.code == 0
    assert "3/3" in shown
    assert "0 failed" in shown
    assert "answered by" not in shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": 1}', 'prompts.txt:1 is no {"id": ..., "prompt": ...}'),
        ('{"id": 1, "prompt": ', 'prompts.txt:1 is no {"id": ..., "prompt": ...}'),
        ('{"id": [1], "prompt": "Why?"}', "prompts.txt:1: the id must be a text or a whole number"),
        ('{"id": 1, "prompt": "Why\u2028?"}\n{"id": 2}', 'prompts.txt:2 is no {"id": ..., "prompt": ...}'),
        ('Why?\n{"id": 1, "prompt": "Why?"}', "prompts.txt has the id 1 more than once"),
        (None, "prompts.txt cannot be read: FileNotFoundError"),
    ],
)
def test_a_bad_input_ends_the_batch_before_it_begins(
    ended: Ended, prompts: Path, answers: Path, text: str | None, told: str
) -> None:
    prompts.unlink() if text is None else write(prompts, text)
    code, errors = ended()
    assert code == 2
    assert told in errors
    assert not answers.exists()


@pytest.mark.parametrize("cut", ['{"id": 4, "answer": "\u00e4'.encode()[:-1], b'{"i', b""])
def test_a_resumed_batch_reads_what_it_wrote(batch: dict[str, Any], answers: Path, cut: bytes) -> None:
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
def test_a_file_of_somebody_else_is_left_alone(ended: Ended, answers: Path, more: list[str], text: str) -> None:
    write(answers, text)
    assert ended(*more) == (2, f"{answers} is no output of this program\n")
    assert answers.read_text("utf-8") == text


def test_an_output_that_cannot_be_written_is_told(ended: Ended, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "answers.jsonl"
    assert ended(answers=nowhere) == (2, f"{nowhere} cannot be written: FileNotFoundError\n")


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ([], 1, "no provider is configured: `faultmaven providers` says what each of them needs."),
        (["--role", "chta"], 2, "unknown role 'chta'; did you mean 'chat'?"),
    ],
)
def test_a_batch_that_nobody_can_answer_ends_at_once(ended: Ended, more: list[str], code: int, told: str) -> None:
    assert ended(*more) == (code, f"{told}\n")
