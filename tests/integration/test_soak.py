"""The soak itself is sound: a short one holds, and one that cannot hold says so."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it counts sockets in Linux's /proc")
def test_a_short_soak_prints_its_figures_and_loses_nothing(process_env: dict[str, str]) -> None:
    command = [sys.executable, str(SOAK), "--calls", "400", "--at-once", "50"]
    done = subprocess.run(command, env=process_env, capture_output=True, text=True, timeout=55, check=False)
    lines = done.stdout.splitlines()
    checks = {line[5:].strip(): line[:4].strip() for line in lines if line.startswith(("ok  ", "FAIL"))}
    checks.pop("memory grows by less than 5%")  # a few calls have not filled the pools
    assert set(checks.values()) == {"ok"}, done.stdout + done.stderr
    assert len(checks) == 8
    assert lines[0].startswith("calls        400, ")
