"""Measurement of all workloads with all clients, in turn; results are kept per round for ratios within a round."""

import operator
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clients import AIOHTTP, CEILING, FAULTMAVEN, HTTPX, SHORT, Client
from benchmarks.processes import Upstream, Worker
from benchmarks.progress import print_progress
from benchmarks.workloads import HUNDRED, WORKLOADS, Amount, Workload, rotated


@dataclass
class Figures:
    """All measured figures.

    Attributes:
        results: For workload and client, the results of the worker, one mapping per round.
        errors: For workload and client, the first error.
        single: For a name such as "import" and a client, the samples of fresh processes.
        facts: For a name such as "megabytes" and a client, a fact that needs no samples.
        growth: For "at once", "providers" and "turns" median CPU us a call at each point, of faultmaven and aiohttp.
    """

    results: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    single: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    facts: dict[tuple[str, str], float] = field(default_factory=dict)
    growth: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)

    def value(self, work: Workload, client: str, key: str) -> float | None:
        """Return the median of a figure over the rounds, or None without measurements."""
        values = [result[key] for result in self.results.get((work.name, client), ()) if result.get(key) is not None]
        return statistics.median(values) if values else None

    def compared(
        self,
        work: Workload,
        client: str,
        key: str,
        function: Callable[[float, float], float],
        *,
        other: str,
        other_work: Workload | None = None,
    ) -> float | None:
        """Return the median over the rounds of `function(figure of client, figure of other)` in the same round."""
        other_results = self.results.get(((other_work or work).name, other), ())
        by_round = {result["round"]: result[key] for result in other_results if result.get(key)}
        pairs = [
            function(result[key], by_round[result["round"]])
            for result in self.results.get((work.name, client), ())
            if result.get(key) and result["round"] in by_round
        ]
        return statistics.median(pairs) if pairs else None

    def ratio(
        self, work: Workload, client: str, other: str, key: str, other_work: Workload | None = None
    ) -> float | None:
        """Return the median of the ratios of the rounds."""
        return self.compared(work, client, key, operator.truediv, other=other, other_work=other_work)

    def once(self, name: str, client: str) -> float | None:
        """Return the median over fresh processes, or None without measurements."""
        samples = self.single.get((name, client))
        return statistics.median(samples) if samples else None

    def broken(self) -> list[str]:
        """Return the errors of faultmaven and the baseline clients. Errors of peers do not break a run."""
        baselines = (CEILING, AIOHTTP, HTTPX, FAULTMAVEN)
        return [f"{client}, {work}: {error}" for (work, client), error in self.errors.items() if client in baselines]


def measure(
    clients: list[Client], pythons: Mapping[str, Path | str], upstream: Upstream, amount: Amount, figures: Figures
) -> None:
    """Run all workloads with all clients, round after round."""
    workers = _workers(clients, pythons, figures)
    usable = [client for client in clients if client.name in workers]
    baselines = [client for client in usable if client in SHORT]
    try:
        for number in range(amount.rounds):
            participants = usable if number < amount.peer_rounds else baselines
            for work in (work for work in WORKLOADS if work.done_in(number, amount)):
                print_progress(f"round {number + 1} of {amount.rounds}: {work.title}")
                for client in rotated(participants, number):
                    if work.done_by(client):
                        _sample(work, client, workers[client.name], upstream, amount, figures, number)
    finally:
        for worker in workers.values():
            worker.end()


def _workers(clients: list[Client], pythons: Mapping[str, Path | str], figures: Figures) -> dict[str, Worker]:
    workers = {}
    for client in clients:
        python = pythons[client.environment]
        if isinstance(python, str):
            figures.errors["install", client.name] = python
        else:
            workers[client.name] = Worker(python, client.adapter)
    return workers


def _sample(
    work: Workload, client: Client, worker: Worker, upstream: Upstream, amount: Amount, figures: Figures, number: int
) -> None:
    """Run one workload with one client once. A client that failed at a workload is skipped afterwards."""
    if (work.name, client.name) in figures.errors:
        return
    if work.alone:
        worker.end()
    counts, cpu = upstream.state()
    result = worker.run(work.order(upstream, amount))
    if work.alone:
        worker.end()
    if "error" in result:
        figures.errors[work.name, client.name] = result["error"]
        return
    after, cpu_after = upstream.state()
    primary_calls = after.get(work.mode, 0) - counts.get(work.mode, 0)
    result["primary_asked"] = (
        primary_calls / max(1, after.get("ok", 0) - counts.get("ok", 0)) if work.fails_over else None
    )
    result["upstream_us"] = (cpu_after - cpu) / max(1, primary_calls) * 1e6
    figures.results[work.name, client.name].append({**result, "round": number})


def upstream_ceiling(figures: Figures) -> float | None:
    """Return the maximum of answers per second of the upstream, from the CPU time per answer."""
    cost = figures.value(HUNDRED, CEILING, "upstream_us")
    return 1e6 / cost if cost else None
