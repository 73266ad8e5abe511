"""Output of the commands: text on a terminal, JSON for programs, errors in both forms."""

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

# Wider than any table: rich does not fold text that goes into a file or a pipe.
UNFOLDED_WIDTH = 100_000
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_JSON_KEY = "faultmaven.json"
_JSON_LINES_KEY = "faultmaven.lines"


def _record_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    ctx.meta[_JSON_KEY] = value
    return value


json_option = click.option("--json", "as_json", is_flag=True, callback=_record_json, help="Print JSON.")


def wants_json(ctx: click.Context) -> bool:
    """Return whether the command line has --json."""
    return bool(ctx.meta.get(_JSON_KEY))


def record_json_lines(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Record, as the callback of an option, that the command prints one JSON object per line."""
    ctx.meta[_JSON_LINES_KEY] = value
    return value


def wants_json_lines(ctx: click.Context) -> bool:
    """Return whether the command prints one JSON object per line."""
    return bool(ctx.meta.get(_JSON_LINES_KEY))


class _Console(Console):
    """A console that leaves a closed pipe to `CommandGroup`; rich would exit by itself."""

    def on_broken_pipe(self) -> None:
        """Raise a new `BrokenPipeError`."""
        raise BrokenPipeError


def open_console(*, stderr: bool = False) -> Console:
    """Return a console over the current standard output or error; colours on a terminal only, none with NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(
        file=stream, width=None if stream.isatty() else UNFOLDED_WIDTH, highlight=False, markup=False, emoji=False
    )


def replace_control_characters(text: str) -> str:
    """Return `text` with each control character replaced: remote text must not send commands to the terminal."""
    return _CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def style_text(text: str, style: str = "") -> Text:
    """Return `text` for a console, without control characters and without markup."""
    return Text(replace_control_characters(text), style=style)


def print_answer(content: str) -> None:
    """Print an answer on standard output, with a line end and nothing else."""
    text = replace_control_characters(content) if sys.stdout.isatty() else content
    # color: click would remove escape sequences from the text in a pipe, and a program needs every byte.
    click.echo(text, nl=not text.endswith("\n"), color=True)


class LivePrinter:
    """Prints the chunks of a stream as they arrive, and ends the last line, also after an error.

    Standard output gets the text of the answer only. On a terminal, the model's reasoning appears dim on standard
    error.
    """

    def __init__(self) -> None:
        self._in_text = self._in_reasoning = False

    def __enter__(self) -> Self:
        """Return the printer."""
        return self

    def show(self, chunk: StreamChunk) -> None:
        """Print the chunk at once."""
        if chunk.reasoning and sys.stderr.isatty():
            open_console(stderr=True).print(style_text(chunk.reasoning, "dim"), end="", soft_wrap=True)
            self._in_reasoning = True
        if chunk.text:
            self._end_reasoning()
            text = replace_control_characters(chunk.text) if sys.stdout.isatty() else chunk.text
            click.echo(text, nl=False, color=True)
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
    """Print `value` as JSON on standard output; with `indent` None on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def _error_as_object(error: LLMError) -> Mapping[str, Any]:
    """Return the JSON object of `error`: `{"error": {"type", "message", "attempts"}}`."""
    attempts = [asdict(attempt) for attempt in error.attempts]
    return {"error": {"type": type(error).__name__, "message": str(error), "attempts": attempts}}


def print_error(error: LLMError, *, as_json: bool, on_one_line: bool = False) -> None:
    """Print an error: its JSON object on standard output, or its text on standard error."""
    if as_json:
        print_json(_error_as_object(error), indent=None if on_one_line else 2)
    else:
        open_console(stderr=True).print(style_text(str(error)), soft_wrap=True)
