"""The soak script: a short run prints its figures and passes every check."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the soak counts sockets in /proc of Linux")
def test_short_soak_passes_every_check(process_env: dict[str, str]) -> None:
    command = [sys.executable, str(SOAK), "--calls", "400", "--at-once", "50"]
    completed = subprocess.run(command, env=process_env, capture_output=True, text=True, timeout=55, check=False)
    lines = completed.stdout.splitlines()
    checks = {line[5:].strip(): line[:4].strip() for line in lines if line.startswith(("ok  ", "FAIL"))}
    checks.pop("memory grows by less than 5%")  # a short run does not fill the memory pools
    assert set(checks.values()) == {"ok"}, completed.stdout + completed.stderr
    assert len(checks) == 8
    assert lines[0].startswith("calls        400, ")
