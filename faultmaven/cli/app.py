"""The command group: imports a command's module when the command runs, and turns errors into exit codes."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import __version__
from ..domain.errors import LLMError
from . import exit_codes
from .output import print_error, wants_json, wants_json_lines

COMMANDS = ("ask", "chat", "config", "demo", "doctor", "explain", "new-provider", "providers")


class CommandGroup(click.Group):
    """Imports each command from the module of the same name, and turns the errors of commands into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, and return the command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f".commands.{module}", __package__).command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments with bytes that are no text; Python decodes such bytes as surrogates."""
        if any("\ud800" <= character <= "\udfff" for argument in args for character in argument):
            raise click.UsageError("An argument is not text in this terminal's encoding.", ctx)
        with _exit_on_error(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An `LLMError`, an `OSError` or Ctrl-C ends the command without a traceback."""
        with _exit_on_error(ctx):
            return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes below the help."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exit_codes.MEANINGS.items()])


@contextmanager
def _exit_on_error(ctx: click.Context) -> Iterator[None]:
    """Print the error that ends the body, and exit with the code of this error."""
    try:
        yield
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):
            ctx.exit(exit_codes.READER_GONE)
        click.echo(error.strerror or type(error).__name__, err=True)
        ctx.exit(exit_codes.CONFIGURATION)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        ctx.exit(exit_codes.INTERRUPTED)
    except LLMError as error:
        print_error(error, as_json=wants_json(ctx), on_one_line=wants_json_lines(ctx))
        ctx.exit(exit_codes.exit_code_for(error))


def _discard_output() -> None:
    """Redirect standard output to the null device: Python flushes the stream at exit, which would fail again."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_device, sys.stdout.fileno())
    os.close(null_device)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="faultmaven")
def cli() -> None:
    """Send requests to the models of any vendor, with retries and fallbacks to other providers.

    The configuration comes from the process environment, .env.<FAULTMAVEN_ENV> and .env.
    """
