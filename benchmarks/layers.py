"""Where a call's microseconds go, by our own layers: a profile over a transport that answers from memory.

    python -m benchmarks.layers
    python -m benchmarks.layers --work fail-over --calls 5000

Each function's own time counts for the layer of its module, and what is not ours (built-in functions, the standard
library) for whoever called it. A profiler makes small functions look dearer than they are, so that shares are told of
the CPU that a call takes without it.
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
from benchmarks.memory import PROMPT, MemoryTransport, conversation, vendors
from benchmarks.overhead import CALLS_BETWEEN_PAUSES, asking, calls, cpu_seconds, streams
from faultmaven import open_container

Function: TypeAlias = tuple[str, int, str]
"""A file, a line and a name, as `pstats` has them."""

HOME = Path(faultmaven.__file__).parent
OTHER = "other: this script, the loop"

# The first beginning of a module's path that fits decides.
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

# A dialect's modules serve both ways; these functions begin one, and what they call goes with them.
WAYS: Mapping[str, str] = {
    "build_request": "dialect: build",
    "refusal": "dialect: build",
    "select_dialect": "dialect: build",
    "parse_response": "dialect: parse",
    "raise_for_status": "dialect: parse",
    "feed": "dialect: parse",
    "rest": "dialect: parse",
    "close": "dialect: parse",
    "build_attempt": "dialect: parse",
    "build_response": "dialect: parse",
}


def layer_of(function: Function) -> str | None:
    """Return the layer that a function belongs to; None for one that is not ours."""
    path = Path(function[0])
    if path.name == "memory.py":
        return "transport"
    if path.suffix != ".py" or not path.is_relative_to(HOME):
        return None
    module = path.relative_to(HOME).as_posix()
    layer = next((name for beginning, name in LAYERS.items() if module.startswith(beginning)), OTHER)
    return WAYS.get(function[2], layer) if layer in ("dialect", "provider") else layer


def by_layer(profile: cProfile.Profile) -> dict[str, float]:
    """Return the seconds of each layer."""
    stats: Mapping[Function, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    shares = _shares(stats)
    seconds: defaultdict[str, float] = defaultdict(float)
    for function, (_, _, own, _, _) in stats.items():
        for layer, share in shares[function].items():
            seconds[layer] += own * share
    return dict(seconds)


def _shares(stats: Mapping[Function, Any]) -> dict[Function, dict[str, float]]:
    """Return for each function what part of its time counts for which layer.

    What is not ours counts for its callers, by the time that it took for each; a function of a dialect for the way on
    which it was called. Callers of callers are found by repetition until the shares stand, at most as often as calls
    nest.
    """
    shares: dict[Function, dict[str, float]] = {}
    for function in stats:
        layer = layer_of(function)
        shares[function] = {} if layer in (None, "dialect") else {str(layer): 1.0}
    moving = [function for function, known in shares.items() if not known]
    for _ in range(12):
        for function in moving:
            shares[function] = _of_callers(stats[function][4], shares)
    for function in moving:
        missing = 1.0 - sum(shares[function].values())
        if missing > 1e-9:
            shares[function][OTHER] = shares[function].get(OTHER, 0.0) + missing
    return shares


def _of_callers(callers: Mapping[Function, Any], shares: Mapping[Function, dict[str, float]]) -> dict[str, float]:
    total = sum(cumulated for _, _, _, cumulated in callers.values())
    found: defaultdict[str, float] = defaultdict(float)
    for caller, (_, _, _, cumulated) in callers.items():
        for layer, share in shares.get(caller, {}).items():
            found[layer] += share * cumulated / total if total else 0.0
    return dict(found)


def told(seconds: Mapping[str, float], microseconds: float, unit: str) -> str:
    """Return the table as lines of text.

    Args:
        microseconds: What one unit takes without a profiler.
    """
    total = sum(seconds.values())
    lines = [f"{'layer':34} {'share':>6} {'us':>7}"]
    for layer, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        lines.append(f"{layer:34} {spent / total:6.1%} {spent / total * microseconds:7.2f}")
    lines.append(f"{'a ' + unit:34} {1:6.1%} {microseconds:7.2f}")
    return "\n".join(lines)


async def measure(run: Callable[[int], Awaitable[None]], times: int) -> tuple[dict[str, float], float]:
    """Return the seconds of each layer under a profiler, and the CPU seconds of all without one."""
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
        llm, times, unit = container.llm(), arguments.calls, "call"
        run = calls(asking(llm, conversation(200) if arguments.work == "turns" else PROMPT))
        if arguments.work == "stream":
            run, times, unit = streams(llm), max(1, arguments.calls // 10), "stream"
        seconds, used = await measure(run, times)
    print(told(seconds, used * 1e6 / times, unit))


if __name__ == "__main__":
    asyncio.run(main())
