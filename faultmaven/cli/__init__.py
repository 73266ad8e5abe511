"""The command line. Importing this package needs no extra and builds nothing; `main` imports the commands."""

import io
import os
import sys

from . import exit_codes

MISSING_EXTRA = 'The command line needs two more packages: pip install "faultmaven[cli]"'


def main() -> int:
    """Run the command of the process's arguments, and return its exit code."""
    try:
        from .app import cli
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write(f"{MISSING_EXTRA}\n")
        return exit_codes.CONFIGURATION
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    _make_output_writable()
    return cli.main(prog_name="faultmaven")


def _make_output_writable() -> None:
    """Open closed streams on the null device, and escape characters that the terminal's encoding lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
