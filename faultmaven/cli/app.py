"""The group of commands. Each command's module is imported when it runs, and how a command ends is decided here."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import __version__
from ..domain.errors import LLMError
from . import exit_codes as exits
from .output import print_error, wants_json, wants_lines

COMMANDS = ("ask", "chat", "config", "demo", "doctor", "explain", "new-provider", "providers")


class CommandGroup(click.Group):
    """Finds each command in the module of its name, and turns what it raises into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, its module imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f".commands.{module}", __package__).command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments that are bytes and no text; Python marks such bytes as surrogates."""
        if any("\ud800" <= character <= "\udfff" for argument in args for character in argument):
            raise click.UsageError("An argument is not text in this terminal's encoding.", ctx)
        with _ending(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; no error of ours, no Ctrl-C and no closed pipe ends in a traceback."""
        with _ending(ctx):
            return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes below the help."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exits.MEANINGS.items()])


@contextmanager
def _ending(ctx: click.Context) -> Iterator[None]:
    """Turn what ends a command into an exit code, with at most its own message."""
    try:
        yield
    except OSError as error:
        _forget_output()
        if isinstance(error, BrokenPipeError):
            ctx.exit(exits.READER_GONE)
        click.echo(error.strerror or type(error).__name__, err=True)
        ctx.exit(exits.CONFIGURATION)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        ctx.exit(exits.INTERRUPTED)
    except LLMError as error:
        print_error(error, as_json=wants_json(ctx), in_a_line=wants_lines(ctx))
        ctx.exit(exits.code_for(error))


def _forget_output() -> None:
    """Lead standard output nowhere, so that Python's own flush at the end fails no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="faultmaven")
def cli() -> None:
    """Ask any model from any vendor, and keep answering while vendors fail.

    What is configured comes from the environment, .env.<FAULTMAVEN_ENV> and .env.
    """
