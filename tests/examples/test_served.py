"""Tests for the example service, started as in the service's README, against the lab on the loopback interface."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultmaven.testing import FaultLab

SERVICE = Path(__file__).parents[2] / "examples" / "service"
APPLICATIONS = [("incidents.app:app",), ("--factory", "incidents.host:create_hosted_app")]
INCIDENT = {"text": "Why does my pod restart?"}
PRODUCTION = {"FAULTMAVEN_ENV": "production", "LLM_MAX_RETRIES": "0"}


@dataclass
class Served:
    """A running service. `log` is standard error after the start, available once the service has ended."""

    client: httpx.AsyncClient
    log: str = ""

    def records(self) -> list[dict[str, Any]]:
        """Return the lines of the log that are JSON."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@asynccontextmanager
async def started(*arguments: str, variables: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start uvicorn in the folder of the service; stop it with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "0", *arguments),
        cwd=SERVICE,
        env={**os.environ, **variables},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def log_of(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of a process and return the rest of standard error."""
    _, log = await asyncio.wait_for(process.communicate(), 30)
    return log.decode()


@asynccontextmanager
async def served(*arguments: str, variables: Mapping[str, str]) -> AsyncIterator[Served]:
    """Run a service that listens; end it with the block by the signal of Ctrl-C."""
    async with started(*arguments, variables=variables) as process:
        async with httpx.AsyncClient(base_url=await address_of(process), trust_env=False) as client:
            service = Served(client)
            yield service
        process.send_signal(signal.SIGINT)
        service.log = await log_of(process)
        assert "Application shutdown complete" in service.log
        assert "Traceback" not in service.log


async def address_of(process: asyncio.subprocess.Process) -> str:
    """Return the address of a server from the log."""
    assert process.stderr is not None
    log = ""
    while line := (await asyncio.wait_for(process.stderr.readline(), 30)).decode():
        log += line
        if match := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
            return match[1]
    pytest.fail(f"the service ended at its start:\n{log}")


@pytest.mark.parametrize("arguments", APPLICATIONS)
async def test_service_answers_in_production(arguments: tuple[str, ...]) -> None:
    lab = FaultLab()
    lab.always("anthropic", "quota")
    async with lab.serve() as address:
        env = lab.env("anthropic", "openai", "groq", address=address) | PRODUCTION
        async with served(*arguments, variables=env) as service:
            health = await service.client.get("/healthz")
            reply = await service.client.post("/diagnose", json=INCIDENT)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert reply.json()["text"] == "The container was killed: out of memory."
    assert [request.provider for request in lab.requests] == ["anthropic", "openai"]


@pytest.mark.parametrize("arguments", APPLICATIONS)
async def test_failed_call_is_logged_without_secrets(arguments: tuple[str, ...]) -> None:
    lab = FaultLab()
    names = ("anthropic", "openai", "groq")
    for name in names:
        lab.always(name, "overloaded")
    async with lab.serve() as address:
        env = lab.env(*names, address=address) | PRODUCTION
        async with served(*arguments, variables=env) as service:
            reply = await service.client.post("/diagnose", json=INCIDENT)
    assert (reply.status_code, reply.json()) == (503, {"error": "AllProvidersFailedError"})
    (failed,) = [record for record in service.records() if record["event"] == "call_failed"]
    assert (failed["level"], failed["reason"]) == ("error", "AllProvidersFailedError")
    attempts = [record for record in service.records() if record["event"] == "attempt_ended"]
    assert [(record["call"], record["provider"]) for record in attempts] == [(failed["call"], name) for name in names]
    assert {record["outcome"] for record in attempts} == {"ProviderUnavailableError"}
    assert INCIDENT["text"] not in service.log
    assert not [name for name in names if env[f"{name.upper()}_API_KEY"] in service.log]


@pytest.mark.parametrize("arguments", APPLICATIONS)
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"FAULTMAVEN_ENV": "staging"}, "CHAT_PROVIDER (.env.staging) names 'groq', which is not configured"),
        ({}, "no provider is configured. Set FAULTMAVEN_ENV to development, staging or production"),
    ],
)
async def test_service_without_provider_does_not_start(
    arguments: tuple[str, ...], variables: dict[str, str], message: str
) -> None:
    async with started(*arguments, variables=variables) as process:
        log = await log_of(process)
    assert process.returncode == 3
    assert f"ConfigurationError: {message}" in log
    assert "running on" not in log
