"""What fresh processes tell: import time and memory, process start to the first answer; and what is installed."""

import json
import re
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from benchmarks.clients import Client
from benchmarks.footprint import INSTALLERS, sizes
from benchmarks.measuring import Figures
from benchmarks.processes import HERE, Upstream, cores, environment, pinned
from benchmarks.progress import tell
from benchmarks.works import Amount, turns_of

BARE = "bare Python"
WITHIN_SECONDS = 120
_TOLD = {"faultmaven", "httpx", "httpx2", "aiohttp", "pydantic", "openai"}

# Prints milliseconds and resident MB; nothing but `sys`, `time` and what is imported is loaded.
_IMPORT = """
import sys, time
started = time.perf_counter()
{statement}
milliseconds = (time.perf_counter() - started) * 1e3
try:
    with open("/proc/self/status") as status:
        resident = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
except OSError:
    resident = 0.0
print("[%f, %f]" % (milliseconds, resident))
"""


_PATHS = """
import json, sysconfig
print(json.dumps([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))
"""


def measure_starts(
    clients: list[Client], pythons: Mapping[str, Path | str], upstream: Upstream, amount: Amount, figures: Figures
) -> None:
    """Start each client afresh, in turn, as often as `amount` says, and once before, which writes byte code."""
    able = [client for client in clients if isinstance(pythons[client.environment], Path)]
    bare = next(python for python in pythons.values() if isinstance(python, Path))
    for number in range(-1, amount.starts):
        tell(f"fresh processes: {number + 2} of {amount.starts + 1}")
        _import(BARE, bare, "pass", figures, counts=number >= 0)
        for client in turns_of(able, max(0, number)):
            python = Path(pythons[client.environment])
            if client.imported:
                _import(client.name, python, client.imported, figures, counts=number >= 0)
            _start(client, python, upstream, figures, counts=number >= 0)


def _import(name: str, python: Path, statement: str, figures: Figures, *, counts: bool) -> None:
    output = _output("import", name, [str(python), "-I", "-c", _IMPORT.format(statement=statement)], figures)
    if output and counts:
        milliseconds, resident = json.loads(output.splitlines()[-1])
        figures.single["import", name].append(milliseconds)
        if resident:
            figures.single["resident", name].append(resident)


def _start(client: Client, python: Path, upstream: Upstream, figures: Figures, *, counts: bool) -> None:
    command = [str(python), "-I", str(HERE / "worker.py"), client.adapter, upstream.at("ok")]
    started = time.perf_counter()
    with (
        pinned(cores()[1]),
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        assert process.stdout is not None
        answered = process.stdout.readline()
        milliseconds = (time.perf_counter() - started) * 1e3
        process.stdout.read()
    if not answered.strip():
        figures.errors.setdefault(("start", client.name), "no first answer")
    elif counts:
        figures.single["start", client.name].append(milliseconds)


def _output(what: str, name: str, command: list[str], figures: Figures) -> str:
    with pinned(cores()[1]):
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=WITHIN_SECONDS, check=False
        )
    if done.returncode:
        figures.errors.setdefault((what, name), (done.stderr.strip() or "failed").splitlines()[-1])
        return ""
    return done.stdout


def measure_sizes(clients: list[Client], pythons: Mapping[str, Path | str], figures: Figures) -> dict[str, str]:
    """Weigh each client's environment; returns the versions of the main distributions of each."""
    versions = {}
    for client in clients:
        python = pythons[client.environment]
        if isinstance(python, Path):
            found = _installed(python)
            figures.facts["distributions", client.name] = len(found)
            figures.facts["megabytes", client.name] = sum(size for each in found for size in sizes(each)) / 1e6
            wanted = {re.split(r"[\[>]", one)[0] for one in client.requirements} | _TOLD
            told = sorted(f"{each.name} {each.version}" for each in found if each.name.lower() in wanted)
            versions[client.environment] = ", ".join(told)
    return versions


def _installed(python: Path) -> list[Distribution]:
    done = subprocess.run([str(python), "-I", "-c", _PATHS], capture_output=True, text=True, check=True)
    paths = list({str(Path(path).resolve()) for path in json.loads(done.stdout)})  # lib64 may lead to lib
    return [found for found in distributions(path=paths) if found.name.lower() not in INSTALLERS]
