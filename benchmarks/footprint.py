"""Footprint of the core: distributions, megabytes, import time and memory. Run it in an otherwise empty environment.

`tox -e footprint` does that. The figures are printed beside the targets and do not fail the run, since machines differ.
The exit code is 1 only when a forbidden module is loaded (see imports.py) or a measured process fails.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from benchmarks import imports
from benchmarks.imports import IMPORTED, INDIRECT_IMPORTS, OPENED

RUNS = 9
INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
DEPENDENCIES = ("aiohttp", "httpx", "pydantic", "structlog", "dependency_injector")

EMPTY_SCRIPT = ""
# Each process prints the seconds of the script, the peak memory, and the names of all loaded modules.
PROBE = """
import sys, time
started = time.perf_counter()
{script}
print(time.perf_counter() - started, peak_kilobytes(), *sys.modules)
"""
# The peak of this process alone: getrusage would also count the memory of the parent process before the start.
PEAK = """
def peak_kilobytes():
    try:
        with open("/proc/self/status") as status:
            return next(line.split()[1] for line in status if line.startswith("VmHWM"))
    except OSError:
        return "-"
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One script in fresh processes: median milliseconds, peak memory in MB (None where unknown) and loaded modules."""

    milliseconds: float
    megabytes: float | None
    modules: frozenset[str]


def main() -> int:
    """Print the table and return the exit code."""
    installed = [item for item in distributions() if item.metadata["Name"].lower() not in INSTALLERS]
    bare, imported, opened = measure(EMPTY_SCRIPT), measure(IMPORTED.script), measure(OPENED.script)
    version = sys.version.split()[0]
    print(f"Python {version}, medians of {RUNS} fresh processes; times leave out the interpreter's own start")
    for row in rows(installed, bare, imported, opened):
        print("{:<32}{:>12}   {}".format(*row))
    print("\nimported by opening a container:", *modules_of(opened, DEPENDENCIES))
    for name in modules_of(opened, INDIRECT_IMPORTS):
        print(f"  and {name}, because it is installed here and {INDIRECT_IMPORTS[name]} imports it")
    print()
    return imports.main()


def rows(
    installed: list[Distribution], bare: Measurement, imported: Measurement, opened: Measurement
) -> Iterator[tuple[str, str, str]]:
    """Yield each figure with the name and the target."""
    megabytes = sum(size for item in installed for size in sizes(item)) / 1e6
    yield "what", "measured", "aim"
    yield "distributions, ours included", str(len(installed)), "at most 25"
    yield "size without byte code", f"{megabytes:.1f} MB", "at most 40 MB"
    yield "import faultmaven", f"{imported.milliseconds:.1f} ms", "at most 60 ms"
    yield "import, open and close container", f"{opened.milliseconds:.0f} ms", ""
    yield "memory of a bare interpreter", memory(bare), ""
    yield "memory after import", memory(imported), ""
    yield "memory after open_container", memory(opened), ""


def measure(script: str) -> Measurement:
    """Run `script` in fresh processes that import the installed package, not the working directory."""
    command = [sys.executable, "-I", "-c", PEAK + PROBE.format(script=script)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(RUNS + 1)]
    failed = next((run for run in runs if run.returncode), None)
    if failed is not None:
        sys.exit(f"a measured process failed:\n{failed.stderr}")
    lines = [run.stdout.split() for run in runs[1:]]  # the first run writes byte code
    peaks = [float(line[1]) / 1024 for line in lines if line[1] != "-"]
    modules = frozenset(name.partition(".")[0] for name in lines[-1][2:])
    milliseconds = statistics.median(float(line[0]) for line in lines) * 1000
    return Measurement(milliseconds, statistics.median(peaks) if peaks else None, modules)


def sizes(distribution: Distribution) -> Iterator[int]:
    """Yield the size in bytes of each file of the distribution, without byte code."""
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if path.suffix != ".pyc" and path.is_file():
            yield path.stat().st_size


def modules_of(process: Measurement, names: Iterable[str]) -> list[str]:
    """Return those of `names` that the process imported."""
    return [name for name in names if name in process.modules]


def memory(measurement: Measurement) -> str:
    """Return the peak memory as text."""
    return "unknown" if measurement.megabytes is None else f"{measurement.megabytes:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
