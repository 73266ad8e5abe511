"""What this package costs above the network: CPU over a transport that answers from memory, everything on.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --calls 200 --rounds 1

Rounds of all works are interleaved, and the median of each is told: process CPU in microseconds. `x plain` is the ratio
to one plain call. Nothing here passes or fails by its time.
"""

import argparse
import asyncio
import gc
import resource
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.memory import CHUNKS, MODEL, PROMPT, MemoryTransport, conversation, vendors
from faultmaven import LLMResponse, open_container
from faultmaven.domain.messages import Prompt
from faultmaven.ports.llm import LLMProvider
from faultmaven.testing.lab import ANSWER

WARM_UP = 50
CALLS_BETWEEN_PAUSES = 20
"""Answers from memory suspend nobody, and only a loop that gets its turn puts cancelled timers away."""


@dataclass
class Work:
    """One row of the table.

    Attributes:
        run: Does it so many times.
        unit: What is counted: a call, or a chunk of a stream.
        per_run: How many units one time is.
        found: CPU microseconds for one unit, of each round.
    """

    name: str
    run: Callable[[int], Awaitable[None]]
    unit: str = "call"
    per_run: int = 1
    found: list[float] = field(default_factory=list)


def cpu_seconds() -> float:
    """Return the CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def check(response: LLMResponse) -> None:
    """Raise where an answer is not the one that was sent: a fast wrong answer is worth nothing."""
    if response.content != ANSWER or response.attempts[-1].outcome != "answered":
        raise SystemExit(f"a wrong answer came: {response!r}")


def asking(llm: LLMProvider, prompt: Prompt, **options: Any) -> Callable[[], Awaitable[LLMResponse]]:
    """Return what asks `llm` once."""
    return lambda: llm.generate(prompt, **options)


def calls(ask: Callable[[], Awaitable[LLMResponse]], at_once: int = 1) -> Callable[[int], Awaitable[None]]:
    """Return what asks so many times, `at_once` calls under way at any time."""

    async def run(count: int) -> None:
        turns = iter(range(count))

        async def one_after_the_other() -> None:
            for turn in turns:
                check(await ask())
                if not turn % CALLS_BETWEEN_PAUSES:
                    await asyncio.sleep(0)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))

    return run


def streams(provider: LLMProvider) -> Callable[[int], Awaitable[None]]:
    """Return what reads so many streams to their ends."""

    async def run(count: int) -> None:
        for _ in range(count):
            async with provider.stream(PROMPT) as stream:
                pieces = [chunk.text async for chunk in stream if chunk.text]
            if len(pieces) != CHUNKS or stream.response.content != "".join(pieces):
                raise SystemExit(f"a wrong stream came: {len(pieces)} pieces")

    return run


@asynccontextmanager
async def works(counts: list[int], turns: list[int], at_once: list[int]) -> AsyncIterator[list[Work]]:
    """Give every row of the table, with the containers open that they need."""
    async with AsyncExitStack() as stack:

        async def router(providers: int, *down: str) -> LLMProvider:
            found = vendors(providers, MemoryTransport(*down))
            container = await stack.enter_async_context(open_container(providers=found))
            llm: LLMProvider = container.llm()
            return llm

        pair, alone = await router(2), vendors(1, MemoryTransport())["v0"]
        plain = [
            Work("one plain call, two providers", calls(asking(pair, PROMPT))),
            Work("the same, its model named", calls(asking(pair, PROMPT, model=MODEL))),
            Work("the same, a deadline of its own", calls(asking(pair, PROMPT, deadline=30.0))),
            Work("of it the provider alone", calls(asking(alone, PROMPT))),
        ]
        failing = await router(2, "v0")
        over = Work("failing over from a 429", calls(asking(failing, PROMPT)))
        sizes = [Work(f"{count} providers", calls(asking(await router(count), PROMPT))) for count in counts]
        long = [Work(f"{count} turns", calls(asking(pair, conversation(count)))) for count in turns]
        wide = [Work(f"{count} at once", calls(asking(pair, PROMPT), count)) for count in at_once]
        chunks = [
            Work("a chunk of a stream, routed", streams(pair), "chunk", CHUNKS),
            Work("of it the provider alone, a chunk", streams(alone), "chunk", CHUNKS),
        ]
        yield [*plain, over, *sizes, *long, *wide, *chunks]


async def measure(table: list[Work], count: int, rounds: int) -> None:
    """Run every work in turn, round after round."""
    for work in table:
        await work.run(WARM_UP if work.per_run == 1 else 1)
    for _ in range(rounds):
        for work in table:
            times = max(1, count // work.per_run)
            gc.collect()
            before = cpu_seconds()
            await work.run(times)
            work.found.append((cpu_seconds() - before) * 1e6 / (times * work.per_run))


def told(table: list[Work]) -> str:
    """Return the table as lines of text."""
    plain = statistics.median(table[0].found)
    lines = [f"{'work':34} {'us CPU':>10} {'x plain':>9}"]
    for work in table:
        median = statistics.median(work.found)
        ratio = f"{median / plain:9.2f}" if work.unit == "call" else " " * 9
        lines.append(f"{work.name:34} {median:10.1f} {ratio}  a {work.unit}")
    return "\n".join(lines)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="calls, or chunks, of a work in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, nargs="+", default=[100, 500, 2000])
    arguments = parser.parse_args()
    async with works([1, 10, 50], [2, 20, 200], arguments.at_once) as table:
        await measure(table, arguments.calls, arguments.rounds)
        print(told(table))


if __name__ == "__main__":
    asyncio.run(main())
