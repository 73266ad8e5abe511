"""The upstream and the workers as processes, each pinned to a core and controlled over pipes."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

HERE = Path(__file__).parent
ANSWERS_WITHIN_SECONDS = 120.0
_KEPT = ("PATH", "HOME", "SYSTEMROOT", "TMPDIR")


def cores() -> tuple[int | None, int | None]:
    """Return the core of the upstream and the core of the clients; None where processes cannot be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[-1]) if len(allowed) > 1 else (None, None)


def environment() -> dict[str, str]:
    """Return the environment variables of a measured process, without API keys and proxies."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # otherwise litellm downloads prices


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run processes that the body starts on `core` only."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Upstream:
    """A running upstream."""

    def __init__(self, address: str) -> None:
        self.address = address

    def at(self, mode: str) -> str:
        """Return the base address of a mode of the upstream, such as "slow"."""
        return f"{self.address}/{mode}/v1"

    def state(self) -> tuple[dict[str, int], float]:
        """Return the number of requests per mode, and the CPU seconds of the upstream so far."""
        with urllib.request.urlopen(f"{self.address}/counts/v1", timeout=60) as reply:  # noqa: S310 - a loopback address
            state = json.load(reply)
        return state["counts"], state["cpu_seconds"]


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Run the upstream for the body."""
    with pinned(cores()[0]):
        process = _start([sys.executable, "-I", str(HERE / "upstream.py")])
    try:
        yield Upstream(process.stdout.readline().strip())
    finally:
        process.end()


class Worker:
    """The process of one client, started for the first order and restarted after a crash."""

    def __init__(self, python: Path, adapter: str) -> None:
        self._command = [str(python), "-I", str(HERE / "worker.py"), adapter]
        self._process: Process | None = None

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run `order` in the worker and return the figures, or a mapping with the key `error`."""
        if self._process is None:
            with pinned(cores()[1]):
                self._process = _start(self._command)
        line = self._process.answer(json.dumps(order))
        if line:
            result: dict[str, Any] = json.loads(line)
            return result
        is_late, last_error = self._process.is_late, self._process.end()
        self._process = None
        return {"error": f"no answer within {ANSWERS_WITHIN_SECONDS:g} s" if is_late else last_error or "it ended"}

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None


class Process:
    """A process with line-based input and output."""

    def __init__(
        self, process: subprocess.Popen[str], stdin: IO[str], stdout: IO[str], folder: TemporaryDirectory[str]
    ):
        self._process, self._stdin, self.stdout, self._folder = process, stdin, stdout, folder
        self.is_late = False

    def answer(self, line: str) -> str:
        """Send a line and return the next line of output; "" when the process ended or was killed by the timeout."""
        timer = threading.Timer(ANSWERS_WITHIN_SECONDS, self._kill_late_process)
        timer.start()
        try:
            self._stdin.write(line + "\n")
            self._stdin.flush()
            return self.stdout.readline()
        except BrokenPipeError:
            return ""
        finally:
            timer.cancel()

    def _kill_late_process(self) -> None:
        self.is_late = True
        self._process.kill()

    def end(self) -> str:
        """End the process and return the last line of standard error."""
        try:
            self._stdin.close()
            self._process.wait(timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()
        self.stdout.close()
        errors = (Path(self._folder.name) / "errors.txt").read_text("utf-8", "replace").strip().splitlines()
        self._folder.cleanup()
        return errors[-1] if errors else ""


def _start(command: list[str]) -> Process:
    """Start `command` in a new empty folder."""
    folder = TemporaryDirectory(prefix="bench-")
    with (Path(folder.name) / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder.name,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    return Process(process, process.stdin, process.stdout, folder)
