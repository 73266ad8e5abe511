"""Tests for the whole service with real lifespan, router, adapters and HTTP; the fault lab replaces the vendors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faultmaven import ChatRequest, ConfigurationError, LLMStream, open_container
from faultmaven.testing import FakeProvider, FakeStream, FaultLab
from incidents.app import create_app

from .running import served, started

INCIDENT = {"text": "Why does my pod restart?"}
ANSWER = "The container was killed: out of memory."
SERVICE = Path(__file__).parents[1]
NO_RETRIES = {"LLM_MAX_RETRIES": "0"}


class StreamObservingProvider(FakeProvider):
    """Fake that sets the event `closed` when a stream is closed."""

    def __init__(self, *script: FakeStream) -> None:
        super().__init__(*script)
        self.closed = asyncio.Event()

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Play the next step as a stream."""
        try:
            async with super().open_stream(request) as stream:
                yield stream
        finally:
            self.closed.set()


async def test_second_vendor_answers_after_a_failure() -> None:
    lab = FaultLab()
    lab.always("openai", "quota")
    env = lab.env("openai", "groq") | NO_RETRIES
    async with lab.client() as http, started(create_app(lambda: open_container(env, http_client=http))) as client:
        reply = await client.post("/diagnose", json=INCIDENT)
    assert (reply.status_code, reply.json()["text"]) == (200, ANSWER)
    assert (len(lab.asked("openai")), len(lab.asked("groq"))) == (1, 1)


async def test_each_role_uses_the_configured_vendor() -> None:
    lab = FaultLab()
    env = lab.env("openai", "groq") | {"CHAT_PROVIDER": "openai", "SYNTHESIS_PROVIDER": "groq"}
    async with lab.client() as http, started(create_app(lambda: open_container(env, http_client=http))) as client:
        await client.post("/summarise", json=INCIDENT)
    assert [request.provider for request in lab.requests] == ["groq"]


@pytest.mark.parametrize(("fault", "end"), [("overloaded", "end"), ("stream_cut", "error")])
async def test_stream_falls_back_before_first_chunk(fault: str, end: str) -> None:
    lab = FaultLab()
    lab.always("openai", fault)
    env = lab.env("openai", "groq") | NO_RETRIES
    app = create_app(lambda: open_container(env, http_client=http))
    async with lab.client() as http, served(app) as client:
        reply = await client.post("/diagnose/stream", json=INCIDENT)
    names = [line.removeprefix("event: ") for line in reply.text.splitlines() if line.startswith("event: ")]
    assert names[0] == "text"
    assert names[-1] == end
    assert names.count("text") == len(names) - 1


async def test_client_disconnect_closes_the_vendor_stream() -> None:
    fake = StreamObservingProvider(FakeStream("It ran ", 30.0, "out of memory."))
    app = create_app(lambda: open_container(providers={"fake": fake}))
    async with served(app) as client:
        async with client.stream("POST", "/diagnose/stream", json=INCIDENT) as reply:
            first = await anext(reply.aiter_lines())
            assert (first, fake.open_streams) == ("event: text", 1)
        await asyncio.wait_for(fake.closed.wait(), 5)
        assert fake.open_streams == 0


async def test_health_is_200_with_available_provider() -> None:
    lab = FaultLab()
    async with (
        lab.client() as http,
        started(create_app(lambda: open_container(lab.env("openai"), http_client=http))) as client,
    ):
        reply = await client.get("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})
    assert lab.requests == []


async def test_health_is_503_without_available_provider() -> None:
    lab = FaultLab()
    lab.always("openai", "overloaded")
    env = lab.env("openai") | NO_RETRIES | {"LLM_BREAKER_MIN_CALLS": "1"}
    async with lab.client() as http, started(create_app(lambda: open_container(env, http_client=http))) as client:
        await client.post("/diagnose", json=INCIDENT)
        reply = await client.get("/healthz")
    assert (reply.status_code, reply.json()) == (503, {"status": "down"})


async def test_health_probe_sends_vendor_requests() -> None:
    lab = FaultLab()
    app = create_app(lambda: open_container(lab.env("openai"), http_client=http), names_providers=True)
    async with lab.client() as http, started(app) as client:
        reply = await client.get("/healthz?probe=true")
    assert [request.method for request in lab.asked("openai")] == ["GET"]
    assert reply.json()["providers"]["openai"]["probe"]["is_reachable"] is True


@pytest.mark.parametrize(
    ("environment", "keys", "chain"),
    [
        ("development", [], ["ollama"]),
        ("staging", ["GROQ_API_KEY", "OPENAI_API_KEY"], ["groq"]),
        ("production", ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GROQ_API_KEY"], ["anthropic", "openai", "groq"]),
    ],
)
async def test_each_environment_has_separate_settings(
    monkeypatch: pytest.MonkeyPatch, environment: str, keys: list[str], chain: list[str]
) -> None:
    monkeypatch.chdir(SERVICE)
    monkeypatch.setenv("FAULTMAVEN_ENV", environment)
    for key in keys:
        monkeypatch.setenv(key, "k")
    app = create_app(open_container)
    async with app.router.lifespan_context(app):
        assert app.state.container.registry().get_fallback_chain() == chain


async def test_service_without_key_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SERVICE)
    monkeypatch.setenv("FAULTMAVEN_ENV", "staging")
    app = create_app(open_container)
    with pytest.raises(ConfigurationError, match="GROQ_API_KEY"):
        async with app.router.lifespan_context(app):
            pass


async def test_service_without_provider_does_not_start() -> None:
    app = create_app(lambda: open_container({}))
    with pytest.raises(ConfigurationError, match=r"^no provider is configured\. Set FAULTMAVEN_ENV"):
        async with app.router.lifespan_context(app):
            pass
