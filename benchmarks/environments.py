"""One virtual environment per client, installed by pip once and kept in `.tox/bench-envs`."""

import hashlib
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.clients import ROOT, Client
from benchmarks.progress import print_progress

KEPT = ROOT / ".tox" / "bench-envs"


def interpreters(clients: Iterable[Client]) -> dict[str, Path | str]:
    """Return the interpreter of each environment, or the error of a failed installation as a string."""
    wanted = {client.environment: client.requirements for client in clients}
    return {name: _installed_python(KEPT / name, requirements) for name, requirements in wanted.items()}


def _installed_python(folder: Path, requirements: tuple[str, ...]) -> Path | str:
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    stamp, wanted = folder / "made-of.txt", _contents(requirements)
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    print_progress(f"installing {' '.join(requirements)} into {folder}")
    venv.create(folder, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *requirements]
    process = subprocess.run(install, capture_output=True, text=True, check=False)
    if process.returncode:
        return (process.stderr.strip() or "pip failed").splitlines()[-1]
    stamp.write_text(wanted, "utf-8")
    return python


def _contents(requirements: tuple[str, ...]) -> str:
    """Return a description of an environment; a changed Python, requirement or source changes the description."""
    return "\n".join([sys.version, *requirements, *(_digest() for text in requirements if text == str(ROOT))])


def _digest() -> str:
    """Return a digest of the files in the wheel of this project."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    for path in sorted((ROOT / "faultmaven").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
