"""The scripts that tell what a call costs are sound: short runs hold, and every row is there. Times decide nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = r" +([0-9]+\.[0-9]+)"


def run(process_env: dict[str, str], *arguments: str) -> list[str]:
    """Run a script of `benchmarks`; return what it printed, a table without its heading."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=process_env, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[1:]


def test_what_a_call_costs_is_told_for_every_work(process_env: dict[str, str]) -> None:
    lines = run(process_env, "benchmarks.overhead", "--calls", "40", "--rounds", "1", "--at-once", "5", "20")
    found = {}
    for line in lines:
        told = re.fullmatch(rf"(.+?){NUMBER}(?:{NUMBER})? +a (call|chunk)", line)
        assert told is not None, line
        found[told[1]] = float(told[2])
    assert list(found) == [
        "one plain call, two providers",
        "the same, its model named",
        "the same, a deadline of its own",
        "of it the provider alone",
        "failing over from a 429",
        *(f"{count} providers" for count in (1, 10, 50)),
        *(f"{count} turns" for count in (2, 20, 200)),
        *(f"{count} at once" for count in (5, 20)),
        "a chunk of a stream, routed",
        "of it the provider alone, a chunk",
    ]
    assert all(cost > 0 for cost in found.values())


@pytest.mark.parametrize(
    ("work", "layers"),
    [
        ("call", {"door", "plan", "router", "attempt", "wire: build", "wire: parse", "transport", "ledger and events"}),
        ("fail-over", {"router", "attempt", "wire: parse", "traffic: breaker, limits, budgets", "logging"}),
        ("turns", {"door", "plan", "values", "wire: build"}),
        ("stream", {"attempt", "router", "wire: parse"}),
    ],
)
def test_a_profile_tells_each_layers_share(work: str, layers: set[str], process_env: dict[str, str]) -> None:
    lines = run(process_env, "benchmarks.layers", "--work", work, "--calls", "100")
    found = {}
    for line in lines:
        told = re.fullmatch(rf"(.+?) +([0-9.]+)%{NUMBER}", line)
        assert told is not None, line
        found[told[1]] = float(told[2])
    last = found.pop("a stream" if work == "stream" else "a call")
    assert last == 100.0
    assert abs(sum(found.values()) - 100) < 1
    assert layers <= set(found)
    assert all(found[layer] > 0 for layer in layers - {"transport", "logging"})
    assert found.get("other: this script, the loop", 0.0) < 30
