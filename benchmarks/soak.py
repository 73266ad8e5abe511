"""Soak test: many concurrent calls over real sockets to three failing vendors, of which one is healthy at any time.

    python benchmarks/soak.py --calls 100000 --at-once 500
    python benchmarks/soak.py --steady --calls 100000 --at-once 500

A second process serves the fault lab on the loopback interface. Each question holds a number that the vendor repeats in
the answer, so that lost, mixed-up and doubled answers are detected. The exit code is 1 if a check of this script fails;
times are printed and not checked.

With `--steady`, the upstream of the benchmarks answers every request immediately and without faults; memory and open
sockets are read every 10,000 calls, and neither may grow. The run ends after `--seconds` at the latest.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pydantic_core

from faultmaven import Container, LLMError, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FaultLab
from faultmaven.testing.lab import ANSWER, LabReply

VENDORS = ("openai", "anthropic", "gemini")
FAULT_RATE = 0.54
"""Share of faults in the requests to an unhealthy vendor, which gives 30 % over all three vendors and over time."""

FAULTS = (
    "reset",
    "cut_headers",
    "cut_body",
    "truncated_json",
    "html",
    "wrong_shape",
    "empty",
    "server_error",
    "bad_gateway",
    "unavailable",
    "overloaded_529",
    "rate_limited_ms",
    "silent",
)
HEALTHY_FOR_SECONDS, OVERLAP_SECONDS = 30.0, 10.0
"""Each vendor in turn is healthy for this period, the last of the chain first, then the one before. The periods
overlap, so that at least one vendor is healthy for the duration of a call."""

MIN_SUCCESS = 0.9999
MAX_GROWTH = 0.05
"""Maximum growth relative to the memory after half of the calls, when pools and circuit breakers are full."""

MAX_BYTES_PER_CALL, NOISE_BYTES = 32, 2 * 1024 * 1024
"""Maximum growth in the steady soak after the first tenth; the noise is that of the memory allocator."""
READ_EVERY_CALLS = 10_000

NUMBER = re.compile(rb"question (\d+)\.")


# --- the vendors, in a separate process -------------------------------------------------------------------------------


class SoakLab(FaultLab):
    """Fault lab that repeats the number of the question, with random faults and one healthy vendor at a time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._started = time.monotonic()
        self.seen: Counter[str] = Counter()
        self.answered: Counter[bytes] = Counter()

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Answer with the number of the question, or fail; `/state` returns the counts so far."""
        if target == "/state":
            state = {"requests": dict(self.seen), "doubled": sum(count > 1 for count in self.answered.values())}
            return LabReply(200, pydantic_core.to_json(state))
        vendor = target.split("/")[1]
        match = NUMBER.search(body)
        fault = self._fault(vendor)
        self.seen[fault] += 1
        if fault != "ok":
            self.script(vendor, fault)
        reply = super().respond(method, target, headers, body)
        self.requests.clear()
        if fault != "ok" or match is None or isinstance(reply, str):
            return _with_short_retry_hint(reply) if fault == "rate_limited_ms" else reply
        self.answered[match[1]] += 1
        return LabReply(reply.status, reply.body.replace(ANSWER.encode(), b"answer " + match[1]), reply.headers)

    def _fault(self, vendor: str) -> str:
        elapsed = time.monotonic() - self._started
        healthy = {_healthy(elapsed), _healthy(elapsed + OVERLAP_SECONDS)}
        if vendor in healthy or self._random.random() >= FAULT_RATE:
            return "ok"
        return self._random.choice(FAULTS)


def _healthy(elapsed: float) -> str:
    return VENDORS[-1 - int(elapsed / HEALTHY_FOR_SECONDS) % len(VENDORS)]


def _with_short_retry_hint(reply: LabReply | str) -> LabReply | str:
    """Set the retry hint to 20 ms: at this rate of calls, a hint of seconds would exclude the vendor from the soak."""
    if isinstance(reply, str):
        return reply
    return LabReply(reply.status, reply.body, {**reply.headers, "retry-after-ms": "20"})


async def serve(seed: int) -> None:
    """Serve until standard input ends."""
    async with SoakLab(seed).serve() as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def serving(script: str, *arguments: str) -> AsyncIterator[str]:
    """Run a server script for the body and yield the address in the first line of its output."""
    command = [sys.executable, script, *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


# --- the callers -----------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Results of the calls so far."""

    ended: bytearray  # number of ends per call; one byte each keeps the tally small
    answered: int = 0
    mixed_up: int = 0
    unkept: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    memory: list[int] = field(default_factory=list)


