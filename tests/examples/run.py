"""Run the examples with the installed wheel, from a copy outside of the repository.

`tox -e examples` calls this script in an environment with the wheel, the extra `cli` and the requirements of the
example service; nothing else of the repository is installed.
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
MAX_SUITE_SECONDS = 20.0  # for the tests of the example service; a test that waits in real time takes 30 s
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")  # no API keys, and no path to the repository

ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


def run(folder: Path, *arguments: str) -> str:
    """Run Python in `folder`, print its output and return the output."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(f"$ python {' '.join(arguments)}\n{process.stdout}", flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    return process.stdout


def copy_examples(folder: Path) -> None:
    """Copy the examples and the tests of the scripts, in the same folders as in the repository."""
    for part in ("examples", "tests/examples"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))


def check_origin(folder: Path) -> None:
    """Exit if `faultmaven` is not imported from the installed wheel."""
    origin = Path(run(folder, "-c", "import faultmaven; print(faultmaven.__file__)").strip())
    if not origin.is_relative_to(sysconfig.get_path("purelib")):
        sys.exit(f"faultmaven is {origin}, and not the installed wheel")


def check_service(folder: Path) -> None:
    """Check the types of the example service, run the tests, and check the duration of the tests."""
    run(folder, "-m", "mypy")
    printed = run(folder, "-m", "pytest", "-q", "--durations=3", "-p", "no:cacheprovider")
    duration = re.search(r" in (\d+\.\d+)s", printed)
    if duration is None or float(duration[1]) > MAX_SUITE_SECONDS:
        sys.exit(f"the example service's tests must take less than {MAX_SUITE_SECONDS:g} s")


def main() -> None:
    """Run all checks; the first failure ends the script with the exit code of the failed command."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        copy_examples(folder)
        check_origin(folder)
        check_service(folder / "examples" / "service")
        run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ASYNCIO, "tests/examples")


if __name__ == "__main__":
    main()
