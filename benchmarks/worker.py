"""Process of one client: reads orders as JSON lines from standard input and answers each with a JSON line.

    python -I worker.py ADAPTER           measure the orders from standard input, until its end
    python -I worker.py ADAPTER ADDRESS   make one call and exit: from process start to the first answer

The process runs in the environment of the client, so this module needs only the standard library and imports little of
it: these imports count for the start time and memory of every client. An adapter has `open_client(address, fallback)`,
which returns an object with `complete(prompt)`, `stream(prompt)` (an async iterator over texts) and `close()`.
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
MAX_WARM_UP_CALLS = 10
"""Maximum number of uncounted calls per caller."""
DEFAULT_GC_THRESHOLDS = gc.get_threshold()
TURN = "What does the log of the container say? " * 2


class BenchmarkClient(Protocol):
    """The client that an adapter opens."""

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer; `prompt` is a text, or messages in OpenAI's form."""
        ...

    def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the answer."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class WrongAnswerError(Exception):
    """A client returned another text than the upstream sent."""


class Meter:
    """Counts calls as they end, without those of the warm-up and those that end after `done`.

    Callers do not pause after the warm-up: callers that start together cost some clients several times as much as
    callers that come and go. httpx needs about ten calls of each caller to settle.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._min_warm_up = max(order["warm_up"], order["at_once"])
        self._max_warm_up = MAX_WARM_UP_CALLS * order["at_once"]
        self._warm_until = time.perf_counter() + order["warm_seconds"]
        self._min_calls, self._min_seconds = order["calls"], order["seconds"]
        self._cpu = self._started = 0.0
        self._warm = 0
        self.times: list[float] = []
        self.seconds = self.cpu = 0.0
        self.done = False

    def record(self, started: float) -> None:
        """Count a call that began at `started`."""
        now = time.perf_counter()
        if not self._started:
            self._warm += 1
            if self._warm >= self._min_warm_up and (self._warm >= self._max_warm_up or now >= self._warm_until):
                self._cpu, self._started = time.process_time(), now
        elif not self.done:
            self.times.append(now - started)
            self.seconds = now - self._started
            if len(self.times) >= self._min_calls and self.seconds >= self._min_seconds:
                self.cpu, self.done = time.process_time() - self._cpu, True


async def calls(client: BenchmarkClient, order: dict[str, Any]) -> dict[str, float]:
    """Run `at_once` callers in a loop, for at least `calls` calls and `seconds` seconds."""
    prompt: Any = conversation(order["turns"]) if "turns" in order else PROMPT
    meter = Meter(order)

    async def caller() -> None:
        while not meter.done:
            started = time.perf_counter()
            answer = await client.complete(prompt)
            meter.record(started)
            if answer != order["answer"]:
                raise WrongAnswerError(f"got {len(answer)} characters, sent were {len(order['answer'])}")

    try:
        await asyncio.gather(*(caller() for _ in range(order["at_once"])))
    finally:
        meter.done = True  # an error of one caller ends the others, too
    times = sorted(meter.times)
    return {
        "calls": len(times),
        "us": meter.seconds / len(times) * 1e6,
        "cpu_us": meter.cpu / len(times) * 1e6,
        "per_second": len(times) / meter.seconds,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[int(len(times) * 0.99)] * 1e3,
    }


async def streams(client: BenchmarkClient, order: dict[str, Any]) -> dict[str, float]:
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


async def _read(client: BenchmarkClient, answer: str) -> float:
    """Read one stream; return the seconds until the first text."""
    started, first, texts = time.perf_counter(), 0.0, []
    async for text in client.stream(PROMPT):
        if text:
            first = first or time.perf_counter() - started
            texts.append(text)
    if "".join(texts) != answer:
        raise WrongAnswerError(f"got {len(''.join(texts))} characters of a stream of {len(answer)}")
    return first


def conversation(turns: int) -> list[dict[str, str]]:
    """Return a system message and alternating turns; with an even number of turns, the last one is the user's."""
    roles = ("assistant", "user")
    later = [{"role": roles[turn % 2], "content": f"{turn}: {TURN}"} for turn in range(1, turns)]
    return [{"role": "system", "content": TURN}, *later]


def peak_megabytes() -> float | None:
    """Return the peak memory of this process in MB; None where the system does not report it."""
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None


async def work(adapter: Any) -> None:
    """Run the orders from standard input, line by line."""
    kinds = {"calls": calls, "streams": streams}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        gc.set_threshold(order.get("collect_at", DEFAULT_GC_THRESHOLDS[0]), *DEFAULT_GC_THRESHOLDS[1:])
        try:
            client = await adapter.open_client(order["address"], order.get("fallback"), **order.get("options", {}))
            try:
                result: dict[str, Any] = await kinds[order["kind"]](client, order)
            finally:
                await client.close()
            result["peak_mb"] = peak_megabytes()
        except Exception as error:  # noqa: BLE001 - a client may raise any exception; the row shows the error
            result = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(result), flush=True)


async def first_answer(adapter: Any, address: str) -> None:
    """Print the first answer's length, then close."""
    client = await adapter.open_client(address, None)
    print(len(await client.complete(PROMPT)), flush=True)
    await client.close()


def main() -> None:
    """Run the command line."""
    sys.path.append(str(Path(__file__).with_name("adapters")))
    adapter = importlib.import_module(sys.argv[1])
    factory = getattr(adapter, "new_event_loop", None)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(first_answer(adapter, sys.argv[2]) if len(sys.argv) > 2 else work(adapter))


if __name__ == "__main__":
    main()