async def call(container: Container, number: int, tally: Tally) -> None:
    """Send one question and check the answer."""
    started = time.monotonic()
    try:
        response = await container.llm().generate(f"This is question {number}.", max_tokens=50)
    except LLMError as error:
        tally.failures[type(error).__name__] += 1
        attempts = error.attempts
    else:
        tally.answered += 1
        tally.mixed_up += response.content != f"answer {number}"
        attempts = response.attempts
        tally.unkept += sum(line.kept for line in attempts) != 1
    tally.ended[number] += 1
    tally.longest = max(tally.longest, time.monotonic() - started)
    tally.outcomes.update(line.outcome for line in attempts)


async def callers(container: Container, calls: int, at_once: int, tally: Tally) -> None:
    """Make `calls` calls, `at_once` of them in flight."""
    numbers = itertools.count()

    async def caller() -> None:
        while (number := next(numbers)) < calls:
            if number % max(1, calls // 10) == 0:
                tally.memory.append(resident_bytes())
            await call(container, number, tally)

    await asyncio.gather(*(caller() for _ in range(at_once)))
    tally.memory.append(resident_bytes())


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not report it."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def open_sockets() -> int:
    """Return the number of open sockets of this process; needs /proc of Linux."""
    held = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed after the listing
            held += str(link.readlink()).startswith("socket:")
    return held


async def soak(calls: int, at_once: int, seed: int) -> bool:
    """Run the soak test, print the figures and return whether all checks pass."""
    for vendor in VENDORS:
        row = PROVIDER_SCHEMA[vendor]
        row["max_concurrency"], row["requests_per_minute"], row["tokens_per_minute"] = at_once // 2, 10**7, 10**9
    tally = Tally(bytearray(calls))
    async with serving(__file__, "--serve", "--seed", str(seed)) as address:
        at_rest = open_sockets()
        env = {
            **FaultLab().env(*VENDORS, address=address),
            "LLM_REQUEST_TIMEOUT": "5",
            "LLM_DEADLINE": "60",
        }
        started = time.monotonic()
        async with open_container(env) as container:
            await callers(container, calls, at_once, tally)
            seconds = time.monotonic() - started
            routes = container.registry().snapshot().routes.values()
            gates = [container.admission().limiter.concurrency(route) for route in routes]
        left = open_sockets() - at_rest
        async with httpx.AsyncClient() as client:
            state = (await client.get(f"{address}/state")).json()
    checks = {
        f"success of at least {MIN_SUCCESS:.2%}": tally.answered >= calls * MIN_SUCCESS,
        "every call ended, and once": tally.ended == bytes([1]) * calls,
        "every answer is its question's own": tally.mixed_up == 0,
        # A vendor may answer a question twice only if an attempt timed out.
        "no question was answered twice": state["doubled"] <= tally.outcomes["ProviderTimeoutError"],
        "every answer has one kept line": tally.unkept == 0,
        "no call beyond its deadline": tally.longest <= 60.05,
        "every permit is back": all(gate is not None and gate.taken == 0 for gate in gates),
        "every connection is closed": left == 0,
        f"memory grows by less than {MAX_GROWTH:.0%}": growth(tally.memory) < MAX_GROWTH,
    }
    report(calls, seconds, tally, state["requests"], checks)
    return all(checks.values())


def growth(memory: list[int]) -> float:
    """Return the growth of the memory since half of the calls, as a share."""
    half = memory[len(memory) // 2]
    return memory[-1] / half - 1 if half else 0.0


def report(calls: int, seconds: float, tally: Tally, requests: dict[str, int], checks: dict[str, bool]) -> None:
    """Print the figures and the results of the checks."""
    sent = sum(requests.values())
    print(f"calls        {calls}, {calls / seconds:.0f} a second, {seconds:.0f} s, the longest {tally.longest:.2f} s")
    print(f"requests     {sent}, of which {1 - requests['ok'] / sent:.1%} met a fault")
    print(f"answered     {tally.answered} ({tally.answered / calls:.4%}); failed: {dict(tally.failures) or 'none'}")
    print(f"ledger       {dict(tally.outcomes.most_common())}")
    print(f"memory, MB   {', '.join(f'{taken / 1e6:.0f}' for taken in tally.memory)} ({growth(tally.memory):+.1%})")
    for check, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'}         {check}")


# --- the steady soak -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Memory and sockets of this process after `calls` calls."""

    calls: int
    resident: int
    sockets: int


async def steady_callers(container: Container, calls: int, at_once: int, seconds: float) -> tuple[list[Reading], int]:
    """Make `calls` calls, or as many as fit into `seconds`; return the readings and the number of failures."""
    numbers, deadline = itertools.count(), time.monotonic() + seconds
    every = max(1, min(READ_EVERY_CALLS, calls // 10))
    readings: list[Reading] = []
    ended = failed = 0

    async def caller() -> None:
        nonlocal ended, failed
        while next(numbers) < calls and time.monotonic() < deadline:
            try:
                failed += not (await container.llm().generate("ping")).content.startswith("The container")
            except LLMError:
                failed += 1
            ended += 1
            if ended % every == 0:
                readings.append(Reading(ended, resident_bytes(), open_sockets()))
                print(f"{ended:>10,} calls {readings[-1].resident / 1e6:8.1f} MB {readings[-1].sockets:6} sockets")

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return readings, failed


async def steady_soak(calls: int, at_once: int, seconds: float) -> bool:
    """Run the steady soak, print the figures and return whether all checks pass."""
    started = time.monotonic()
    async with serving(str(Path(__file__).with_name("upstream.py"))) as address:
        at_rest = open_sockets()
        env = {"OPENAI_API_KEY": "key", "OPENAI_API_BASE": f"{address}/ok/v1", "LLM_DEADLINE": "60"}
        async with open_container(env) as container:
            readings, failed = await steady_callers(container, calls, at_once, seconds)
        left = open_sockets() - at_rest
    checks = steady_checks(readings, at_once + at_rest, failed, left)
    completed, duration = readings[-1].calls if readings else 0, time.monotonic() - started
    print(f"{completed:,} of {calls:,} calls read in {duration:.0f} s, {completed / duration:.0f} a second")
    for check, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'} {check}")
    return all(checks.values())


def steady_checks(readings: list[Reading], max_sockets: int, failed: int, left: int) -> dict[str, bool]:
    """Return the checks, each with whether it passes."""
    first, last = (readings[0], readings[-1]) if readings else (Reading(0, 0, 0), Reading(0, 0, 0))
    grown, allowed = last.resident - first.resident, MAX_BYTES_PER_CALL * (last.calls - first.calls) + NOISE_BYTES
    return {
        "it read memory at least twice": last.calls > first.calls,
        "every answer is right": failed == 0,
        f"memory grows by at most {MAX_BYTES_PER_CALL} bytes a call and {NOISE_BYTES >> 20} MB of noise "
        f"({grown / max(1, last.calls - first.calls):+.1f} bytes a call)": grown <= allowed,
        f"never more than {max_sockets} sockets": all(reading.sockets <= max_sockets for reading in readings),
        "every connection is closed": left == 0,
    }


def main() -> int:
    """Run the soak test that the command line selects; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steady", action="store_true", help="an upstream without faults: does anything grow?")
    parser.add_argument("--seconds", type=float, default=900.0, help="the most that a steady soak takes")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.seed))
        return 0
    if arguments.steady:
        return 0 if asyncio.run(steady_soak(arguments.calls, arguments.at_once, arguments.seconds)) else 1
    return 0 if asyncio.run(soak(arguments.calls, arguments.at_once, arguments.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
