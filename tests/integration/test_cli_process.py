"""The command line as a process: start-up imports, signals, pipes, standard streams and a missing extra."""

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
from faultmaven.cli import exits

if TYPE_CHECKING:
    from tests.integration.conftest import GuardedLab

COMMAND = [sys.executable, "-m", "faultmaven.cli"]
# A background job of a shell inherits an ignored SIGINT, so the default handler is installed as in a terminal.
MAIN_WITH_SIGINT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from faultmaven.cli import main; sys.exit(main())"
)
HEAVY_MODULES = ("faultmaven.container", "dependency_injector", "httpx", "pydantic")


def run(arguments: list[str], env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, env=env, capture_output=True, text=True, check=False, timeout=30, cwd=cwd)


def modules_imported_by(code: str, env: Mapping[str, str]) -> set[str]:
    completed = run([sys.executable, "-c", f"{code}; import json, sys; print(json.dumps(list(sys.modules)))"], env)
    assert completed.returncode == 0, completed.stderr
    return set(json.loads(completed.stdout.splitlines()[-1]))


def test_import_of_cli_loads_no_extra(process_env: dict[str, str]) -> None:
    modules = modules_imported_by("import faultmaven.cli", process_env)
    assert modules.isdisjoint(("click", "rich", *HEAVY_MODULES))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["ask", "--help"], ["config", "--help"], ["demo", "--help"], ["doctor", "--help"]],
)
def test_help_and_version_load_no_container(process_env: dict[str, str], arguments: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        f"sys.argv = ['faultmaven', *{arguments!r}]\n"
        "from faultmaven.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('imported:', *sys.modules)"
    )
    completed = run([sys.executable, "-c", code], process_env)
    assert completed.returncode == 0, completed.stderr
    assert set(completed.stdout.split("imported:")[1].split()).isdisjoint(HEAVY_MODULES)


def test_version_option_prints_package_version(process_env: dict[str, str]) -> None:
    assert __version__ in run([*COMMAND, "--version"], process_env).stdout


def test_help_lists_every_exit_code(process_env: dict[str, str]) -> None:
    help_text = run([*COMMAND, "--help"], process_env).stdout
    section = help_text.split("Exit codes:")[1]
    assert {"0", "1", "2", "3", "130", "141"} == {str(code) for code in exits.MEANINGS}
    for code in exits.MEANINGS:
        assert f"\n  {code} " in section


@pytest.mark.parametrize("absent", ["click", "rich"])
def test_missing_extra_error_names_pip_command(process_env: dict[str, str], absent: str) -> None:
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
    completed = run([sys.executable, "-c", code], process_env)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert 'pip install "faultmaven[cli]"' in completed.stderr
    assert len(completed.stderr.splitlines()) == 1


def test_unknown_command_is_usage_error(process_env: dict[str, str]) -> None:
    completed = run([*COMMAND, "aks"], process_env)
    assert completed.returncode == 2
    assert "aks" in completed.stderr


def test_ctrl_c_during_call_exits_130(lab: "GuardedLab", process_env: dict[str, str]) -> None:
    lab.script("openai", "silent")
    env = process_env | lab.local_env("openai")
    with subprocess.Popen(
        [sys.executable, "-c", MAIN_WITH_SIGINT, "ask", "hi"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert lab.received_request.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "Interrupted.\n")


def test_ctrl_c_while_reading_prompt_exits_130(process_env: dict[str, str]) -> None:
    code = (
        "import io, signal, sys\n"
        "class Keyboard(io.BytesIO):\n"
        "    def read(self, size=-1):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "sys.stdin = io.TextIOWrapper(Keyboard())\n"
        f"{MAIN_WITH_SIGINT}"
    )
    completed = run([sys.executable, "-c", code, "ask", "-"], process_env | {"OPENAI_API_KEY": "k"})
    assert (completed.returncode, completed.stdout, completed.stderr) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize(
    "arguments", [["config"], ["config", "--json"], ["providers"], ["doctor"], ["demo"], ["--help"]]
)
def test_broken_stdout_pipe_exits_141_silently(process_env: dict[str, str], arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    env = process_env | {"OPENAI_API_KEY": "k"}
    completed = subprocess.run(
        [*COMMAND, *arguments], env=env, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(writer)
    assert (completed.returncode, completed.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_error_is_one_line(process_env: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        completed = subprocess.run(
            [*COMMAND, "config"], env=process_env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=30
        )
    assert completed.returncode == 1
    assert len(completed.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "redirection", "exit_code"),
    [("ask", "<&-", 2), ("config", ">&-", 0), ("config --json", ">&-", 0), ("demo", ">&-", 0), ("ask hi", "2>&-", 1)],
)
def test_closed_standard_stream_causes_no_traceback(
    process_env: dict[str, str], command: str, redirection: str, exit_code: int
) -> None:
    completed = run(["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *command.split()], process_env)
    assert completed.returncode == exit_code
    assert "Traceback" not in completed.stderr


def test_non_utf8_argument_is_usage_error(process_env: dict[str, str]) -> None:
    completed = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"faultmaven.cli", b"ask", b"caf\xe9"],
        env=process_env | {"OPENAI_API_KEY": "k"},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert completed.returncode == 2
    assert b"not text" in completed.stderr
    assert b"Traceback" not in completed.stderr


def test_unencodable_output_character_is_escaped(
    lab: "GuardedLab", process_env: dict[str, str], tmp_path: Path
) -> None:
    env = process_env | {"PYTHONIOENCODING": "ascii", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "modèle"}
    completed = run([*COMMAND, "providers"], env, cwd=tmp_path)
    assert completed.returncode == 0
    assert "mod\\xe8le" in completed.stdout
