"""The scripts that measure the cost of a call: short runs succeed and print every row. Times are not asserted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = r" +([0-9]+\.[0-9]+)"


def run(process_env: dict[str, str], *arguments: str) -> list[str]:
    """Run a script of `benchmarks`; return the printed lines without the heading of the table."""
    command = [sys.executable, "-m", *arguments]
    completed = subprocess.run(
        command, cwd=ROOT, env=process_env, capture_output=True, text=True, timeout=55, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout.splitlines()[1:]


def test_overhead_script_prints_every_row(process_env: dict[str, str]) -> None:
    lines = run(process_env, "benchmarks.overhead", "--calls", "40", "--rounds", "1", "--at-once", "5", "20")
    costs = {}
    for line in lines:
        match = re.fullmatch(rf"(.+?){NUMBER}(?:{NUMBER})? +a (call|chunk)", line)
        assert match is not None, line
        costs[match[1]] = float(match[2])
    assert list(costs) == [
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
    assert all(cost > 0 for cost in costs.values())


@pytest.mark.parametrize(
    ("work", "layers"),
    [
        (
            "call",
            {"validation", "plan", "router", "attempt", "dialect: build", "dialect: parse", "transport", "events"},
        ),
        ("fail-over", {"router", "attempt", "dialect: parse", "admission", "logging"}),
        ("turns", {"validation", "plan", "values", "dialect: build"}),
        ("stream", {"attempt", "router", "dialect: parse"}),
    ],
)
def test_layer_profile_prints_share_per_layer(work: str, layers: set[str], process_env: dict[str, str]) -> None:
    lines = run(process_env, "benchmarks.layers", "--work", work, "--calls", "100")
    shares = {}
    for line in lines:
        match = re.fullmatch(rf"(.+?) +([0-9.]+)%{NUMBER}", line)
        assert match is not None, line
        shares[match[1]] = float(match[2])
    total = shares.pop("a stream" if work == "stream" else "a call")
    assert total == 100.0
    assert abs(sum(shares.values()) - 100) < 1
    assert layers <= set(shares)
    assert all(shares[layer] > 0 for layer in layers - {"transport", "logging"})
    assert shares.get("other: this script, the loop", 0.0) < 30
