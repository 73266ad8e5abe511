"""The bars as rows: the requirement, the measured figure, pass or short, and the cost of peers at the same workload."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.clients import AIOHTTP, CEILING, FAULTMAVEN, HTTPX
from benchmarks.fresh import BARE
from benchmarks.measuring import Figures
from benchmarks.scaling import (
    AT_ONCE,
    FLAT,
    GC_THRESHOLD,
    LINEAR,
    PROVIDERS,
    RARE_COLLECTION,
    TURNS,
    growth_ratio,
    slope_ratio,
)
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

PEERS = (
    "openai",
    "openai on aiohttp",
    "litellm",
    "litellm.Router",
    "pydantic-ai direct",
    "langchain-openai",
    "any-llm",
)
MISSING = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One bar. `holds` is None when a required figure was not measured."""

    work: str
    bar: str
    measured: str
    holds: bool | None
    peers: str = ""

    @property
    def result(self) -> str:
        """Result of the bar in one or two words."""
        return "not measured" if self.holds is None else "pass" if self.holds else "short"


def rows(figures: Figures) -> list[Row]:
    """Return all rows, in the order of the table."""
    return [
        _one_call(figures),
        *(_at_once(figures, work) for work in (HUNDRED, FIVE_HUNDRED)),
        _slow(figures),
        _burst(figures),
        _first(figures),
        *(_failing(figures, work) for work in (FAILING_500, FAILING_429)),
        _import(figures),
        _start(figures),
        _installed(figures),
        _memory(figures),
        _flat(figures, AT_ONCE, "growth: calls at once"),
        _flat(figures, RARE_COLLECTION, f"growth: calls at once, the host's `gc.set_threshold({GC_THRESHOLD:_})`"),
        _flat(figures, PROVIDERS, "growth: providers in the registry"),
        _linear(figures),
    ]


def _one_call(figures: Figures) -> Row:
    own = figures.value(ONE, FAULTMAVEN, "cpu_us")
    aiohttp, httpx = (figures.ratio(ONE, FAULTMAVEN, other, "cpu_us") for other in (AIOHTTP, HTTPX))
    return Row(
        "one call at a time, CPU",
        "at most 1.5 x aiohttp and 0.5 x httpx",
        f"{number(own)} us: {times(aiohttp)} aiohttp, {times(httpx)} httpx",
        _all(_at_most(aiohttp, 1.5), _at_most(httpx, 0.5)),
        _ratios(figures, ONE, "cpu_us"),
    )


def _at_once(figures: Figures, work: Workload) -> Row:
    own = figures.value(work, FAULTMAVEN, "per_second")
    aiohttp, httpx = (figures.ratio(work, FAULTMAVEN, other, "per_second") for other in (AIOHTTP, HTTPX))
    return Row(
        f"{work.at_once} at once, requests a second",
        "at least 0.6 x aiohttp and 8 x httpx",
        f"{number(own)}: {times(aiohttp)} aiohttp, {times(httpx)} httpx",
        _all(_at_least(aiohttp, 0.6), _at_least(httpx, 8)),
        _ratios(figures, work, "per_second"),
    )


def _slow(figures: Figures) -> Row:
    rate, p99 = figures.value(SLOW, FAULTMAVEN, "per_second"), figures.value(SLOW, FAULTMAVEN, "p99_ms")
    return Row(
        "500 at once, 50 ms upstream",
        "at least 3,000 a second, p99 under 200 ms",
        f"{number(rate)} a second, p99 {number(p99)} ms",
        _all(_at_least(rate, 3000), _at_most(p99, 200)),
        _values(figures, SLOW, "per_second"),
    )


def _burst(figures: Figures) -> Row:
    key = "cpu_us_per_chunk"
    ratio = figures.ratio(BURST, FAULTMAVEN, AIOHTTP, key)
    return Row(
        "stream, CPU a chunk, burst",
        "at most 1.5 x aiohttp",
        f"{number(figures.value(BURST, FAULTMAVEN, key), 1)} us: {times(ratio)} aiohttp",
        _at_most(ratio, 1.5),
        _ratios(figures, BURST, key),
    )


def _first(figures: Figures) -> Row:
    def overhead(client: str) -> float | None:
        return figures.compared(FIRST, client, "first_us", operator.sub, other=AIOHTTP)

    return Row(
        "time to first chunk over aiohttp",
        "at most + 150 us",
        f"+ {number(overhead(FAULTMAVEN))} us, of {number(figures.value(FIRST, FAULTMAVEN, 'first_us'))}",
        _at_most(overhead(FAULTMAVEN), 150),
        ", ".join(f"{peer} + {number(overhead(peer))}" for peer in PEERS if overhead(peer) is not None),
    )


def _failing(figures: Figures, work: Workload) -> Row:
    own, primary_calls = figures.value(work, FAULTMAVEN, "us"), figures.value(work, FAULTMAVEN, "primary_asked")
    ratio = figures.ratio(work, FAULTMAVEN, FAULTMAVEN, "us", other_work=ONE)
    return Row(
        f"failing over ({work.mode}, retries off)",
        "at most 2.5 x a plain call of ours, under 1 ms",
        f"{number(own and own / 1e3, 2)} ms: {times(ratio)} plain (primary asked {number(primary_calls, 2)} x a call)",
        _all(_at_most(ratio, 2.5), _at_most(own, 1000), primary_calls is not None and 0.99 <= primary_calls <= 1.01),
        ", ".join(
            f"{peer} {number(value / 1000, 2)} ms"
            for peer in (*PEERS, "pydantic-ai agent")
            if (value := figures.value(work, peer, "us")) is not None
        ),
    )


