"""Ask about a file of prompts: python examples/batch.py prompts.txt answers.jsonl

A line of the input is a prompt, whose id is the line's number, or a JSON object with `id` and `prompt`. Each line of
the output is a JSON object with the `id`, and either `answer` or `error`. Ctrl-C keeps what is done, and `--resume`
goes on from there.

Exit codes: 0 all were answered, 1 the configuration is wrong, 2 the command line or the input is, 3 some prompts
failed, 130 interrupted.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from faultmaven import ConfigurationError, InvalidRequestError, LLMError, LLMProvider, open_container

Id: TypeAlias = int | str
Line: TypeAlias = dict[str, Any]
Tell: TypeAlias = Callable[[Line], None]
LINE_START = b'{"id": '


class FileError(Exception):
    """A file is not what it should be."""


@dataclass(frozen=True)
class Prompt:
    """One line of the input."""

    id: Id
    text: str


def read_prompts(path: Path) -> list[Prompt]:
    """Return the prompts of a file; blank lines are passed over."""
    try:
        lines = path.read_text("utf-8").split("\n")  # a prompt may hold other ends of lines, such as U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {type(error).__name__}") from error
    prompts = [_prompt(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    twice = [id for id, times in Counter(prompt.id for prompt in prompts).items() if times > 1]
    if twice:
        raise FileError(f"{path} has the id {twice[0]!r} more than once")
    return prompts


def _prompt(path: Path, number: int, line: str) -> Prompt:
    if not line.startswith("{"):
        return Prompt(number, line)
    try:
        given = json.loads(line)
        id, text = given["id"], given["prompt"]
    except (ValueError, KeyError) as error:
        raise FileError(f'{path}:{number} is no {{"id": ..., "prompt": ...}}') from error
    if isinstance(id, bool) or not isinstance(id, int | str) or not isinstance(text, str):
        raise FileError(f"{path}:{number}: the id must be a text or a whole number, the prompt a text")
    return Prompt(id, text)


def ids_in(path: Path) -> set[Id]:
    """Return the ids of an output file. A last line that was cut in the middle is taken off."""
    written = path.read_bytes() if path.is_file() else b""
    *whole, cut = written.split(b"\n")
    try:
        ids = {json.loads(line)["id"] for line in whole}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no output of this program") from error
    if not cut.startswith(LINE_START[: len(cut)]):
        raise FileError(f"{path} is no output of this program")
    if cut:
        os.truncate(path, len(written) - len(cut))
    return ids


def open_answers(path: Path) -> TextIO:
    """Open the output, to add to it."""
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {type(error).__name__}") from error


@dataclass
class Output:
    """Lines on their way into a file: at once, or when those before them in `order` are written."""

    file: TextIO
    order: deque[Id]
    held: dict[Id, Line] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Write `line`, or hold it back; each written line is safe from Ctrl-C."""
        self.held[line["id"]] = line
        if not self.order:
            self.write_held()
        while self.order and self.order[0] in self.held:
            self._write(self.held.pop(self.order.popleft()))

    def write_held(self) -> None:
        """Write what waits for others."""
        for line in self.held.values():
            self._write(line)
        self.held.clear()

    def _write(self, line: Line) -> None:
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()


@dataclass
class Tally:
    """What came of this run's prompts."""

    answers: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        """Count one line."""
        if "error" in line:
            self.errors[line["error"]] += 1
        else:
            self.answers[line["provider"]] += 1
            self.tokens[line["provider"]] += line["tokens"] or 0

    def __str__(self) -> str:
        lines = [f"{name}: {times} answered, {self.tokens[name]} tokens" for name, times in self.answers.most_common()]
        lines += [f"failed: {times} {name}" for name, times in self.errors.most_common()]
        return "\n".join(lines or ["nothing was left to ask"])


