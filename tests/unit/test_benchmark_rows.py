"""Tests for the benchmark report: ratios within a round, results of bars, and rules for loaded modules."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # last, so that `faultmaven` stays the installed one
from benchmarks import bars, clients, fresh, imports, measuring, report, scaling, soak, worker, workloads

FAULTMAVEN, AIOHTTP, HTTPX = clients.FAULTMAVEN, clients.AIOHTTP, clients.HTTPX

FIGURES_AT_THE_BARS: dict[workloads.Workload, dict[str, dict[str, float]]] = {
    workloads.ONE: {FAULTMAVEN: {"cpu_us": 150, "us": 200}, AIOHTTP: {"cpu_us": 100}, HTTPX: {"cpu_us": 300}},
    workloads.HUNDRED: {
        clients.CEILING: {"per_second": 9, "upstream_us": 10},
        FAULTMAVEN: {"per_second": 600},
        AIOHTTP: {"per_second": 1000},
        HTTPX: {"per_second": 75},
    },
    workloads.FIVE_HUNDRED: {FAULTMAVEN: {"per_second": 600}, AIOHTTP: {"per_second": 1000}, HTTPX: {"per_second": 75}},
    workloads.SLOW: {FAULTMAVEN: {"per_second": 3000, "p99_ms": 200}},
    workloads.BURST: {FAULTMAVEN: {"cpu_us_per_chunk": 9}, AIOHTTP: {"cpu_us_per_chunk": 6}},
    workloads.FIRST: {FAULTMAVEN: {"first_us": 450}, AIOHTTP: {"first_us": 300}},
    workloads.FAILING_500: {FAULTMAVEN: {"us": 500, "primary_asked": 1.0}},
    workloads.FAILING_429: {FAULTMAVEN: {"us": 500, "primary_asked": 1.0}},
    workloads.MEMORY: {FAULTMAVEN: {"peak_mb": 70}},
}
FIGURES_BEYOND_A_BAR: list[tuple[str, workloads.Workload, str, str, float]] = [
    ("one call at a time, CPU", workloads.ONE, FAULTMAVEN, "cpu_us", 151),
    ("one call at a time, CPU", workloads.ONE, HTTPX, "cpu_us", 299),
    ("100 at once, requests a second", workloads.HUNDRED, FAULTMAVEN, "per_second", 599),
    ("500 at once, requests a second", workloads.FIVE_HUNDRED, HTTPX, "per_second", 76),
    ("500 at once, 50 ms upstream", workloads.SLOW, FAULTMAVEN, "p99_ms", 201),
    ("500 at once, 50 ms upstream", workloads.SLOW, FAULTMAVEN, "per_second", 2999),
    ("stream, CPU a chunk, burst", workloads.BURST, FAULTMAVEN, "cpu_us_per_chunk", 9.1),
    ("time to first chunk over aiohttp", workloads.FIRST, FAULTMAVEN, "first_us", 451),
    ("failing over (500, retries off)", workloads.FAILING_500, FAULTMAVEN, "us", 501),
    ("failing over (429, retries off)", workloads.FAILING_429, FAULTMAVEN, "primary_asked", 0.5),
    ("peak memory at 500 at once", workloads.MEMORY, FAULTMAVEN, "peak_mb", 71),
]


def figures() -> measuring.Figures:
    """Return figures at the exact limit of every bar."""
    measured = measuring.Figures()
    for work, by_client in FIGURES_AT_THE_BARS.items():
        for client, values in by_client.items():
            measured.results[work.name, client].append({**values, "round": 0})
    measured.single["import", fresh.BARE], measured.single["import", FAULTMAVEN] = [1.0], [61.0]
    measured.single["resident", fresh.BARE], measured.single["resident", FAULTMAVEN] = [8.0], [15.0]
    measured.single["start", FAULTMAVEN] = [400.0]
    measured.facts["distributions", FAULTMAVEN], measured.facts["megabytes", FAULTMAVEN] = 25, 40.0
    measured.growth[scaling.AT_ONCE] = {FAULTMAVEN: {1: 100.0, 2000: 125.0}, AIOHTTP: {1: 90.0, 2000: 80.0}}
    measured.growth[scaling.RARE_COLLECTION] = {FAULTMAVEN: {1: 100.0, 2000: 125.0}, AIOHTTP: {1: 90.0, 2000: 80.0}}
    measured.growth[scaling.PROVIDERS] = {FAULTMAVEN: {1: 100.0, 50: 125.0}}
    measured.growth[scaling.TURNS] = {FAULTMAVEN: {2: 100.0, 100: 198.0, 200: 348.0}}
    return measured


def results_by_row(measured: measuring.Figures) -> dict[str, str]:
    return {row.work: row.result for row in bars.rows(measured)}


def test_figures_at_the_bars_pass_every_row() -> None:
    assert set(results_by_row(figures()).values()) == {"pass"}
    assert not list(bars.missing(figures()))


@pytest.mark.parametrize(("row", "work", "client", "key", "value"), FIGURES_BEYOND_A_BAR)
def test_figure_beyond_a_bar_is_short(row: str, work: workloads.Workload, client: str, key: str, value: float) -> None:
    measured = figures()
    measured.results[work.name, client][0][key] = value
    assert results_by_row(measured)[row] == "short"


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [
        ("import faultmaven", "import", 61.1),
        ("import faultmaven", "resident", 15.1),
        ("process start to first answer", "start", 401),
    ],
)
def test_slow_start_is_short(row: str, name: str, value: float) -> None:
    measured = figures()
    measured.single[name, FAULTMAVEN] = [value]
    assert results_by_row(measured)[row] == "short"


@pytest.mark.parametrize("name", [scaling.AT_ONCE, scaling.RARE_COLLECTION, scaling.PROVIDERS, scaling.TURNS])
def test_growing_cost_of_call_is_short(name: str) -> None:
    measured = figures()
    costs = measured.growth[name][FAULTMAVEN]
    costs[list(costs)[-1]] *= 1.1
    assert list(results_by_row(measured).values()).count("short") == 1


def test_row_without_figures_counts_as_broken() -> None:
    measured = figures()
    del measured.results[workloads.BURST.name, FAULTMAVEN]
    assert results_by_row(measured)["stream, CPU a chunk, burst"] == "not measured"
    assert list(bars.missing(measured)) == ["stream, CPU a chunk, burst: not measured"]


def test_ratios_are_taken_within_a_round() -> None:
    measured = measuring.Figures()
    measured.results["one", FAULTMAVEN] = [
        {"cpu_us": cost, "round": number} for number, cost in enumerate((150, 300, 1500))
    ]
    measured.results["one", AIOHTTP] = [
        {"cpu_us": cost, "round": number} for number, cost in enumerate((100, 200, 1000))
    ]
    assert measured.ratio(workloads.ONE, FAULTMAVEN, AIOHTTP, "cpu_us") == 1.5


@pytest.mark.parametrize(("at_once", "warm_seconds", "warm"), [(1, 0.0, 2), (4, 0.0, 4), (4, 60.0, 40)])
def test_meter_counts_calls_after_warm_up(at_once: int, warm_seconds: float, warm: int) -> None:
    order = {"at_once": at_once, "warm_up": 2, "warm_seconds": warm_seconds, "calls": 3, "seconds": 0.0}
    meter, calls = worker.Meter(order), 0
    while not meter.done:
        meter.record(started=0.0)
        calls += 1
    meter.record(started=0.0)  # was in flight when the last counted call ended
    assert (calls, len(meter.times)) == (warm + 3, 3)


def test_failed_peer_is_reported_without_breaking_run() -> None:
    measured = figures()
    measured.errors["install", "openai"] = "no matching | distribution"
    page = "\n".join(report.full_page(measured, list(clients.CLIENTS), {}, "a page"))
    assert "| openai | install | no matching / distribution |" in page
    assert "| openai (failed) | - |" in page
    assert measured.broken() == []
    measured.errors["one", FAULTMAVEN] = "WrongAnswerError"
    assert measured.broken() == ["faultmaven, one: WrongAnswerError"]


IMPORTTIME = """import time: self [us] | cumulative | imported package
import time:        10 |         10 |     inner
import time:        20 |         30 |   outer
import time:         5 |          5 |   other
import time:         1 |         36 | faultmaven
import time:         7 |          7 | later
"""


def test_importtime_output_is_parsed_with_importers() -> None:
    assert imports.read_importtime(IMPORTTIME) == [
        imports.LoadedModule("inner", ("outer", "faultmaven"), 0.010),
        imports.LoadedModule("outer", ("faultmaven",), 0.030),
        imports.LoadedModule("other", ("faultmaven",), 0.005),
        imports.LoadedModule("faultmaven", (), 0.036),
        imports.LoadedModule("later", (), 0.007),
    ]


def test_forbidden_module_is_reported_without_nested_imports() -> None:
    rule = imports.Rule("a rule", "import json, html", baseline="", allowed=("html",), standard_library=False)
    forbidden = imports.forbidden_modules(rule)
    assert "json" in [loaded.name for loaded in forbidden]
    assert "json.decoder" not in [loaded.name for loaded in forbidden], "a module that json imports is not reported"
    assert not [loaded for loaded in forbidden if loaded.name.startswith("html")]


def test_rule_may_forbid_module_of_allowed_package() -> None:
    loaded = imports.LoadedModule("faultmaven.testing.lab", ("faultmaven.testing", "faultmaven.opening"), 1.0)
    assert list(imports._forbidden_modules(imports.OPENED, [loaded])) == [loaded]
    assert str(loaded) == "faultmaven.testing.lab (1.0 ms) <- faultmaven.testing <- faultmaven.opening"


def test_steady_soak_fails_on_memory_growth() -> None:
    first = soak.Reading(10_000, 50_000_000, 12)
    allowed = 90_000 * soak.MAX_BYTES_PER_CALL + soak.NOISE_BYTES
    readings = [first, soak.Reading(100_000, first.resident + allowed, 12)]
    assert all(soak.steady_checks(readings, max_sockets=12, failed=0, left=0).values())
    readings = [first, soak.Reading(100_000, first.resident + allowed + 1, 12)]
    assert list(soak.steady_checks(readings, 12, failed=0, left=0).values()) == [True, True, False, True, True]
    assert list(soak.steady_checks(readings, 11, failed=1, left=1).values()) == [True, False, False, False, False]
