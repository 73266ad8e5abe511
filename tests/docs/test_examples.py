"""The examples run as they are, against the lab on the loopback interface."""

import os
import subprocess
import sys

from faultmaven.testing import FaultLab

from .page_run import served_lab
from .pages import ROOT


def run_example(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run examples/ask.py in the (empty) working directory, importing what this very run imports."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **variables}
    command = [sys.executable, str(ROOT / "examples" / "ask.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)


def test_the_example_prints_the_answer_and_who_gave_it() -> None:
    lab = FaultLab()
    lab.script("openai", "overloaded")
    with served_lab(lab) as address:
        done = run_example(
            "Why does my pod restart?", LLM_MAX_RETRIES="0", **lab.env("openai", "anthropic", address=address)
        )
    assert (done.returncode, done.stdout) == (0, "The container was killed: out of memory.\n")
    assert "openai: ProviderUnavailableError after " in done.stderr
    assert "anthropic: answered after " in done.stderr
    assert b"Why does my pod restart?" in lab.asked("anthropic")[0].body


def test_the_example_says_what_to_set_when_nothing_is_configured() -> None:
    done = run_example()
    assert (done.returncode, done.stdout) == (1, "")
    assert "OPENAI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
