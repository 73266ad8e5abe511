"""Measures everything and prints the table: `python -m benchmarks`, in the environment that `tox -e bench` makes.

Exit code 1 when a benchmark is broken: a wrong answer or a missing row of faultmaven or of what it is held against.
A bar that is missed is printed as short, and a peer that fails as a row that says so; neither changes the exit code.
"""

import argparse
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.bars import missing
from benchmarks.clients import CLIENTS, SHORT, Client
from benchmarks.environments import interpreters
from benchmarks.fresh import measure_sizes, measure_starts
from benchmarks.measuring import Figures, measure
from benchmarks.processes import HERE, running_upstream
from benchmarks.progress import tell
from benchmarks.scaling import measure_growth, plot
from benchmarks.works import CHECK, FULL, QUICK

RESULTS = HERE / "results"


def main() -> int:
    """Run what the command line says; return the exit code."""
    chosen = _arguments()
    _allow_many_sockets()
    amount = CHECK if chosen.check else QUICK if chosen.quick else FULL
    clients = list(SHORT if chosen.check or chosen.no_peers or chosen.scaling else CLIENTS)
    pythons: dict[str, Path | str] = (
        {client.environment: Path(sys.executable) for client in clients} if chosen.check else interpreters(clients)
    )
    figures = Figures()
    with running_upstream() as upstream:
        if not chosen.scaling:
            measure(clients, pythons, upstream, amount, figures)
            measure_starts(clients, pythons, upstream, amount, figures)
        measure_growth(clients, pythons, upstream, amount, figures)
    versions = measure_sizes(clients, pythons, figures)
    _tell(figures, clients, versions, chosen)
    tell("done")
    return _verdict(figures, scaling_only=chosen.scaling)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tox -e bench --", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds: under 5 minutes once the peers are installed")
    size.add_argument("--check", action="store_true", help="tiny counts, no peers, in this environment: do they work?")
    parser.add_argument("--no-peers", action="store_true", help="only faultmaven, raw aiohttp, raw httpx, raw sockets")
    parser.add_argument("--scaling", action="store_true", help="only how the cost of a call grows, with a plot")
    parser.add_argument("--write", action="store_true", help=f"write the page and the plot to {RESULTS.name}/")
    return parser.parse_args()


def _tell(figures: Figures, clients: list[Client], versions: dict[str, str], chosen: argparse.Namespace) -> None:
    today = datetime.now(UTC).date()
    page = "\n".join(report.whole(figures, clients, versions, f"Benchmarks, {today}"))
    if chosen.check:
        with TemporaryDirectory() as folder:
            plot(figures, Path(folder) / "scaling.png", report.machine())
        print(f"{len(figures.told)} works done; the figures of so few calls are not shown")
        return
    print("\n".join(report.growth(figures)) if chosen.scaling else f"\n{page}")
    if chosen.write or chosen.scaling:
        plot(figures, RESULTS / f"{today}-{report.slug()}-scaling.png", f"{today}, {report.machine()}")
    if chosen.write and not chosen.scaling:
        (RESULTS / f"{today}-{report.slug()}.md").write_text(f"{page}\n", "utf-8")


def _verdict(figures: Figures, *, scaling_only: bool) -> int:
    faults = [*figures.broken(), *(() if scaling_only else missing(figures))]
    for fault in faults:
        print(f"broken: {fault}")
    return 1 if faults else 0


def _allow_many_sockets() -> None:
    """Raise the limit of open files to what the system allows: 2,000 calls at once are 2,000 sockets at either end."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
