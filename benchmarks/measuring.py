"""All clients through all works, in turn: what each told, kept per round so that ratios are taken within a round."""

import operator
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clients import AIOHTTP, CEILING, HTTPX, OURS, SHORT, Client
from benchmarks.processes import Upstream, Worker
from benchmarks.progress import tell
from benchmarks.works import HUNDRED, WORKS, Amount, Work, turns_of


@dataclass
class Figures:
    """Everything that was measured.

    Attributes:
        told: For work and client, what the worker told, a mapping for each round.
        errors: For work and client, the first thing that went wrong.
        single: For a name such as "import" and a client, the samples of fresh processes.
        facts: For a name such as "megabytes" and a client, a fact that needs no samples.
        growth: For "at once", "providers" and "turns" the median CPU us a call at each point, ours and raw aiohttp's.
    """

    told: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    single: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    facts: dict[tuple[str, str], float] = field(default_factory=dict)
    growth: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)

    def value(self, work: Work, client: str, key: str) -> float | None:
        """Return the median of a figure over the rounds; None where there is none."""
        found = [told[key] for told in self.told.get((work.name, client), ()) if told.get(key) is not None]
        return statistics.median(found) if found else None

    def compared(
        self,
        work: Work,
        client: str,
        key: str,
        how: Callable[[float, float], float],
        *,
        other: str,
        other_work: Work | None = None,
    ) -> float | None:
        """Return the median over the rounds of `how(client's figure, other's figure)`, both of the same round."""
        theirs = self.told.get(((other_work or work).name, other), ())
        of_round = {told["round"]: told[key] for told in theirs if told.get(key)}
        pairs = [
            how(told[key], of_round[told["round"]])
            for told in self.told.get((work.name, client), ())
            if told.get(key) and told["round"] in of_round
        ]
        return statistics.median(pairs) if pairs else None

    def ratio(self, work: Work, client: str, other: str, key: str, other_work: Work | None = None) -> float | None:
        """Return the median of the rounds' ratios."""
        return self.compared(work, client, key, operator.truediv, other=other, other_work=other_work)

    def once(self, name: str, client: str) -> float | None:
        """Return the median over fresh processes."""
        found = self.single.get((name, client))
        return statistics.median(found) if found else None

    def broken(self) -> list[str]:
        """Return what went wrong with us and with those that we are held against; peers' faults are their own."""
        own = (CEILING, AIOHTTP, HTTPX, OURS)
        return [f"{client}, {work}: {error}" for (work, client), error in self.errors.items() if client in own]


def measure(
    clients: list[Client], pythons: Mapping[str, Path | str], upstream: Upstream, amount: Amount, figures: Figures
) -> None:
    """Let all clients do all works, round after round."""
    workers = _workers(clients, pythons, figures)
    able = [client for client in clients if client.name in workers]
    own = [client for client in able if client in SHORT]
    try:
        for number in range(amount.rounds):
            taking_part = able if number < amount.peer_rounds else own
            for work in (work for work in WORKS if work.done_in(number, amount)):
                tell(f"round {number + 1} of {amount.rounds}: {work.title}")
                for client in turns_of(taking_part, number):
                    if work.done_by(client):
                        _sample(work, client, workers[client.name], upstream, amount, figures, number)
    finally:
        for worker in workers.values():
            worker.end()


def _workers(clients: list[Client], pythons: Mapping[str, Path | str], figures: Figures) -> dict[str, Worker]:
    found = {}
    for client in clients:
        python = pythons[client.environment]
        if isinstance(python, str):
            figures.errors["install", client.name] = python
        else:
            found[client.name] = Worker(python, client.adapter)
    return found


def _sample(
    work: Work, client: Client, worker: Worker, upstream: Upstream, amount: Amount, figures: Figures, number: int
) -> None:
    """Let one client do one work once. A client that failed at it is not asked again."""
    if (work.name, client.name) in figures.errors:
        return
    if work.alone:
        worker.end()
    counts, cpu = upstream.state()
    told = worker.told(work.order(upstream, amount))
    if work.alone:
        worker.end()
    if "error" in told:
        figures.errors[work.name, client.name] = told["error"]
        return
    after, cpu_after = upstream.state()
    asked = after.get(work.mode, 0) - counts.get(work.mode, 0)
    told["primary_asked"] = asked / max(1, after.get("ok", 0) - counts.get("ok", 0)) if work.fails_over else None
    told["upstream_us"] = (cpu_after - cpu) / max(1, asked) * 1e6
    figures.told[work.name, client.name].append({**told, "round": number})


def upstream_ceiling(figures: Figures) -> float | None:
    """Return how many answers a second the upstream can give at most, by its own CPU time for each."""
    cost = figures.value(HUNDRED, CEILING, "upstream_us")
    return 1e6 / cost if cost else None
