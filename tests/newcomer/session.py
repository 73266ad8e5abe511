"""A shell that stays open for a whole page, so that `cd` and an activated environment persist."""

import re
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class ShellSession:
    """A bash process that runs one block after another. Standard error is part of the output, as in a terminal."""

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
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the shell."""
        self._shell.kill()
        self._shell.communicate()

    def run(self, commands: str) -> tuple[str, int]:
        """Return the output of `commands` and the exit code of the last one.

        Raises:
            EOFError: The commands ended the shell.
        """
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        end = f"end-of-{uuid.uuid4().hex}"
        # Standard input is empty for the commands, so that none of them reads the rest of the page.
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
        """The current folder of the shell."""
        return Path(self.run("pwd")[0].strip())


def normalized(text: str) -> str:
    """Return the output of a command, or of a page, without seconds and trailing white space, which may differ."""
    without_seconds = re.sub(r"\b\d+\.\d+ ?s\b", "N s", text)
    return "\n".join(line.rstrip() for line in without_seconds.strip().splitlines())
