"""Standard error of batch.py: the progress and the summary."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from typing import TypeAlias

from batch_files import Line

LineCallback: TypeAlias = Callable[[Line], None]


@dataclass
class Tally:
    """Counts of the answers, tokens and errors of a run."""

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


@contextmanager
def progress(total: int) -> Iterator[LineCallback]:
    """Report the progress: a bar on a terminal with rich installed (extra `cli`), otherwise a line for each prompt."""
    with _bar(total) if sys.stderr.isatty() and find_spec("rich") else nullcontext(_lines(total)) as report:
        yield report


def _lines(total: int) -> LineCallback:
    numbers = count(1)

    def report(line: Line) -> None:
        outcome = line["error"] if "error" in line else f"answered by {line['provider']}"
        print(f"{next(numbers)}/{total} {line['id']}: {outcome}", file=sys.stderr)

    return report


@contextmanager
def _bar(total: int) -> Iterator[LineCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, failed=0)

        def report(line: Line) -> None:
            bar.update(task, advance=1, failed=bar.tasks[0].fields["failed"] + ("error" in line))

        yield report
