"""The command line as a process: start-up, signals, pipes, a missing extra."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faultmaven import __version__
from faultmaven.cli import exit_codes as exits

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab

COMMAND = [sys.executable, "-m", "faultmaven.cli"]
# A background job of a shell inherits an ignored SIGINT; a terminal's does not.
LIKE_A_TERMINAL = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from faultmaven.cli import main; sys.exit(main())"
)
HEAVY = ("faultmaven.container", "dependency_injector", "httpx", "pydantic")


def run(arguments: list[str], env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, env=env, capture_output=True, text=True, check=False, timeout=30, cwd=cwd)


def imported_by(code: str, env: Mapping[str, str]) -> set[str]:
    told = run([sys.executable, "-c", f"{code}; import json, sys; print(json.dumps(list(sys.modules)))"], env)
    assert told.returncode == 0, told.stderr
    return set(json.loads(told.stdout.splitlines()[-1]))


def test_importing_the_package_brings_no_extra_and_no_container(process_env: dict[str, str]) -> None:
    modules = imported_by("import faultmaven.cli", process_env)
    assert modules.isdisjoint(("click", "rich", *HEAVY))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["ask", "--help"], ["config", "--help"], ["demo", "--help"], ["doctor", "--help"]],
)
def test_help_and_version_start_without_the_container(process_env: dict[str, str], arguments: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        f"sys.argv = ['faultmaven', *{arguments!r}]\n"
        "from faultmaven.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('imported:', *sys.modules)"
    )
    told = run([sys.executable, "-c", code], process_env)
    assert told.returncode == 0, told.stderr
    assert set(told.stdout.split("imported:")[1].split()).isdisjoint(HEAVY)


def test_version_is_the_package_version(process_env: dict[str, str]) -> None:
    assert __version__ in run([*COMMAND, "--version"], process_env).stdout


def test_help_tells_every_exit_code(process_env: dict[str, str]) -> None:
    told = run([*COMMAND, "--help"], process_env).stdout
    section = told.split("Exit codes:")[1]
    assert {"0", "1", "2", "3", "130", "141"} == {str(code) for code in exits.MEANINGS}
    for code in exits.MEANINGS:
        assert f"\n  {code} " in section


@pytest.mark.parametrize("absent", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(process_env: dict[str, str], absent: str) -> None:
    code = (
        "import sys\n"
        f"class Absent:\n"
        f"    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {absent!r}:\n"
        f"            raise ModuleNotFoundError('No module named ' + name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from faultmaven.cli import main\n"
        "sys.exit(main())"
    )
    told = run([sys.executable, "-c", code], process_env)
    assert (told.returncode, told.stdout) == (1, "")
    assert 'pip install "faultmaven[cli]"' in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_an_unknown_command_is_a_usage_error(process_env: dict[str, str]) -> None:
    told = run([*COMMAND, "aks"], process_env)
    assert told.returncode == 2
    assert "aks" in told.stderr


def test_ctrl_c_in_the_middle_of_a_call_ends_cleanly(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    lab.script("openai", "silent")
    env = process_env | lab.here("openai")
    with subprocess.Popen(
        [sys.executable, "-c", LIKE_A_TERMINAL, "ask", "hi"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert lab.asked_once.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "Interrupted.\n")


def test_ctrl_c_while_it_reads_the_prompt_ends_cleanly(process_env: dict[str, str]) -> None:
    code = (
        "import io, signal, sys\n"
        "class Keyboard(io.BytesIO):\n"
        "    def read(self, size=-1):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "sys.stdin = io.TextIOWrapper(Keyboard())\n"
        f"{LIKE_A_TERMINAL}"
    )
    told = run([sys.executable, "-c", code, "ask", "-"], process_env | {"OPENAI_API_KEY": "k"})
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize(
    "arguments", [["config"], ["config", "--json"], ["providers"], ["doctor"], ["demo"], ["--help"]]
)
def test_a_reader_that_goes_away_ends_it_quietly(process_env: dict[str, str], arguments: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    env = process_env | {"OPENAI_API_KEY": "k"}
    done = subprocess.run(
        [*COMMAND, *arguments], env=env, stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_one_line(process_env: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "config"], env=process_env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=30
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "closed", "code"),
    [("ask", "<&-", 2), ("config", ">&-", 0), ("config --json", ">&-", 0), ("demo", ">&-", 0), ("ask hi", "2>&-", 1)],
)
def test_a_closed_stream_is_no_failure(process_env: dict[str, str], command: str, closed: str, code: int) -> None:
    told = run(["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *command.split()], process_env)
    assert told.returncode == code
    assert "Traceback" not in told.stderr


def test_an_argument_that_is_no_text_is_a_usage_error(process_env: dict[str, str]) -> None:
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"faultmaven.cli", b"ask", b"caf\xe9"],
        env=process_env | {"OPENAI_API_KEY": "k"},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert b"not text" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_encoding_that_lacks_a_character_fails_nothing(
    lab: "GuardedLab", process_env: dict[str, str], tmp_path: Path
) -> None:
    env = process_env | {"PYTHONIOENCODING": "ascii", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "modèle"}
    told = run([*COMMAND, "providers"], env, cwd=tmp_path)
    assert told.returncode == 0
    assert "mod\\xe8le" in told.stdout