def _import(figures: Figures) -> Row:
    own, bare, resident = (
        figures.once("import", FAULTMAVEN),
        figures.once("import", BARE),
        figures.once("resident", FAULTMAVEN),
    )
    bare_resident = figures.once("resident", BARE)
    overhead = own - bare if own is not None and bare is not None else None
    return Row(
        "import faultmaven",
        "at most 60 ms over bare Python, 15 MB resident",
        f"{number(overhead, 1)} ms, {number(resident, 1)} MB (bare Python: {number(bare_resident, 1)})",
        _all(_at_most(overhead, 60), _at_most(resident, 15)),
        _single(figures, "import", "ms"),
    )


def _start(figures: Figures) -> Row:
    own = figures.once("start", FAULTMAVEN)
    return Row(
        "process start to first answer",
        "at most 400 ms, aim 300",
        f"{number(own)} ms",
        _at_most(own, 400),
        _single(figures, "start", "ms"),
    )


def _installed(figures: Figures) -> Row:
    count, size = figures.facts.get(("distributions", FAULTMAVEN)), figures.facts.get(("megabytes", FAULTMAVEN))
    return Row(
        "installed, core only",
        "at most 25 distributions, 40 MB without byte code",
        f"{number(count)} distributions, {number(size, 1)} MB",
        _all(_at_most(count, 25), _at_most(size, 40)),
        ", ".join(
            f"{peer} {number(figures.facts['distributions', peer])}/{number(figures.facts['megabytes', peer])} MB"
            for peer in PEERS
            if ("megabytes", peer) in figures.facts
        ),
    )


def _memory(figures: Figures) -> Row:
    own = figures.value(MEMORY, FAULTMAVEN, "peak_mb")
    return Row(
        "peak memory at 500 at once",
        "at most 70 MB",
        f"{number(own)} MB",
        _at_most(own, 70),
        _values(figures, MEMORY, "peak_mb", " MB"),
    )


def _flat(figures: Figures, name: str, work: str) -> Row:
    costs = figures.growth.get(name, {}).get(FAULTMAVEN, {})
    is_complete = len(costs) > 1
    return Row(
        work,
        f"flat: no point above {FLAT:g} x the first",
        f"{_points(costs)} us a call: {times(growth_ratio(costs) if is_complete else None)} at most",
        _at_most(growth_ratio(costs), FLAT) if is_complete else None,
        f"aiohttp {_points(figures.growth.get(name, {}).get(AIOHTTP, {}))}" if name != PROVIDERS else "",
    )


def _linear(figures: Figures) -> Row:
    costs = figures.growth.get(TURNS, {}).get(FAULTMAVEN, {})
    is_complete = len(costs) > 2
    return Row(
        "growth: turns in the request",
        f"linear in bytes: one of the last turns costs at most {LINEAR:g} x one before them",
        f"{_points(costs)} us a call: {times(slope_ratio(costs) if is_complete else None)}",
        _at_most(slope_ratio(costs), LINEAR) if is_complete else None,
        f"aiohttp {_points(figures.growth.get(TURNS, {}).get(AIOHTTP, {}))}",
    )


def _points(costs: dict[int, float]) -> str:
    return ", ".join(f"{point}: {number(cost)}" for point, cost in costs.items()) or MISSING


def _ratios(figures: Figures, work: Workload, key: str) -> str:
    """Return the ratios of the peers to raw aiohttp."""
    figures_of_peers = [(peer, figures.ratio(work, peer, AIOHTTP, key)) for peer in PEERS]
    return ", ".join(f"{peer} {number(ratio, 2)} x" for peer, ratio in figures_of_peers if ratio is not None)


def _values(figures: Figures, work: Workload, key: str, unit: str = "") -> str:
    figures_of_peers = [(peer, figures.value(work, peer, key)) for peer in PEERS]
    return ", ".join(f"{peer} {number(value)}{unit}" for peer, value in figures_of_peers if value is not None)


def _single(figures: Figures, name: str, unit: str) -> str:
    figures_of_peers = [(peer, figures.once(name, peer)) for peer in PEERS]
    return ", ".join(f"{peer} {number(value)} {unit}" for peer, value in figures_of_peers if value is not None)


def number(value: float | None, digits: int = 0) -> str:
    """Return a number in the format of the tables."""
    return MISSING if value is None else f"{value:,.{digits}f}"


def times(value: float | None) -> str:
    """Return a ratio in the format of the tables."""
    return MISSING if value is None else f"{value:.2f} x"


def _at_most(value: float | None, limit: float) -> bool | None:
    return None if value is None else value <= limit


def _at_least(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def _all(*results: bool | None) -> bool | None:
    return None if None in results else all(results)


def missing(figures: Figures) -> Iterator[str]:
    """Yield the rows without a result, which means that a benchmark is broken."""
    yield from (f"{row.work}: {row.result}" for row in rows(figures) if row.holds is None)
    if figures.value(HUNDRED, CEILING, "per_second") is None:
        yield f"{CEILING}: {HUNDRED.title}"
