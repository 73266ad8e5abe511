"""Figures of fresh processes: import time and memory, time from start to first answer, and installed distributions."""

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
from benchmarks.progress import print_progress
from benchmarks.workloads import Amount, rotated

BARE = "bare Python"
TIMEOUT_SECONDS = 120
_MAIN_DISTRIBUTIONS = {"faultmaven", "httpx", "httpx2", "aiohttp", "pydantic", "openai"}

# Prints milliseconds and resident MB; loads only `sys`, `time` and the imported package.
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
    """Start each client in fresh processes, in turn, `amount.starts` times, after one run that writes byte code."""
    installed_clients = [client for client in clients if isinstance(pythons[client.environment], Path)]
    bare = next(python for python in pythons.values() if isinstance(python, Path))
    for number in range(-1, amount.starts):
        print_progress(f"fresh processes: {number + 2} of {amount.starts + 1}")
        _import(BARE, bare, "pass", figures, counts=number >= 0)
        for client in rotated(installed_clients, max(0, number)):
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


def _output(measurement: str, name: str, command: list[str], figures: Figures) -> str:
    with pinned(cores()[1]):
        process = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    if process.returncode:
        figures.errors.setdefault((measurement, name), (process.stderr.strip() or "failed").splitlines()[-1])
        return ""
    return process.stdout


def measure_sizes(clients: list[Client], pythons: Mapping[str, Path | str], figures: Figures) -> dict[str, str]:
    """Measure the size of each environment; return the versions of the main distributions of each."""
    versions = {}
    for client in clients:
        python = pythons[client.environment]
        if isinstance(python, Path):
            installed = _installed(python)
            figures.facts["distributions", client.name] = len(installed)
            figures.facts["megabytes", client.name] = sum(size for item in installed for size in sizes(item)) / 1e6
            wanted = {re.split(r"[\[>]", requirement)[0] for requirement in client.requirements} | _MAIN_DISTRIBUTIONS
            names = sorted(f"{item.name} {item.version}" for item in installed if item.name.lower() in wanted)
            versions[client.environment] = ", ".join(names)
    return versions


def _installed(python: Path) -> list[Distribution]:
    process = subprocess.run([str(python), "-I", "-c", _PATHS], capture_output=True, text=True, check=True)
    paths = list({str(Path(path).resolve()) for path in json.loads(process.stdout)})  # lib64 may link to lib
    return [item for item in distributions(path=paths) if item.name.lower() not in INSTALLERS]
