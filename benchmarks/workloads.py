"""The workloads of the clients, and the amount of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.clients import Client
from benchmarks.processes import Upstream
from benchmarks.upstream import ANSWER, CHUNK_TEXTS, PACED_CHUNK_TEXTS


@dataclass(frozen=True, slots=True)
class Points:
    """The points at which growth is measured."""

    at_once: tuple[int, ...]
    providers: tuple[int, ...]
    turns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """Amount of work; a larger amount gives more stable figures.

    Attributes:
        rounds: Number of rounds. In each round the clients run all workloads, one client after the other.
        peer_rounds: Number of these rounds with peers, whose figures no bar needs.
        growth_rounds: Rounds of the growth rows.
        memory_rounds: Rounds in which peak memory is measured, in separate processes.
        starts: Number of fresh processes for each import and each start.
        seconds: Minimum duration of one workload of one client in one round; slow clients take longer for `calls`.
        calls: Minimum number of sequential calls.
        share: Minimum number of concurrent calls per caller.
        warm_up: Minimum number of uncounted calls at the start; each caller makes one, and up to ten in `warm_seconds`.
        growth: Points of the growth rows, see `scaling`.
        most_at_once: Upper limit of the concurrent calls.
    """

    rounds: int
    peer_rounds: int
    growth_rounds: int
    memory_rounds: int
    starts: int
    seconds: float
    calls: int
    share: float
    warm_up: int
    warm_seconds: float
    growth: Points
    most_at_once: int = 500


FULL = Amount(
    rounds=7,
    peer_rounds=3,
    growth_rounds=5,
    memory_rounds=3,
    starts=9,
    seconds=1.0,
    calls=200,
    share=1.0,
    warm_up=20,
    warm_seconds=15.0,
    growth=Points((1, 10, 100, 500, 1000, 2000), (1, 5, 20, 50), (2, 20, 50, 100, 200)),
)
QUICK = Amount(
    rounds=2,
    peer_rounds=1,
    growth_rounds=1,
    memory_rounds=1,
    starts=2,
    seconds=0.2,
    calls=50,
    share=0.4,
    warm_up=20,
    warm_seconds=1.0,
    growth=Points((1, 100, 500, 2000), (1, 20, 50), (2, 100, 200)),
)
CHECK = Amount(
    rounds=1,
    peer_rounds=1,
    growth_rounds=1,
    memory_rounds=1,
    starts=1,
    seconds=0.0,
    calls=5,
    share=1.0,
    warm_up=1,
    warm_seconds=0.0,
    growth=Points((1, 20), (1, 5), (2, 10, 20)),
    most_at_once=20,
)


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload.

    Attributes:
        mode: Mode of the upstream that receives the requests.
        fails_over: Whether the mode fails and a second address answers.
        alone: Whether the workload runs in a process of its own, to measure the peak memory.
    """

    name: str
    title: str
    mode: str
    at_once: int = 1
    kind: str = "calls"
    chunk_texts: tuple[str, ...] = ()
    fails_over: bool = False
    alone: bool = False

    def done_in(self, number: int, amount: Amount) -> bool:
        """Return whether the workload runs in round `number`, counted from 0."""
        return not self.alone or number < amount.memory_rounds

    def done_by(self, client: Client) -> bool:
        """Return whether `client` takes part."""
        return (client.fails_over or not self.fails_over) and (client.streams or self.kind != "streams")

    def order(self, upstream: Upstream, amount: Amount) -> dict[str, Any]:
        """Return the order for a worker."""
        at_once = min(self.at_once, amount.most_at_once)
        order = {"kind": self.kind, "address": upstream.at(self.mode), "seconds": amount.seconds}
        order |= {"at_once": at_once, "warm_up": amount.warm_up, "warm_seconds": amount.warm_seconds, "answer": ANSWER}
        order["calls"] = max(amount.calls, round(at_once * amount.share))
        if self.alone:  # a few calls after the first concurrent ones reach the peak
            order |= {"calls": at_once // 5, "seconds": 0.0, "warm_seconds": 0.0}
        if self.fails_over:
            order["fallback"] = upstream.at("ok")
        if self.kind == "streams":
            calls = max(3, amount.calls // 10)
            order |= {
                "answer": "".join(self.chunk_texts),
                "chunks": len(self.chunk_texts),
                "calls": calls,
                "warm_up": 2,
            }
        return order


ONE = Workload("one", "One call at a time", "ok")
HUNDRED = Workload("hundred", "100 at once", "ok", 100)
FIVE_HUNDRED = Workload("five_hundred", "500 at once", "ok", 500)
SLOW = Workload("slow", "500 at once, the upstream takes 50 ms (ideal: 10,000 a second)", "slow", 500)
BURST = Workload("burst", "A stream of 500 chunks in a burst", "ok", kind="streams", chunk_texts=CHUNK_TEXTS)
FIRST = Workload(
    "first", "A stream's first chunk, the others 1 ms apart", "paced", kind="streams", chunk_texts=PACED_CHUNK_TEXTS
)
FAILING_500 = Workload("failing_500", "Failing over: the primary answers 500, retries off", "500", fails_over=True)
FAILING_429 = Workload("failing_429", "Failing over: the primary answers 429, retries off", "429", fails_over=True)
MEMORY = Workload("memory", "Peak memory at 500 at once", "ok", 500, alone=True)

WORKLOADS = (ONE, HUNDRED, FIVE_HUNDRED, SLOW, BURST, FIRST, FAILING_500, FAILING_429, MEMORY)


def rotated(clients: list[Client], round_number: int) -> Iterator[Client]:
    """Yield the clients, beginning with another one in each round."""
    first = round_number % len(clients)
    yield from (*clients[first:], *clients[:first])
