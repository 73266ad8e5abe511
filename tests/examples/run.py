"""Run the examples as an outsider would: over the installed wheel, from a copy outside of the repository.

`tox -e examples` calls this in an environment that holds the wheel with its extra `cli`, and what the example service
asks for; nothing else of the repository is there.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_SUITE = 20.0  # seconds, of the example service's tests: one that waits in real time takes 30
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")  # nobody's keys, and no way to the tree

ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


def run(folder: Path, *arguments: str) -> str:
    """Run Python there, show what it prints, and return that."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(f"$ python {' '.join(arguments)}\n{done.stdout}", flush=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def copy_examples(folder: Path) -> None:
    """Copy the examples, and the tests of the scripts, to the places that they have in the repository."""
    for part in ("examples", "tests/examples"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))


def check_origin(folder: Path) -> None:
    """Refuse to go on when `faultmaven` is not the one that was installed."""
    origin = Path(run(folder, "-c", "import faultmaven; print(faultmaven.__file__)").strip())
    if not origin.is_relative_to(sysconfig.get_path("purelib")):
        sys.exit(f"faultmaven is {origin}, and not the installed wheel")


def check_service(folder: Path) -> None:
    """Run the example service's types and tests, and look at how long these took."""
    run(folder, "-m", "mypy")
    printed = run(folder, "-m", "pytest", "-q", "--durations=3", "-p", "no:cacheprovider")
    took = re.search(r" in (\d+\.\d+)s", printed)
    if took is None or float(took[1]) > LONGEST_SUITE:
        sys.exit(f"the example service's tests must take less than {LONGEST_SUITE:g} s")


def main() -> None:
    """Run everything; the first failure ends it with its exit code."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copy_examples(folder)
        check_origin(folder)
        check_service(folder / "examples" / "service")
        run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ASYNCIO, "tests/examples")


if __name__ == "__main__":
    main()
