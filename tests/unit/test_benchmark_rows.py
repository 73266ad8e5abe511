"""What the benchmarks make of figures: ratios within a round, verdicts, and what may be loaded."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # last, so that `faultmaven` stays the installed one
from benchmarks import bars, clients, fresh, imports, measuring, report, scaling, soak, worker, works

OURS, AIOHTTP, HTTPX = clients.OURS, clients.AIOHTTP, clients.HTTPX

AT_THE_BARS: dict[works.Work, dict[str, dict[str, float]]] = {
    works.ONE: {OURS: {"cpu_us": 150, "us": 200}, AIOHTTP: {"cpu_us": 100}, HTTPX: {"cpu_us": 300}},
    works.HUNDRED: {
        clients.CEILING: {"per_second": 9, "upstream_us": 10},
        OURS: {"per_second": 600},
        AIOHTTP: {"per_second": 1000},
        HTTPX: {"per_second": 75},
    },
    works.FIVE_HUNDRED: {OURS: {"per_second": 600}, AIOHTTP: {"per_second": 1000}, HTTPX: {"per_second": 75}},
    works.SLOW: {OURS: {"per_second": 3000, "p99_ms": 200}},
    works.BURST: {OURS: {"cpu_us_per_chunk": 9}, AIOHTTP: {"cpu_us_per_chunk": 6}},
    works.FIRST: {OURS: {"first_us": 450}, AIOHTTP: {"first_us": 300}},
    works.FAILING_500: {OURS: {"us": 500, "primary_asked": 1.0}},
    works.FAILING_429: {OURS: {"us": 500, "primary_asked": 1.0}},
    works.MEMORY: {OURS: {"peak_mb": 70}},
}
BEYOND: list[tuple[str, works.Work, str, str, float]] = [
    ("one call at a time, CPU", works.ONE, OURS, "cpu_us", 151),
    ("one call at a time, CPU", works.ONE, HTTPX, "cpu_us", 299),
    ("100 at once, requests a second", works.HUNDRED, OURS, "per_second", 599),
    ("500 at once, requests a second", works.FIVE_HUNDRED, HTTPX, "per_second", 76),
    ("500 at once, 50 ms upstream", works.SLOW, OURS, "p99_ms", 201),
    ("500 at once, 50 ms upstream", works.SLOW, OURS, "per_second", 2999),
    ("stream, CPU a chunk, burst", works.BURST, OURS, "cpu_us_per_chunk", 9.1),
    ("time to first chunk over aiohttp", works.FIRST, OURS, "first_us", 451),
    ("failing over (500, retries off)", works.FAILING_500, OURS, "us", 501),
    ("failing over (429, retries off)", works.FAILING_429, OURS, "primary_asked", 0.5),
    ("peak memory at 500 at once", works.MEMORY, OURS, "peak_mb", 71),
]


def figures() -> measuring.Figures:
    """Return figures that meet every bar exactly."""
    made = measuring.Figures()
    for work, told in AT_THE_BARS.items():
        for client, values in told.items():
            made.told[work.name, client].append({**values, "round": 0})
    made.single["import", fresh.BARE], made.single["import", OURS] = [1.0], [61.0]
    made.single["resident", fresh.BARE], made.single["resident", OURS] = [8.0], [15.0]
    made.single["start", OURS] = [400.0]
    made.facts["distributions", OURS], made.facts["megabytes", OURS] = 25, 40.0
    made.growth[scaling.AT_ONCE] = {OURS: {1: 100.0, 2000: 125.0}, AIOHTTP: {1: 90.0, 2000: 80.0}}
    made.growth[scaling.COLLECTED] = {OURS: {1: 100.0, 2000: 125.0}, AIOHTTP: {1: 90.0, 2000: 80.0}}
    made.growth[scaling.PROVIDERS] = {OURS: {1: 100.0, 50: 125.0}}
    made.growth[scaling.TURNS] = {OURS: {2: 100.0, 100: 198.0, 200: 348.0}}
    return made


def verdicts(of: measuring.Figures) -> dict[str, str]:
    return {row.work: row.verdict for row in bars.rows(of)}


def test_what_meets_every_bar_passes_in_every_row() -> None:
    assert set(verdicts(figures()).values()) == {"pass"}
    assert not list(bars.missing(figures()))


@pytest.mark.parametrize(("row", "work", "client", "key", "value"), BEYOND)
def test_what_misses_a_bar_is_short_in_that_row(
    row: str, work: works.Work, client: str, key: str, value: float
) -> None:
    made = figures()
    made.told[work.name, client][0][key] = value
    assert verdicts(made)[row] == "short"


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [
        ("import faultmaven", "import", 61.1),
        ("import faultmaven", "resident", 15.1),
        ("process start to first answer", "start", 401),
    ],
)
def test_a_slow_start_is_short(row: str, name: str, value: float) -> None:
    made = figures()
    made.single[name, OURS] = [value]
    assert verdicts(made)[row] == "short"


@pytest.mark.parametrize("name", [scaling.AT_ONCE, scaling.COLLECTED, scaling.PROVIDERS, scaling.TURNS])
def test_growth_is_short_when_a_call_grows_dearer(name: str) -> None:
    made = figures()
    costs = made.growth[name][OURS]
    costs[list(costs)[-1]] *= 1.1
    assert list(verdicts(made).values()).count("short") == 1


def test_a_row_whose_figures_are_missing_has_no_verdict_and_counts_as_broken() -> None:
    made = figures()
    del made.told[works.BURST.name, OURS]
    assert verdicts(made)["stream, CPU a chunk, burst"] == "not measured"
    assert list(bars.missing(made)) == ["stream, CPU a chunk, burst: not measured"]


def test_ratios_are_taken_within_a_round_so_that_a_machine_that_slows_down_changes_nothing() -> None:
    made = measuring.Figures()
    made.told["one", OURS] = [{"cpu_us": cost, "round": number} for number, cost in enumerate((150, 300, 1500))]
    made.told["one", AIOHTTP] = [{"cpu_us": cost, "round": number} for number, cost in enumerate((100, 200, 1000))]
    assert made.ratio(works.ONE, OURS, AIOHTTP, "cpu_us") == 1.5


@pytest.mark.parametrize(("at_once", "warm_seconds", "warm"), [(1, 0.0, 2), (4, 0.0, 4), (4, 60.0, 40)])
def test_calls_count_from_the_end_of_the_warm_up_until_there_are_enough(
    at_once: int, warm_seconds: float, warm: int
) -> None:
    order = {"at_once": at_once, "warm_up": 2, "warm_seconds": warm_seconds, "calls": 3, "seconds": 0.0}
    meter, ended = worker.Meter(order), 0
    while not meter.done:
        meter.ended(started=0.0)
        ended += 1
    meter.ended(started=0.0)  # was under way when the last one that counts ended
    assert (ended, len(meter.times)) == (warm + 3, 3)


def test_a_peer_that_fails_is_a_line_of_the_page_and_breaks_nothing() -> None:
    made = figures()
    made.errors["install", "openai"] = "no matching | distribution"
    page = "\n".join(report.whole(made, list(clients.CLIENTS), {}, "a page"))
    assert "| openai | install | no matching / distribution |" in page
    assert "| openai (failed) | - |" in page
    assert made.broken() == []
    made.errors["one", OURS] = "WrongAnswerError"
    assert made.broken() == ["faultmaven, one: WrongAnswerError"]


IMPORTTIME = """import time: self [us] | cumulative | imported package
import time:        10 |         10 |     inner
import time:        20 |         30 |   outer
import time:         5 |          5 |   other
import time:         1 |         36 | faultmaven
import time:         7 |          7 | later
"""


def test_importtime_is_read_with_who_loaded_whom() -> None:
    assert imports.read_importtime(IMPORTTIME) == [
        imports.Loaded("inner", ("outer", "faultmaven"), 0.010),
        imports.Loaded("outer", ("faultmaven",), 0.030),
        imports.Loaded("other", ("faultmaven",), 0.005),
        imports.Loaded("faultmaven", (), 0.036),
        imports.Loaded("later", (), 0.007),
    ]


def test_the_check_names_the_module_that_may_not_be_there_and_who_loads_it() -> None:
    rule = imports.Rule("a rule", "import json, html", beside="", may=("html",), standard_library=False)
    found = imports.culprits(rule)
    assert "json" in [loaded.name for loaded in found]
    assert "json.decoder" not in [loaded.name for loaded in found], "what json loads is json's affair"
    assert not [loaded for loaded in found if loaded.name.startswith("html")]


def test_a_module_of_ours_may_be_refused_while_its_package_is_allowed() -> None:
    loaded = imports.Loaded("faultmaven.testing.lab", ("faultmaven.testing", "faultmaven.opening"), 1.0)
    assert list(imports._culprits(imports.OPENED, [loaded])) == [loaded]
    assert str(loaded) == "faultmaven.testing.lab (1.0 ms) <- faultmaven.testing <- faultmaven.opening"


def test_a_steady_soak_fails_on_growth_beyond_its_bytes_a_call() -> None:
    first = soak.Reading(10_000, 50_000_000, 12)
    allowed = 90_000 * soak.MOST_BYTES_A_CALL + soak.NOISE_BYTES
    readings = [first, soak.Reading(100_000, first.resident + allowed, 12)]
    assert all(soak.steady_checks(readings, most_sockets=12, failed=0, left=0).values())
    readings = [first, soak.Reading(100_000, first.resident + allowed + 1, 12)]
    assert list(soak.steady_checks(readings, 12, failed=0, left=0).values()) == [True, True, False, True, True]
    assert list(soak.steady_checks(readings, 11, failed=1, left=1).values()) == [True, False, False, False, False]
