"""What each client is made to do, and how much of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.clients import Client
from benchmarks.processes import Upstream
from benchmarks.upstream import ANSWER, PACED, PIECES


@dataclass(frozen=True, slots=True)
class Points:
    """Where growth is measured."""

    at_once: tuple[int, ...]
    providers: tuple[int, ...]
    turns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is done: more of it makes figures steadier.

    Attributes:
        rounds: Times that the clients do all works, one client after the other.
        peer_rounds: Of these, in how many peers take part, which no verdict needs.
        growth_rounds: Rounds of the growth rows.
        memory_rounds: Rounds in which peak memory is measured, in processes of its own.
        starts: Fresh processes for each import and each start.
        seconds: For one work of one client in one round, at least; a slow client takes what its least calls take.
        calls: Least calls one at a time.
        share: Least calls at once, for each caller.
        warm_up: Calls before those that count, at least; each caller makes one, and up to ten within `warm_seconds`.
        growth: Points of the growth rows, see `scaling`.
        most_at_once: What "at once" is cut down to.
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
class Work:
    """One work.

    Attributes:
        mode: The upstream's mode that is asked.
        fails_over: The mode fails, and a second address answers.
        alone: In a process that does nothing else, for its peak memory.
    """

    name: str
    title: str
    mode: str
    at_once: int = 1
    kind: str = "calls"
    pieces: tuple[str, ...] = ()
    fails_over: bool = False
    alone: bool = False

    def done_in(self, number: int, amount: Amount) -> bool:
        """Return whether it is done in this round, counted from 0."""
        return not self.alone or number < amount.memory_rounds

    def done_by(self, client: Client) -> bool:
        """Return whether `client` takes part."""
        return (client.fails_over or not self.fails_over) and (client.streams or self.kind != "streams")

    def order(self, upstream: Upstream, amount: Amount) -> dict[str, Any]:
        """Return what a worker is told."""
        at_once = min(self.at_once, amount.most_at_once)
        order = {"kind": self.kind, "address": upstream.at(self.mode), "seconds": amount.seconds}
        order |= {"at_once": at_once, "warm_up": amount.warm_up, "warm_seconds": amount.warm_seconds, "answer": ANSWER}
        order["calls"] = max(amount.calls, round(at_once * amount.share))
        if self.alone:  # after the first ones at once, a few more: the peak is reached
            order |= {"calls": at_once // 5, "seconds": 0.0, "warm_seconds": 0.0}
        if self.fails_over:
            order["fallback"] = upstream.at("ok")
        if self.kind == "streams":
            calls = max(3, amount.calls // 10)
            order |= {"answer": "".join(self.pieces), "chunks": len(self.pieces), "calls": calls, "warm_up": 2}
        return order


ONE = Work("one", "One call at a time", "ok")
HUNDRED = Work("hundred", "100 at once", "ok", 100)
FIVE_HUNDRED = Work("five_hundred", "500 at once", "ok", 500)
SLOW = Work("slow", "500 at once, the upstream takes 50 ms (ideal: 10,000 a second)", "slow", 500)
BURST = Work("burst", "A stream of 500 chunks in a burst", "ok", kind="streams", pieces=PIECES)
FIRST = Work("first", "A stream's first chunk, the others 1 ms apart", "paced", kind="streams", pieces=PACED)
FAILING_500 = Work("failing_500", "Failing over: the primary answers 500, retries off", "500", fails_over=True)
FAILING_429 = Work("failing_429", "Failing over: the primary answers 429, retries off", "429", fails_over=True)
MEMORY = Work("memory", "Peak memory at 500 at once", "ok", 500, alone=True)

WORKS = (ONE, HUNDRED, FIVE_HUNDRED, SLOW, BURST, FIRST, FAILING_500, FAILING_429, MEMORY)


def turns_of(clients: list[Client], round_number: int) -> Iterator[Client]:
    """Give the clients in an order that begins with another one each round."""
    first = round_number % len(clients)
    yield from (*clients[first:], *clients[:first])
