"""How the cost of a call grows: from 1 to 2,000 at once, with 1 to 50 providers, with 2 to 200 turns; and a plot.

tox -e bench -- --scaling          prints the table, writes benchmarks/results/<date>-<machine>-scaling.png
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import AIOHTTP, OURS, Client
from benchmarks.measuring import Figures
from benchmarks.processes import Upstream, Worker
from benchmarks.progress import tell
from benchmarks.works import ONE, Amount, Points

FLAT = 1.25
"""A cost is flat when no point of it is above so many times the first one."""
LINEAR = 1.5
"""A cost is linear in bytes when one of the last turns costs at most so many times what one before them costs."""

AT_ONCE, COLLECTED, PROVIDERS, TURNS = "at once", "at once, collected seldom", "providers", "turns"
COLLECT_AT = 100_000
"""Objects more than were freed, after which Python's collector runs in "collected seldom"; Python's own figure is 700,
and 2,000 in later versions."""
_LEAST_CALLS = 200
_WAVES = 5
"""Calls of each caller: fewer would see a whole collection or none."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that grows; `compared` where raw aiohttp can be held beside it."""

    name: str
    title: str
    points: Callable[[Points], tuple[int, ...]]
    change: Callable[[int], dict[str, Any]]
    compared: bool = True


AXES = (
    Axis(AT_ONCE, "calls at once", lambda points: points.at_once, lambda point: {"at_once": point}),
    Axis(
        COLLECTED,
        "calls at once, collected seldom",
        lambda points: points.at_once,
        lambda point: {"at_once": point, "collect_at": COLLECT_AT},
    ),
    Axis(
        PROVIDERS,
        "providers in the registry",
        lambda points: points.providers,
        lambda point: {"options": {"providers": point}},
        compared=False,
    ),
    Axis(TURNS, "turns in the request", lambda points: points.turns, lambda point: {"turns": point}),
)


def measure_growth(
    clients: list[Client], pythons: Mapping[str, Path | str], upstream: Upstream, amount: Amount, figures: Figures
) -> None:
    """Measure ourselves, and raw aiohttp beside us, at every point of every axis; all in turn, round after round."""
    workers = {
        client.name: Worker(Path(pythons[client.environment]), client.adapter)
        for client in clients
        if client.name in (OURS, AIOHTTP) and isinstance(pythons[client.environment], Path)
    }
    try:
        for axis in AXES:
            points = axis.points(amount.growth)
            names = [name for name in workers if axis.compared or name == OURS]
            samples: dict[str, dict[int, list[float]]] = {name: {point: [] for point in points} for name in names}
            for number in range(amount.growth_rounds):
                tell(f"growth, round {number + 1} of {amount.growth_rounds}: {axis.title}")
                for point in points:
                    for name in names:
                        _sample(axis, point, name, workers[name], upstream, amount, figures, samples[name][point])
            figures.growth[axis.name] = {name: _medians(samples[name]) for name in names}
    finally:
        for worker in workers.values():
            worker.end()


def _sample(
    axis: Axis,
    point: int,
    name: str,
    worker: Worker,
    upstream: Upstream,
    amount: Amount,
    figures: Figures,
    samples: list[float],
) -> None:
    changed = axis.change(point)
    order = {**ONE.order(upstream, amount), **changed}
    order["calls"] = max(min(_LEAST_CALLS, amount.calls * 4), round(order["at_once"] * amount.share * _WAVES))
    told = worker.told(order)
    if "error" in told:
        figures.errors.setdefault((f"{point} {axis.title}", name), told["error"])
    else:
        samples.append(told["cpu_us"])


def _medians(samples: dict[int, list[float]]) -> dict[int, float]:
    return {point: statistics.median(found) for point, found in samples.items() if found}


def worst(costs: Mapping[int, float]) -> float:
    """Return how many times the first point's cost the dearest point's is."""
    first, *_ = costs.values()
    return max(costs.values()) / first


def bend(costs: Mapping[int, float]) -> float:
    """Return how many times dearer a further unit is between the last two points than before them."""
    points = list(costs)
    first, middle, last = points[0], points[-2], points[-1]
    early = (costs[middle] - costs[first]) / (middle - first)
    late = (costs[last] - costs[middle]) / (last - middle)
    return late / early if early > 0 else float("inf") if late > 0 else 1.0


def plot(figures: Figures, path: Path, machine: str) -> None:
    """Draw the axes side by side."""
    import matplotlib  # installed in the benchmark's own environment only

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawing, plots = pyplot.subplots(1, len(AXES), figsize=(20, 4.5), constrained_layout=True)
    for axis, part in zip(AXES, plots, strict=True):
        for name, costs in figures.growth[axis.name].items():
            part.plot(list(costs), list(costs.values()), marker="o", label=name, color=_COLOURS[name])
        part.set_xlabel(axis.title)
        part.set_ylim(bottom=0)
        part.grid(alpha=0.3)
        part.legend()
        if axis.name in (AT_ONCE, COLLECTED):
            part.set_xscale("log")
    plots[0].set_ylabel("CPU, us a call")
    drawing.suptitle(f"What a call costs as things grow. {machine}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=120)
    pyplot.close(drawing)


_COLOURS = {OURS: "#1f6feb", AIOHTTP: "#888888"}
