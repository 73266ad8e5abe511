"""Overhead of this package: CPU time with a transport that answers from memory and all features enabled.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --calls 200 --rounds 1

Rounds of all workloads are interleaved, and the median of each is printed: process CPU in microseconds. `x plain` is
the ratio to one plain call. No time passes or fails.
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

from benchmarks.memory import CHUNKS, MODEL, PROMPT, MemoryTransport, conversation, trust_timeouts, vendors
from faultmaven import LLMResponse, open_container
from faultmaven.domain.messages import Prompt
from faultmaven.ports.llm import LLMProvider
from faultmaven.testing.lab import ANSWER

WARM_UP = 50
CALLS_BETWEEN_PAUSES = 20
"""Answers from memory never suspend a task, and the event loop removes cancelled timers only while it runs."""


@dataclass
class Workload:
    """A workload: one row of the table.

    Attributes:
        run: Runs the workload the given number of times.
        unit: The counted unit: a call, or a chunk of a stream.
        per_run: Number of units of one run.
        samples: CPU microseconds for one unit, one value per round.
    """

    name: str
    run: Callable[[int], Awaitable[None]]
    unit: str = "call"
    per_run: int = 1
    samples: list[float] = field(default_factory=list)


def cpu_seconds() -> float:
    """Return the CPU seconds that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def check(response: LLMResponse) -> None:
    """Exit if the response is not the answer that the transport sent."""
    if response.content != ANSWER or response.attempts[-1].outcome != "answered":
        raise SystemExit(f"a wrong answer came: {response!r}")


def one_call(llm: LLMProvider, prompt: Prompt, **options: Any) -> Callable[[], Awaitable[LLMResponse]]:
    """Return a function that calls `llm` once."""
    return lambda: llm.generate(prompt, **options)


def run_calls(call: Callable[[], Awaitable[LLMResponse]], at_once: int = 1) -> Callable[[int], Awaitable[None]]:
    """Return a function that makes `count` calls, `at_once` of them in flight."""

    async def run(count: int) -> None:
        numbers = iter(range(count))

        async def caller() -> None:
            for number in numbers:
                check(await call())
                if not number % CALLS_BETWEEN_PAUSES:
                    await asyncio.sleep(0)

        await asyncio.gather(*(caller() for _ in range(at_once)))

    return run


def run_streams(provider: LLMProvider) -> Callable[[int], Awaitable[None]]:
    """Return a function that reads `count` streams to the end."""

    async def run(count: int) -> None:
        for _ in range(count):
            async with provider.stream(PROMPT) as stream:
                pieces = [chunk.text async for chunk in stream if chunk.text]
            if len(pieces) != CHUNKS or stream.response.content != "".join(pieces):
                raise SystemExit(f"a wrong stream came: {len(pieces)} pieces")

    return run


@asynccontextmanager
async def open_workloads(counts: list[int], turns: list[int], at_once: list[int]) -> AsyncIterator[list[Workload]]:
    """Yield all workloads of the table, with their containers open."""
    async with AsyncExitStack() as stack:

        async def router(providers: int, *down: str) -> LLMProvider:
            fakes = vendors(providers, MemoryTransport(*down))
            container = await stack.enter_async_context(open_container(providers=fakes))
            trust_timeouts(container)
            llm: LLMProvider = container.llm()
            return llm

        pair, alone = await router(2), vendors(1, MemoryTransport())["v0"]
        plain = [
            Workload("one plain call, two providers", run_calls(one_call(pair, PROMPT))),
            Workload("the same, its model named", run_calls(one_call(pair, PROMPT, model=MODEL))),
            Workload("the same, a deadline of its own", run_calls(one_call(pair, PROMPT, deadline=30.0))),
            Workload("of it the provider alone", run_calls(one_call(alone, PROMPT))),
        ]
        failing = await router(2, "v0")
        over = Workload("failing over from a 429", run_calls(one_call(failing, PROMPT)))
        sizes = [Workload(f"{count} providers", run_calls(one_call(await router(count), PROMPT))) for count in counts]
        long = [Workload(f"{count} turns", run_calls(one_call(pair, conversation(count)))) for count in turns]
        wide = [Workload(f"{count} at once", run_calls(one_call(pair, PROMPT), count)) for count in at_once]
        chunks = [
            Workload("a chunk of a stream, routed", run_streams(pair), "chunk", CHUNKS),
            Workload("of it the provider alone, a chunk", run_streams(alone), "chunk", CHUNKS),
        ]
        yield [*plain, over, *sizes, *long, *wide, *chunks]


async def measure(table: list[Workload], count: int, rounds: int) -> None:
    """Run all workloads in turn, round after round."""
    for work in table:
        await work.run(WARM_UP if work.per_run == 1 else 1)
    for _ in range(rounds):
        for work in table:
            times = max(1, count // work.per_run)
            gc.collect()
            before = cpu_seconds()
            await work.run(times)
            work.samples.append((cpu_seconds() - before) * 1e6 / (times * work.per_run))


def format_table(table: list[Workload]) -> str:
    """Return the table as text."""
    plain = statistics.median(table[0].samples)
    lines = [f"{'work':34} {'us CPU':>10} {'x plain':>9}"]
    for work in table:
        median = statistics.median(work.samples)
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
    async with open_workloads([1, 10, 50], [2, 20, 200], arguments.at_once) as table:
        await measure(table, arguments.calls, arguments.rounds)
        print(format_table(table))


if __name__ == "__main__":
    asyncio.run(main())
