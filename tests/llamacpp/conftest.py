"""Real llama.cpp servers. Tests are collected only with FAULTMAVEN_LLAMACPP=1, which `tox -e llamacpp` sets."""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

import pytest

collect_ignore_glob = [] if os.environ.get("FAULTMAVEN_LLAMACPP") == "1" else ["test_*.py"]

START_SECONDS = 40.0


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, written once."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([sys.executable, Path(__file__).with_name("tiny_model.py"), path], check=True)
    return path


@pytest.fixture(scope="session")
def start_server(model: Path) -> Callable[..., AbstractContextManager[str]]:
    """Function that starts a server with further options: a context manager that yields the address."""

    def start(*options: str) -> AbstractContextManager[str]:
        return running_server(model, *options)

    return start


@pytest.fixture(scope="session")
def server(start_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """The address of one server that all tests share."""
    with start_server() as address:
        yield address


@contextmanager
def running_server(model: Path, *options: str) -> Iterator[str]:
    """Run `llama_cpp.server` on a free loopback port and yield the address once the server listens.

    The environment is empty, because the server would read further options from there.
    """
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "tiny-random"]
    command += ["--host", "127.0.0.1", "--port", "0", "--n_ctx", "2048", "--n_threads", "1", "--seed", "7"]
    command += ["--verbose", "False", *options]
    with subprocess.Popen(
        command, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        address: Future[str] = Future()
        reader = Thread(target=read_log, args=(process, address), daemon=True)
        reader.start()
        try:
            yield address.result(START_SECONDS)
        finally:
            process.terminate()
            process.wait(START_SECONDS)
            reader.join(START_SECONDS)


def read_log(process: subprocess.Popen[str], address: "Future[str]") -> None:
    """Read the whole log, so that the server never waits for a reader; set the first address in the log."""
    last: deque[str] = deque(maxlen=30)
    for line in process.stderr or ():
        last.append(line)
        match = re.search(r"Uvicorn running on (http://127\.0\.0\.1:\d+)", line)
        if match and not address.done():
            address.set_result(match[1])
    if not address.done():
        address.set_exception(RuntimeError(f"the server ended at its start:\n{''.join(last)}"))
