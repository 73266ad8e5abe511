"""Growth of the cost of a call: with 1 to 2,000 concurrent calls, 1 to 50 providers and 2 to 200 turns; and a plot.

tox -e bench -- --scaling          prints the table, writes benchmarks/results/<date>-<machine>-scaling.png
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import AIOHTTP, FAULTMAVEN, Client
from benchmarks.measuring import Figures
from benchmarks.processes import Upstream, Worker
from benchmarks.progress import print_progress
from benchmarks.workloads import ONE, Amount, Points

FLAT = 1.25
"""A cost is flat if no point exceeds the first one by this factor."""
LINEAR = 1.5
"""A cost is linear in bytes if one of the last turns costs at most this factor more than an earlier turn."""

AT_ONCE, RARE_COLLECTION, PROVIDERS, TURNS = "at once", "at once, collected seldom", "providers", "turns"
GC_THRESHOLD = 100_000
"""Threshold of Python's garbage collector in "collected seldom": the surplus of allocated over freed objects. The
default is 700, and 2,000 in later versions."""
_MIN_CALLS = 200
_CALLS_PER_CALLER = 5
"""With fewer calls per caller, a measurement includes either one full garbage collection or none."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantity that grows. `compared`: whether raw aiohttp is measured, too."""

    name: str
    title: str
    points: Callable[[Points], tuple[int, ...]]
    change: Callable[[int], dict[str, Any]]
    compared: bool = True


AXES = (
    Axis(AT_ONCE, "calls at once", lambda points: points.at_once, lambda point: {"at_once": point}),
    Axis(
        RARE_COLLECTION,
        "calls at once, collected seldom",
        lambda points: points.at_once,
        lambda point: {"at_once": point, "collect_at": GC_THRESHOLD},
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
    """Measure faultmaven and raw aiohttp at every point of every axis, in turn, round after round."""
    workers = {
        client.name: Worker(Path(pythons[client.environment]), client.adapter)
        for client in clients
        if client.name in (FAULTMAVEN, AIOHTTP) and isinstance(pythons[client.environment], Path)
    }
    try:
        for axis in AXES:
            points = axis.points(amount.growth)
            names = [name for name in workers if axis.compared or name == FAULTMAVEN]
            samples: dict[str, dict[int, list[float]]] = {name: {point: [] for point in points} for name in names}
            for number in range(amount.growth_rounds):
                print_progress(f"growth, round {number + 1} of {amount.growth_rounds}: {axis.title}")
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
    changes = axis.change(point)
    order = {**ONE.order(upstream, amount), **changes}
    order["calls"] = max(min(_MIN_CALLS, amount.calls * 4), round(order["at_once"] * amount.share * _CALLS_PER_CALLER))
    result = worker.run(order)
    if "error" in result:
        figures.errors.setdefault((f"{point} {axis.title}", name), result["error"])
    else:
        samples.append(result["cpu_us"])


def _medians(samples: dict[int, list[float]]) -> dict[int, float]:
    return {point: statistics.median(values) for point, values in samples.items() if values}


def growth_ratio(costs: Mapping[int, float]) -> float:
    """Return the ratio of the highest cost to the cost of the first point."""
    first, *_ = costs.values()
    return max(costs.values()) / first


def slope_ratio(costs: Mapping[int, float]) -> float:
    """Return the ratio of the slope between the last two points to the slope before them."""
    points = list(costs)
    first, middle, last = points[0], points[-2], points[-1]
    early = (costs[middle] - costs[first]) / (middle - first)
    late = (costs[last] - costs[middle]) / (last - middle)
    return late / early if early > 0 else float("inf") if late > 0 else 1.0


def plot(figures: Figures, path: Path, machine: str) -> None:
    """Draw the axes side by side."""
    import matplotlib  # installed only in the environment of the benchmarks

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, subplots = pyplot.subplots(1, len(AXES), figsize=(20, 4.5), constrained_layout=True)
    for axis, plot_axes in zip(AXES, subplots, strict=True):
        for name, costs in figures.growth[axis.name].items():
            plot_axes.plot(list(costs), list(costs.values()), marker="o", label=name, color=_COLOURS[name])
        plot_axes.set_xlabel(axis.title)
        plot_axes.set_ylim(bottom=0)
        plot_axes.grid(alpha=0.3)
        plot_axes.legend()
        if axis.name in (AT_ONCE, RARE_COLLECTION):
            plot_axes.set_xscale("log")
    subplots[0].set_ylabel("CPU, us a call")
    figure.suptitle(f"What a call costs as things grow. {machine}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


_COLOURS = {FAULTMAVEN: "#1f6feb", AIOHTTP: "#888888"}
