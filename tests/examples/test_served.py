"""The example service, started as its README says, against the lab on the loopback interface."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from faultmaven.testing import FaultLab

SERVICE = Path(__file__).parents[2] / "examples" / "service"


@asynccontextmanager
async def served(*arguments: str, **variables: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the service, and end its process by Ctrl-C after."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "0", *arguments),
        cwd=SERVICE,
        env={**os.environ, **variables},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=await address_of(process), trust_env=False) as client:
            yield client
        process.send_signal(signal.SIGINT)
        _, log = await asyncio.wait_for(process.communicate(), 30)
        assert b"Application shutdown complete" in log
        assert b"Traceback" not in log
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def address_of(process: asyncio.subprocess.Process) -> str:
    """Return where a server listens, as its log tells."""
    assert process.stderr is not None
    log = ""
    while line := (await asyncio.wait_for(process.stderr.readline(), 30)).decode():
        log += line
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
            return found[1]
    pytest.fail(f"the service ended at its start:\n{log}")


@pytest.mark.parametrize("arguments", [("incidents.app:app",), ("--factory", "incidents.host:create_hosted_app")])
async def test_the_service_answers_in_production(arguments: tuple[str, ...]) -> None:
    lab = FaultLab()
    lab.always("anthropic", "quota")
    async with lab.serve() as address:
        env = lab.env("anthropic", "openai", "groq", address=address) | {"FAULTMAVEN_ENV": "production"}
        async with served(*arguments, **env) as client:
            health = await client.get("/healthz")
            reply = await client.post("/diagnose", json={"text": "Why does my pod restart?"})
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert reply.json()["text"] == "The container was killed: out of memory."
    assert [request.provider for request in lab.requests] == ["anthropic", "openai"]


async def test_the_service_does_not_start_without_a_key() -> None:
    with pytest.raises(pytest.fail.Exception, match="GROQ_API_KEY"):
        async with served("incidents.app:app", FAULTMAVEN_ENV="staging"):
            pass