async def ask(llm: LLMProvider, prompt: Prompt, deadline: float) -> Line:
    """Return the output's line for one prompt; a prompt that fails has one as well."""
    try:
        response = await llm.generate(prompt.text, deadline=deadline)
    except LLMError as error:
        return {"id": prompt.id, "error": type(error).__name__, "message": str(error)}
    return {
        "id": prompt.id,
        "answer": response.content,
        "stop_reason": response.stop_reason.value,
        "provider": response.provider,
        "model": response.model,
        "tokens": response.tokens_used,
        "seconds": round(sum(attempt.waited + attempt.duration for attempt in response.attempts), 3),
    }


async def ask_all(llm: LLMProvider, prompts: Iterable[Prompt], at_once: int, deadline: float, take: Tell) -> None:
    """Ask about all prompts, `at_once` at a time; `take` gets each line as soon as it is there."""
    waiting = iter(prompts)

    async def work() -> None:
        for prompt in waiting:  # all workers share it, so that each prompt is asked about once
            take(await ask(llm, prompt, deadline))

    async with asyncio.TaskGroup() as workers:
        for _ in range(at_once):
            workers.create_task(work())


async def ask_providers(options: argparse.Namespace, prompts: Sequence[Prompt], take: Tell) -> None:
    """Ask whom the environment configures."""
    async with open_container() as container:
        llm = container.llm(role=options.role)
        if not llm.is_available():
            raise ConfigurationError("no provider is configured: `faultmaven providers` says what each of them needs")
        await ask_all(llm, prompts, options.at_once, options.deadline, take)


@contextmanager
def progress(total: int) -> Iterator[Tell]:
    """Show how far it is: a bar on a terminal, if rich is installed (the extra `cli`), else a line for each prompt."""
    with _bar(total) if sys.stderr.isatty() and find_spec("rich") else nullcontext(_lines(total)) as tell:
        yield tell


def _lines(total: int) -> Tell:
    numbers = count(1)

    def tell(line: Line) -> None:
        came = line["error"] if "error" in line else f"answered by {line['provider']}"
        print(f"{next(numbers)}/{total} {line['id']}: {came}", file=sys.stderr)

    return tell


@contextmanager
def _bar(total: int) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, failed=0)

        def tell(line: Line) -> None:
            bar.update(task, advance=1, failed=bar.tasks[0].fields["failed"] + ("error" in line))

        yield tell


def run(options: argparse.Namespace) -> int:
    """Do the batch; return the exit code."""
    prompts = read_prompts(options.prompts)
    done = ids_in(options.answers)
    if done and not options.resume:
        raise FileError(f"{options.answers} has answers: add --resume to go on with it, or name another file")
    left = [prompt for prompt in prompts if prompt.id not in done]
    tally = Tally()
    with open_answers(options.answers) as file, progress(len(left)) as tell:
        output = Output(file, deque(prompt.id for prompt in left if options.in_order))

        def take(line: Line) -> None:
            output.add(line)
            tally.add(line)
            tell(line)

        try:
            asyncio.run(ask_providers(options, left, take))
        finally:
            output.write_held()
    print(tally, file=sys.stderr)
    return 3 if tally.errors else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Ask about every prompt of a file.")
    parser.add_argument("prompts", type=Path, help='a prompt a line, or JSON lines {"id": ..., "prompt": ...}')
    parser.add_argument("answers", type=Path, help="JSON lines, written as the answers come")
    parser.add_argument("--resume", action="store_true", help="skip the ids that are in ANSWERS, and add the others")
    parser.add_argument("--in-order", action="store_true", help="write in the order of the prompts")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="so many prompts at a time (default: 8)")
    parser.add_argument("--deadline", type=float, default=120, metavar="SECONDS", help="for one prompt (default: 120)")
    parser.add_argument("--role", default="chat", help="whose provider comes first (default: chat)")
    options = parser.parse_args(arguments)
    if options.at_once < 1:
        parser.error("--at-once must be at least 1")
    try:
        return run(options)
    except (FileError, InvalidRequestError) as error:
        print(error, file=sys.stderr)
        return 2
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; what is done is in {options.answers}, and --resume goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
