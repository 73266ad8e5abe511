"""The command line. Importing this package needs no extra and builds nothing; `main` loads what it runs."""

import io
import os
import sys

from . import exit_codes as exits

MISSING_EXTRA = 'The command line needs two more packages: pip install "faultmaven[cli]"'


def main() -> int:
    """Run the command that the process's arguments name; the result is its exit code."""
    try:
        from .app import cli
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write(f"{MISSING_EXTRA}\n")
        return exits.CONFIGURATION
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    _mend_output()
    return cli.main(prog_name="faultmaven")


def _mend_output() -> None:
    """Give closed streams a place to write to, and let no character of an answer fail on the terminal's encoding."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
