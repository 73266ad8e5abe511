"""CPU time of a call by layer of the package: a profile with a transport that answers from memory.

    python -m benchmarks.layers
    python -m benchmarks.layers --work fail-over --calls 5000

The time in each function of the package counts for the layer of its module; the time in other functions (built-in ones,
the standard library) counts for the caller. A profiler slows down small functions most, so the table applies the shares
to the CPU time of a call without a profiler.
"""

import argparse
import asyncio
import cProfile
import pstats
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import faultmaven
from benchmarks.memory import PROMPT, MemoryTransport, conversation, trust_timeouts, vendors
from benchmarks.overhead import CALLS_BETWEEN_PAUSES, cpu_seconds, one_call, run_calls, run_streams
from faultmaven import open_container

Function: TypeAlias = tuple[str, int, str]
"""File, line and name of a function, as in `pstats`."""

PACKAGE = Path(faultmaven.__file__).parent
OTHER = "other: this script, the loop"

# The first matching prefix of a module path decides.
LAYERS: Mapping[str, str] = {
    "application/chat_provider": "validation",
    "application/validation": "validation",
    "application/planning": "plan",
    "application/configuration": "plan",
    "infrastructure/llm/capabilities": "plan",
    "infrastructure/llm/models": "plan",
    "infrastructure/llm/providers/assembly/provider_registry": "plan",
    "application/resilience": "admission",
    "application/execution/call_log": "events",
    "application/emitting": "events",
    "application/monitoring": "events",
    "domain/events": "events",
    "infrastructure/logging": "logging",
    "application/execution/call.": "router",
    "application/execution/routed_stream": "router",
    "application/execution": "attempt",
    "application/answers": "attempt",
    "application/streaming": "attempt",
    "application/policies": "attempt",
    "application": "router",
    "infrastructure/llm/providers": "provider",
    "infrastructure/llm/attachments": "provider",
    "infrastructure/clock": "clock",
    "infrastructure/llm": "dialect",
    "infrastructure/http": "transport",
    "domain": "values",
}

# Dialect modules build requests and parse responses; these functions begin one of the two, including their callees.
DIRECTIONS: Mapping[str, str] = {
    "build_request": "dialect: build",
    "refusal": "dialect: build",
    "select_dialect": "dialect: build",
    "parse_response": "dialect: parse",
    "raise_for_status": "dialect: parse",
    "feed": "dialect: parse",
    "flush": "dialect: parse",
    "close": "dialect: parse",
    "build_attempt": "dialect: parse",
    "build_response": "dialect: parse",
}


def layer_of(function: Function) -> str | None:
    """Return the layer of a function; None for a function outside of the package."""
    path = Path(function[0])
    if path.name == "memory.py":
        return "transport"
    if path.suffix != ".py" or not path.is_relative_to(PACKAGE):
        return None
    module = path.relative_to(PACKAGE).with_suffix("").as_posix()
    layer = next((name for prefix, name in LAYERS.items() if module.startswith(prefix)), OTHER)
    return DIRECTIONS.get(function[2], layer) if layer in ("dialect", "provider") else layer


def by_layer(profile: cProfile.Profile) -> dict[str, float]:
    """Return the seconds spent in each layer."""
    stats: Mapping[Function, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    shares = _shares(stats)
    seconds: defaultdict[str, float] = defaultdict(float)
    for function, (_, _, own, _, _) in stats.items():
        for layer, share in shares[function].items():
            seconds[layer] += own * share
    return dict(seconds)


def _shares(stats: Mapping[Function, Any]) -> dict[Function, dict[str, float]]:
    """Return for each function the share of its time that counts for each layer.

    A function outside of the package counts for its callers, by the time spent for each; a function of a dialect counts
    for building or parsing, as its caller does. The shares of nested callers are found by iteration.
    """
    shares: dict[Function, dict[str, float]] = {}
    for function in stats:
        layer = layer_of(function)
        shares[function] = {} if layer in (None, "dialect") else {str(layer): 1.0}
    unresolved = [function for function, known in shares.items() if not known]
    for _ in range(12):
        for function in unresolved:
            shares[function] = _of_callers(stats[function][4], shares)
    for function in unresolved:
        missing = 1.0 - sum(shares[function].values())
        if missing > 1e-9:
            shares[function][OTHER] = shares[function].get(OTHER, 0.0) + missing
    return shares


def _of_callers(callers: Mapping[Function, Any], shares: Mapping[Function, dict[str, float]]) -> dict[str, float]:
    total = sum(cumulated for _, _, _, cumulated in callers.values())
    layer_shares: defaultdict[str, float] = defaultdict(float)
    for caller, (_, _, _, cumulated) in callers.items():
        for layer, share in shares.get(caller, {}).items():
            layer_shares[layer] += share * cumulated / total if total else 0.0
    return dict(layer_shares)


def format_table(seconds: Mapping[str, float], microseconds: float, unit: str) -> str:
    """Return the table as text.

    Args:
        microseconds: CPU time of one unit without a profiler.
    """
    total = sum(seconds.values())
    lines = [f"{'layer':34} {'share':>6} {'us':>7}"]
    for layer, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        lines.append(f"{layer:34} {spent / total:6.1%} {spent / total * microseconds:7.2f}")
    lines.append(f"{'a ' + unit:34} {1:6.1%} {microseconds:7.2f}")
    return "\n".join(lines)


async def measure(run: Callable[[int], Awaitable[None]], times: int) -> tuple[dict[str, float], float]:
    """Return the seconds of each layer with a profiler, and the total CPU seconds without one."""
    await run(max(1, min(times, 10 * CALLS_BETWEEN_PAUSES)))
    before = cpu_seconds()
    await run(times)
    used = cpu_seconds() - before
    profile = cProfile.Profile()
    profile.enable()
    await run(times)
    profile.disable()
    return by_layer(profile), used


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=["call", "fail-over", "turns", "stream"], default="call")
    parser.add_argument("--calls", type=int, default=3000, help="calls, or a tenth as many streams")
    arguments = parser.parse_args()
    down = ("v0",) if arguments.work == "fail-over" else ()
    async with open_container(providers=vendors(2, MemoryTransport(*down))) as container:
        trust_timeouts(container)
        llm, times, unit = container.llm(), arguments.calls, "call"
        run = run_calls(one_call(llm, conversation(200) if arguments.work == "turns" else PROMPT))
        if arguments.work == "stream":
            run, times, unit = run_streams(llm), max(1, arguments.calls // 10), "stream"
        seconds, used = await measure(run, times)
    print(format_table(seconds, used * 1e6 / times, unit))


if __name__ == "__main__":
    asyncio.run(main())
