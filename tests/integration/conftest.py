"""The command line against the lab: the lab on a real socket in a thread of its own, the command in this one.

And what carries HTTP: a test that takes `carrier` runs over each, one that takes `library` over each kind of client.
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

# httpx2 is optional. In its own row, tox -e httpx2, it is tried whatever is installed, so that a missing one fails.
TRIES_HTTPX2 = "FAULTMAVEN_HTTPX2" in os.environ or importlib.util.find_spec("httpx2") is not None
LIBRARIES = ["httpx", "httpx2"] if TRIES_HTTPX2 else ["httpx"]


@pytest.fixture(params=[*LIBRARIES, "aiohttp"])
def carrier(request: pytest.FixtureRequest) -> str:
    """Return what carries: a value of LLM_HTTP_CARRIER."""
    name: str = request.param
    return name


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Return httpx or httpx2, of which a host may pass in a client."""
    return importlib.import_module(request.param)


@pytest.fixture(params=[*LIBRARIES, "ours"] if TRIES_HTTPX2 else LIBRARIES)
def speaks_http2(request: pytest.FixtureRequest) -> str:
    """Return what speaks HTTP/2: a client of that library, passed in, or our own, which is of httpx2."""
    name: str = request.param
    return name


class GuardedLab(FaultLab):
    """The lab with the manners of a vendor at its list route too: it wants its key there, and the right path."""

    LISTS = ("/openai/v1/models", "/mistral/v1/models", "/anthropic/v1/models", "/gemini/v1beta/models")

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self.asked_once = threading.Event()

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        reply = super().respond(method, target, headers, body)
        self.asked_once.set()
        path = target.partition("?")[0]
        provider = path.split("/")[1]
        if method != "GET" or provider not in ("openai", "mistral", "anthropic", "gemini"):
            return reply
        if path not in self.LISTS:
            return NO_ROUTE
        dialect = {"anthropic": "anthropic-messages", "gemini": "gemini-generate-content"}.get(provider, "openai-chat")
        known = any(f"lab-key-{provider}" in value for value in headers.values())
        return reply if known else REPLIES[dialect]["unauthorized"]

    def here(self, *names: str) -> dict[str, str]:
        """Return the variables that point the rows `names` at this server."""
        return self.env(*names, address=self.address)


@pytest.fixture
def lab() -> Iterator[GuardedLab]:
    """Serve a guarded lab on a loopback port, from a thread, for the length of a test."""
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
    """Return the environment for a Python process that imports this very package."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(faultmaven.__file__).parents[1])}
