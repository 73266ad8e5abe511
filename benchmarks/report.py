"""Report of the figures as Markdown: the bars, a table for each workload, and the machine."""

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.bars import MISSING, PEERS, number, rows, times
from benchmarks.clients import AIOHTTP, FAULTMAVEN, HTTPX, Client
from benchmarks.fresh import BARE
from benchmarks.measuring import Figures, upstream_ceiling
from benchmarks.processes import cores
from benchmarks.workloads import (
    BURST,
    FAILING_429,
    FAILING_500,
    FIRST,
    FIVE_HUNDRED,
    HUNDRED,
    MEMORY,
    ONE,
    SLOW,
    Workload,
)

_COLUMNS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "calls": (
        ("CPU us a call", "cpu_us", 0),
        ("us a call", "us", 0),
        ("a second", "per_second", 0),
        ("p50 ms", "p50_ms", 2),
        ("p99 ms", "p99_ms", 2),
    ),
    "streams": (("CPU us a chunk", "cpu_us_per_chunk", 1), ("us to the first chunk", "first_us", 0)),
}
_COMPARED = {HUNDRED: "per_second", FIVE_HUNDRED: "per_second", SLOW: "per_second", BURST: "cpu_us_per_chunk"}
_COMPARED |= {FIRST: "first_us", ONE: "cpu_us"}


def machine() -> str:
    """Return a description of the machine in one line."""
    system = f"{platform.system()} {platform.release()}"
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {system}"


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*: (.+)$", info.read_text("utf-8"), re.MULTILINE) if info.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()


def slug() -> str:
    """Return the machine in a form for file names."""
    return re.sub(r"[^a-z0-9]+", "-", f"{processor()} {os.cpu_count()} cores".lower()).strip("-")


def summary(figures: Figures) -> Iterator[str]:
    """Yield the table of the bars with the results."""
    yield from _table(
        ("work", "bar", "measured", "", "peers"),
        ((row.work, row.bar, row.measured, row.result, row.peers) for row in rows(figures)),
    )


def full_page(figures: Figures, clients: list[Client], versions: Mapping[str, str], title: str) -> Iterator[str]:
    """Yield the lines of the whole page."""
    yield from (f"# {title}", "", f"{machine()}; {_pinning()}", "", *_conditions(figures), "", "## The bars", "")
    yield from summary(figures)
    for work in (ONE, HUNDRED, FIVE_HUNDRED, SLOW, BURST, FIRST, FAILING_500, FAILING_429):
        yield from ("", f"## {work.title}", "", *_work(figures, work, clients))
    yield from ("", "## Starting, memory, size", "", *_weights(figures, clients))
    yield from ("", "## Growth, CPU us a call", "", *growth(figures))
    yield from ("", "## Versions", "", *_table(("environment", "main distributions"), versions.items()))
    if figures.errors:
        failed = ((client, work, error) for (work, client), error in figures.errors.items())
        yield from ("", "## What failed", "", *_table(("client", "work", "error"), failed))


def _pinning() -> str:
    upstream, client = cores()
    return f"upstream on core {upstream}, client on core {client}" if upstream is not None else "nothing pinned"


def _conditions(figures: Figures) -> Iterator[str]:
    rounds = max((len(results) for results in figures.results.values()), default=0)
    peer_rounds = max((len(results) for (_, name), results in figures.results.items() if name in PEERS), default=0)
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    yield (
        f"Medians of {rounds} interleaved rounds, peers in {peer_rounds} of them; "
        f"ratios are medians of each round's ratio. Load at the end: {load}."
    )
    ceiling = upstream_ceiling(figures)
    yield f"The upstream spends CPU time for at most {number(ceiling)} answers a second."


def _work(figures: Figures, work: Workload, clients: list[Client]) -> Iterator[str]:
    columns = _COLUMNS[work.kind]
    compared = _COMPARED.get(work)
    others = (AIOHTTP, HTTPX) if compared else ()
    header = ("client", *(title for title, _, _ in columns), *(f"x {other}" for other in others))
    yield from _table(header, (_line(figures, work, client, others) for client in clients if work.done_by(client)))


def _line(figures: Figures, work: Workload, client: Client, others: Iterable[str]) -> tuple[str, ...]:
    values = (number(figures.value(work, client.name, key), digits) for _, key, digits in _COLUMNS[work.kind])
    ratios = (times(figures.ratio(work, client.name, other, _COMPARED[work])) for other in others)
    failed = (work.name, client.name) in figures.errors or ("install", client.name) in figures.errors
    name = f"**{client.name}**" if client.name == FAULTMAVEN else client.name
    return (f"{name} (failed)" if failed else name, *values, *ratios)


def growth(figures: Figures) -> Iterator[str]:
    """Yield the tables of the costs at each point of growth."""
    for name, clients in figures.growth.items():
        points = list(next(iter(clients.values()), {}))
        lines = ((client, *(number(costs.get(point)) for point in points)) for client, costs in clients.items())
        yield from (*_table((name, *(f"{point:,}" for point in points)), lines), "")


def _weights(figures: Figures, clients: list[Client]) -> Iterator[str]:
    header = ("client", "import ms", "resident MB", "start to first answer ms", "peak MB at 500", "distributions", "MB")
    bare = (BARE, number(figures.once("import", BARE), 1), number(figures.once("resident", BARE), 1), *[MISSING] * 4)
    yield from _table(header, (bare, *(_weight(figures, client.name) for client in clients)))


def _weight(figures: Figures, name: str) -> tuple[str, ...]:
    return (
        f"**{name}**" if name == FAULTMAVEN else name,
        number(figures.once("import", name), 1),
        number(figures.once("resident", name), 1),
        number(figures.once("start", name)),
        number(figures.value(MEMORY, name, "peak_mb")),
        number(figures.facts.get(("distributions", name))),
        number(figures.facts.get(("megabytes", name)), 1),
    )


def _table(header: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
