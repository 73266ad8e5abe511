"""What the commands print: text for people, JSON for programs, errors for both."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import click
from rich.console import Console
from rich.text import Text

from ..domain.errors import LLMError
from ..domain.responses import StreamChunk

# Wider than any table: text that goes into a file or a pipe is not folded.
UNFOLDED = 100_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_JSON = "faultmaven.json"
_LINES = "faultmaven.lines"


def _note_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    ctx.meta[_JSON] = value
    return value


json_option = click.option("--json", "as_json", is_flag=True, callback=_note_json, help="Print JSON.")


def wants_json(ctx: click.Context) -> bool:
    """Return whether the command that ran was given --json."""
    return bool(ctx.meta.get(_JSON))


def note_lines(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Note, as an option's callback, that JSON is wanted an object a line."""
    ctx.meta[_LINES] = value
    return value


def wants_lines(ctx: click.Context) -> bool:
    """Return whether the command that ran prints its JSON an object a line."""
    return bool(ctx.meta.get(_LINES))


class _Console(Console):
    """Leaves a closed pipe to `CommandGroup`, as everything else that ends a command."""

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled again."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Return a console over today's standard output or error; colours only on a terminal, and not with NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(
        file=stream, width=None if stream.isatty() else UNFOLDED, highlight=False, markup=False, emoji=False
    )


def printable(text: str) -> str:
    """Return `text` without control characters: what came from afar must not command the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def styled(text: str, style: str = "") -> Text:
    """Return `text` for a console, without control characters and without markup."""
    return Text(printable(text), style=style)


def print_answer(content: str) -> None:
    """Print an answer on standard output, and nothing else there."""
    text = printable(content) if sys.stdout.isatty() else content
    # color: click would take escape sequences out of what goes into a pipe, and a program wants every byte.
    click.echo(text, nl=not text.endswith("\n"), color=True)


class LivePrinter:
    """Prints an answer as it comes, and ends every line that it began, whatever ends the answer.

    Standard output gets the answer's text only. What the model thinks appears dim on standard error, on a terminal.
    """

    def __init__(self) -> None:
        self._in_text = self._in_reasoning = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def show(self, chunk: StreamChunk) -> None:
        """Print a piece at once."""
        if chunk.reasoning and sys.stderr.isatty():
            console(stderr=True).print(styled(chunk.reasoning, "dim"), end="", soft_wrap=True)
            self._in_reasoning = True
        if chunk.text:
            self._end_reasoning()
            click.echo(printable(chunk.text) if sys.stdout.isatty() else chunk.text, nl=False, color=True)
            self._in_text = not chunk.text.endswith("\n")

    def __exit__(self, *_: object) -> None:
        """End the line."""
        self._end_reasoning()
        if self._in_text:
            click.echo()

    def _end_reasoning(self) -> None:
        if self._in_reasoning:
            click.echo(err=True)
        self._in_reasoning = False


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print `value` as JSON on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def error_object(error: LLMError) -> Mapping[str, Any]:
    """Return an error as `--json` shows it."""
    attempts = [asdict(attempt) for attempt in error.attempts]
    return {"error": {"type": type(error).__name__, "message": str(error), "attempts": attempts}}


def print_error(error: LLMError, *, as_json: bool, in_a_line: bool = False) -> None:
    """Print an error: one JSON object on standard output, or its text on standard error."""
    if as_json:
        print_json(error_object(error), indent=None if in_a_line else 2)
    else:
        console(stderr=True).print(styled(str(error)), soft_wrap=True)
