"""One shell that stays open for a whole page, as a reader's does: `cd` and an activated environment last."""

import re
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class ShellSession:
    """A bash process that runs one block after another; standard error counts as output, as it does on a screen."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["/bin/bash", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the shell."""
        self._shell.kill()
        self._shell.communicate()

    def run(self, commands: str) -> tuple[str, int]:
        """Return what `commands` print, and the last one's exit code.

        Raises:
            EOFError: they ended the shell.
        """
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        end = f"end-of-{uuid.uuid4().hex}"
        # What reads standard input finds nothing there: the rest of the page is not its own.
        self._shell.stdin.write(f"{{ {commands.strip()}\n}} < /dev/null\nprintf '\\n%s %s\\n' {end} $?\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(end):
                return "".join(printed).removesuffix("\n"), int(line.split()[1])
            printed.append(line)
        raise EOFError("".join(printed))

    @property
    def folder(self) -> Path:
        """Where the shell is now."""
        return Path(self.run("pwd")[0].strip())


def steady(text: str) -> str:
    """Return what a page shows or a command prints, without what differs from run to run: seconds and white space at
    the ends of lines."""
    told = re.sub(r"\b\d+\.\d+ ?s\b", "N s", text)
    return "\n".join(line.rstrip() for line in told.strip().splitlines())
