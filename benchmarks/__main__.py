"""Run all benchmarks and print the table: `python -m benchmarks`, in the environment that `tox -e bench` makes.

The exit code is 1 when a benchmark is broken: a wrong answer or a missing row of faultmaven or of a baseline client.
A missed bar is printed as short, and a failed peer as a row with the error; neither changes the exit code.
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
from benchmarks.progress import print_progress
from benchmarks.scaling import measure_growth, plot
from benchmarks.workloads import CHECK, FULL, QUICK

RESULTS = HERE / "results"


def main() -> int:
    """Run the benchmarks that the command line selects; return the exit code."""
    options = _arguments()
    _allow_many_sockets()
    amount = CHECK if options.check else QUICK if options.quick else FULL
    clients = list(SHORT if options.check or options.no_peers or options.scaling else CLIENTS)
    pythons: dict[str, Path | str] = (
        {client.environment: Path(sys.executable) for client in clients} if options.check else interpreters(clients)
    )
    figures = Figures()
    with running_upstream() as upstream:
        if not options.scaling:
            measure(clients, pythons, upstream, amount, figures)
            measure_starts(clients, pythons, upstream, amount, figures)
        measure_growth(clients, pythons, upstream, amount, figures)
    versions = measure_sizes(clients, pythons, figures)
    _print_results(figures, clients, versions, options)
    print_progress("done")
    return _exit_code(figures, scaling_only=options.scaling)


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


def _print_results(
    figures: Figures, clients: list[Client], versions: dict[str, str], options: argparse.Namespace
) -> None:
    today = datetime.now(UTC).date()
    page = "\n".join(report.full_page(figures, clients, versions, f"Benchmarks, {today}"))
    if options.check:
        with TemporaryDirectory() as folder:
            plot(figures, Path(folder) / "scaling.png", report.machine())
        print(f"{len(figures.results)} works done; the figures of so few calls are not shown")
        return
    print("\n".join(report.growth(figures)) if options.scaling else f"\n{page}")
    if options.write or options.scaling:
        plot(figures, RESULTS / f"{today}-{report.slug()}-scaling.png", f"{today}, {report.machine()}")
    if options.write and not options.scaling:
        (RESULTS / f"{today}-{report.slug()}.md").write_text(f"{page}\n", "utf-8")


def _exit_code(figures: Figures, *, scaling_only: bool) -> int:
    faults = [*figures.broken(), *(() if scaling_only else missing(figures))]
    for fault in faults:
        print(f"broken: {fault}")
    return 1 if faults else 0


def _allow_many_sockets() -> None:
    """Raise the limit of open files to the maximum: 2,000 concurrent calls need 2,000 sockets at either end."""
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))


if __name__ == "__main__":
    sys.exit(main())
