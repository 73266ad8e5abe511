"""One client in a process of its own: reads what to measure as JSON lines, answers each with a JSON line.

    python -I worker.py ADAPTER           measure what standard input asks for, until it ends
    python -I worker.py ADAPTER ADDRESS   one call, and out: from process start to the first answer

Runs in the client's own environment, so it needs nothing but the standard library, and imports little of it: what is
imported here is part of every client's start and memory. An adapter has `opened(address, fallback)`, which gives an
object with `ask(prompt)`, `stream(prompt)` (an async iterator over texts) and `close()`.
"""

import asyncio
import gc
import importlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

PROMPT = "Why does my pod restart? " * 8
WARM_CALLS = 10
"""Of each caller at most, before its calls count."""
COLLECTED_AT = gc.get_threshold()
TURN = "What does the log of the container say? " * 2


class Opened(Protocol):
    """What an adapter opens."""

    async def ask(self, prompt: Any) -> str:
        """Return the whole answer; `prompt` is a text, or messages in OpenAI's form."""
        ...

    def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the answer's pieces."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class WrongAnswerError(Exception):
    """A client gave another text than the upstream sent."""


class Meter:
    """Counts calls as they end. Those of the warm-up do not count, and neither do those that end after `done`.

    Nothing pauses in between: a wave of callers that start together costs some clients several times what callers cost
    that come and go. httpx needs about ten calls of each to get over it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._warm_least, self._warm_most = max(order["warm_up"], order["at_once"]), WARM_CALLS * order["at_once"]
        self._warm_until = time.perf_counter() + order["warm_seconds"]
        self._least, self._seconds = order["calls"], order["seconds"]
        self._cpu = self._started = 0.0
        self._warm = 0
        self.times: list[float] = []
        self.seconds = self.cpu = 0.0
        self.done = False

    def ended(self, started: float) -> None:
        """Count a call that began at `started`."""
        now = time.perf_counter()
        if not self._started:
            self._warm += 1
            if self._warm >= self._warm_least and (self._warm >= self._warm_most or now >= self._warm_until):
                self._cpu, self._started = time.process_time(), now
        elif not self.done:
            self.times.append(now - started)
            self.seconds = now - self._started
            if len(self.times) >= self._least and self.seconds >= self._seconds:
                self.cpu, self.done = time.process_time() - self._cpu, True


async def calls(client: Opened, order: dict[str, Any]) -> dict[str, float]:
    """Have `at_once` callers ask again and again, for at least `calls` calls and `seconds` seconds."""
    prompt: Any = conversation(order["turns"]) if "turns" in order else PROMPT
    meter = Meter(order)

    async def caller() -> None:
        while not meter.done:
            started = time.perf_counter()
            answer = await client.ask(prompt)
            meter.ended(started)
            if answer != order["answer"]:
                raise WrongAnswerError(f"got {len(answer)} characters, sent were {len(order['answer'])}")

    try:
        await asyncio.gather(*(caller() for _ in range(order["at_once"])))
    finally:
        meter.done = True  # after an error of one, the others end too
    times = sorted(meter.times)
    return {
        "calls": len(times),
        "us": meter.seconds / len(times) * 1e6,
        "cpu_us": meter.cpu / len(times) * 1e6,
        "per_second": len(times) / meter.seconds,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[int(len(times) * 0.99)] * 1e3,
    }


async def streams(client: Opened, order: dict[str, Any]) -> dict[str, float]:
    """Read one stream after the other, for at least `calls` streams and `seconds` seconds."""
    for _ in range(order["warm_up"]):
        await _read(client, order["answer"])
    firsts: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    while len(firsts) < order["calls"] or time.perf_counter() < started + order["seconds"]:
        firsts.append(await _read(client, order["answer"]))
    cpu = time.process_time() - cpu
    firsts.sort()
    chunks = len(firsts) * order["chunks"]
    return {
        "calls": len(firsts),
        "cpu_us_per_chunk": cpu / chunks * 1e6,
        "first_us": firsts[len(firsts) // 2] * 1e6,
    }


async def _read(client: Opened, answer: str) -> float:
    """Read one stream; returns the seconds to its first text."""
    started, first, texts = time.perf_counter(), 0.0, []
    async for text in client.stream(PROMPT):
        if text:
            first = first or time.perf_counter() - started
            texts.append(text)
    if "".join(texts) != answer:
        raise WrongAnswerError(f"got {len(''.join(texts))} characters of a stream of {len(answer)}")
    return first


def conversation(turns: int) -> list[dict[str, str]]:
    """Return instructions, then turns that alternate; of an even number, the last one is the user's."""
    roles = ("assistant", "user")
    later = [{"role": roles[turn % 2], "content": f"{turn}: {TURN}"} for turn in range(1, turns)]
    return [{"role": "system", "content": TURN}, *later]


def peak_megabytes() -> float | None:
    """Return the most memory this process ever held; None where the system does not tell."""
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None


async def work(adapter: Any) -> None:
    """Do what standard input asks for, line by line."""
    kinds = {"calls": calls, "streams": streams}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        gc.set_threshold(order.get("collect_at", COLLECTED_AT[0]), *COLLECTED_AT[1:])
        try:
            client = await adapter.opened(order["address"], order.get("fallback"), **order.get("options", {}))
            try:
                told: dict[str, Any] = await kinds[order["kind"]](client, order)
            finally:
                await client.close()
            told["peak_mb"] = peak_megabytes()
        except Exception as error:  # noqa: BLE001 - a client may raise anything; the row shows it
            told = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(told), flush=True)


async def first_answer(adapter: Any, address: str) -> None:
    """Print the first answer's length, then close."""
    client = await adapter.opened(address, None)
    print(len(await client.ask(PROMPT)), flush=True)
    await client.close()


def main() -> None:
    """Run what the command line says."""
    sys.path.append(str(Path(__file__).with_name("adapters")))
    adapter = importlib.import_module(sys.argv[1])
    factory = getattr(adapter, "new_event_loop", None)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(first_answer(adapter, sys.argv[2]) if len(sys.argv) > 2 else work(adapter))


if __name__ == "__main__":
    main()
