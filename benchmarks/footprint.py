"""What the core weighs: distributions, megabytes, import time, memory. Run it where nothing else is installed.

`tox -e footprint` does that. Figures are printed beside their aim and decide nothing, since machines differ; the exit
code is 1 only when a module is loaded that may not be (imports.py says which may), or something does not run at all.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from benchmarks import imports
from benchmarks.imports import BYSTANDERS, IMPORTED, OPENED

RUNS = 9
INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
DEPENDENCIES = ("aiohttp", "httpx", "pydantic", "structlog", "dependency_injector")

NOTHING = ""
# Printed by each process about itself: seconds used by the script, then every module it ended up with.
PROBE = """
import sys, time
started = time.perf_counter()
{script}
print(time.perf_counter() - started, peak_kilobytes(), *sys.modules)
"""
# The peak of this program alone: getrusage would also count what the parent held before it started this one.
PEAK = """
def peak_kilobytes():
    try:
        with open("/proc/self/status") as status:
            return next(line.split()[1] for line in status if line.startswith("VmHWM"))
    except OSError:
        return "-"
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One script in fresh processes: median milliseconds, peak memory in MB (None where unknown), its modules."""

    milliseconds: float
    megabytes: float | None
    modules: frozenset[str]


def main() -> int:
    """Print the table and return the exit code."""
    installed = [found for found in distributions() if found.metadata["Name"].lower() not in INSTALLERS]
    bare, imported, opened = measured(NOTHING), measured(IMPORTED.script), measured(OPENED.script)
    version = sys.version.split()[0]
    print(f"Python {version}, medians of {RUNS} fresh processes; times leave out the interpreter's own start")
    for row in rows(installed, bare, imported, opened):
        print("{:<32}{:>12}   {}".format(*row))
    print("\nimported by opening a container:", *found_in(opened, DEPENDENCIES))
    for name in found_in(opened, BYSTANDERS):
        print(f"  and {name}, because it is installed here and {BYSTANDERS[name]} imports it")
    print()
    return imports.main()


def rows(
    installed: list[Distribution], bare: Measured, imported: Measured, opened: Measured
) -> Iterator[tuple[str, str, str]]:
    """Give each figure with its name and its aim."""
    megabytes = sum(size for found in installed for size in sizes(found)) / 1e6
    yield "what", "measured", "aim"
    yield "distributions, ours included", str(len(installed)), "at most 25"
    yield "size without byte code", f"{megabytes:.1f} MB", "at most 40 MB"
    yield "import faultmaven", f"{imported.milliseconds:.1f} ms", "at most 60 ms"
    yield "import, open and close container", f"{opened.milliseconds:.0f} ms", ""
    yield "memory of a bare interpreter", memory(bare), ""
    yield "memory after import", memory(imported), ""
    yield "memory after open_container", memory(opened), ""


def measured(script: str) -> Measured:
    """Run `script` in fresh processes that know the installed package only, not the working directory."""
    command = [sys.executable, "-I", "-c", PEAK + PROBE.format(script=script)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(RUNS + 1)]
    failed = next((run for run in runs if run.returncode), None)
    if failed is not None:
        sys.exit(f"a measured process failed:\n{failed.stderr}")
    lines = [run.stdout.split() for run in runs[1:]]  # the first run writes byte code
    peaks = [float(line[1]) / 1024 for line in lines if line[1] != "-"]
    modules = frozenset(name.partition(".")[0] for name in lines[-1][2:])
    milliseconds = statistics.median(float(line[0]) for line in lines) * 1000
    return Measured(milliseconds, statistics.median(peaks) if peaks else None, modules)


def sizes(distribution: Distribution) -> Iterator[int]:
    """Give the bytes of each file that the distribution installed, byte code apart."""
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if path.suffix != ".pyc" and path.is_file():
            yield path.stat().st_size


def found_in(process: Measured, names: Iterable[str]) -> list[str]:
    """Return those of `names` that the process imported."""
    return [name for name in names if name in process.modules]


def memory(found: Measured) -> str:
    """Return the peak as text."""
    return "unknown" if found.megabytes is None else f"{found.megabytes:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
