"""Files of batch.py: reading of prompts, and output of answers."""

import json
import os
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeAlias

Id: TypeAlias = int | str
Line: TypeAlias = dict[str, Any]
"""A line of the output: `id`, and either `error` with `message`, or `answer` with `provider`, `model`, `tokens`."""

LINE_START = b'{"id": '


class FileError(Exception):
    """A file has the wrong content or cannot be opened."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of the input with the id of the output line."""

    id: Id
    text: str


def read_prompts(path: Path) -> list[Prompt]:
    """Return the prompts of a file; blank lines are skipped."""
    try:
        lines = path.read_text("utf-8").split("\n")  # a prompt may contain other line separators, such as U+2028
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
        data = json.loads(line)
        id, text = data["id"], data["prompt"]
    except (ValueError, KeyError) as error:
        raise FileError(f'{path}:{number} is no {{"id": ..., "prompt": ...}}') from error
    if isinstance(id, bool) or not isinstance(id, int | str) or not isinstance(text, str):
        raise FileError(f"{path}:{number}: the id must be a text or a whole number, the prompt a text")
    return Prompt(id, text)


def ids_in(path: Path) -> set[Id]:
    """Return the ids of an output file, and remove an incomplete last line from the file."""
    written = path.read_bytes() if path.is_file() else b""
    *complete_lines, incomplete_line = written.split(b"\n")
    try:
        ids = {json.loads(line)["id"] for line in complete_lines}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no output of this program") from error
    if not incomplete_line.startswith(LINE_START[: len(incomplete_line)]):
        raise FileError(f"{path} is no output of this program")
    if incomplete_line:
        os.truncate(path, len(written) - len(incomplete_line))
    return ids


def open_answers(path: Path) -> TextIO:
    """Open the output file for appending."""
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {type(error).__name__}") from error


@dataclass
class Output:
    """Writer of output lines: immediately, or in the order of the ids in `order`."""

    file: TextIO
    order: deque[Id]
    held: dict[Id, Line] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Write `line`, or hold it until the earlier lines are written; a written line survives Ctrl-C."""
        self.held[line["id"]] = line
        if not self.order:
            self.write_held()
        while self.order and self.order[0] in self.held:
            self._write(self.held.pop(self.order.popleft()))

    def write_held(self) -> None:
        """Write the held lines."""
        for line in self.held.values():
            self._write(line)
        self.held.clear()

    def _write(self, line: Line) -> None:
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()
