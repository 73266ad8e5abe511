"""Fixtures for command-line tests against the fault lab, and for tests that run over every HTTP carrier.

The lab listens on a real loopback socket in a thread of its own. The command runs in the thread of the test.
A test with the fixture `carrier` runs once per HTTP carrier, and a test with `library` once per client library.
"""

import importlib
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import click.testing
import pytest

import faultmaven
from faultmaven.cli.app import cli
from faultmaven.testing import FaultLab
from faultmaven.testing.lab import NO_ROUTE, REPLIES, LabReply
from faultmaven.testing.lab.threaded import served_in_a_thread

RunCli = Callable[..., click.testing.Result]

# httpx2 is optional. `tox -e httpx2` sets FAULTMAVEN_HTTPX2, so that tests fail there instead of being skipped.
RUN_HTTPX2 = "FAULTMAVEN_HTTPX2" in os.environ or importlib.util.find_spec("httpx2") is not None
LIBRARIES = ["httpx", "httpx2"] if RUN_HTTPX2 else ["httpx"]


@pytest.fixture(params=[*LIBRARIES, "aiohttp"])
def carrier(request: pytest.FixtureRequest) -> str:
    """Return the name of an HTTP carrier, as in LLM_HTTP_CARRIER."""
    name: str = request.param
    return name


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Return httpx or httpx2, the libraries whose clients a host may pass in."""
    return importlib.import_module(request.param)


@pytest.fixture(params=[*LIBRARIES, "ours"] if RUN_HTTPX2 else LIBRARIES)
def speaks_http2(request: pytest.FixtureRequest) -> str:
    """Return the library of a passed-in HTTP/2 client, or "ours" for the built-in client of httpx2."""
    name: str = request.param
    return name


class GuardedLab(FaultLab):
    """A fault lab whose model-list routes check the API key and the path, as vendors do."""

    MODEL_LIST_PATHS = ("/openai/v1/models", "/mistral/v1/models", "/anthropic/v1/models", "/gemini/v1beta/models")

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self.received_request = threading.Event()

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        reply = super().respond(method, target, headers, body)
        self.received_request.set()
        path = target.partition("?")[0]
        provider = path.split("/")[1]
        if method != "GET" or provider not in ("openai", "mistral", "anthropic", "gemini"):
            return reply
        if path not in self.MODEL_LIST_PATHS:
            return NO_ROUTE
        dialect = {"anthropic": "anthropic-messages", "gemini": "gemini-generate-content"}.get(provider, "openai-chat")
        is_authorized = any(f"lab-key-{provider}" in value for value in headers.values())
        return reply if is_authorized else REPLIES[dialect]["unauthorized"]

    def local_env(self, *names: str) -> dict[str, str]:
        """Return environment variables that point the providers `names` at this server."""
        return self.env(*names, address=self.address)


@pytest.fixture
def lab() -> Iterator[GuardedLab]:
    """Serve a guarded lab on a loopback port, in a thread, for the duration of a test."""
    lab = GuardedLab()
    with served_in_a_thread(lab) as lab.address:
        yield lab


@pytest.fixture
def run_cli() -> RunCli:
    """Run the command line in this process: `run_cli("ask", "hi", env={...}, input="...")`."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, input: str | bytes | None = None
    ) -> click.testing.Result:
        runner = click.testing.CliRunner()
        return runner.invoke(cli, list(arguments), env=dict(env or {}), input=input, prog_name="faultmaven")

    return run


@pytest.fixture
def process_env(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a Python process that imports the package under test."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(faultmaven.__file__).parents[1])}
