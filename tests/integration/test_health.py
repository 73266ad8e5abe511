"""`container.health()`: availability and recent calls of every provider. Sends requests only with `probe=True`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dependency_injector import containers
from dependency_injector import providers as di

from faultmaven import Container, HealthReport, LLMError, ProviderUnavailableError, RateLimitError, open_container
from faultmaven.application.monitoring.health_report import Latency
from faultmaven.testing import FakeClock, FakeProvider, FakeStream, FaultLab

ENV = {"LLM_MAX_RETRIES": "0", "LLM_BREAKER_MIN_CALLS": "2", "LLM_BREAKER_OPEN_SECONDS": "30"}


@asynccontextmanager
async def lab_container(lab: FaultLab, clock: FakeClock, *names: str, **env: str) -> AsyncIterator[Container]:
    variables = lab.env(*names) | ENV | env
    async with lab.client() as client, open_container(variables, http_client=client, clock=clock) as container:
        yield container


async def send_pings(container: Container, count: int = 1) -> None:
    for _ in range(count):
        try:
            await container.llm().generate("ping")
        except LLMError:
            continue


async def test_initial_health_is_ok_without_requests() -> None:
    lab = FaultLab()
    async with lab_container(lab, FakeClock(), "openai", "groq") as container:
        report = await container.health()
    assert lab.requests == []
    assert isinstance(report, HealthReport)
    assert (report.status, set(report.roles.values())) == ("ok", {"ok"})
    assert list(report.providers) == ["openai", "groq"]
    assert report.not_configured["anthropic"] == "ANTHROPIC_API_KEY is not set"
    health = report.providers["openai"]
    assert (health.breaker, health.breakers, health.obstacle, health.can_be_asked) == ("closed", {}, "", True)
    assert (health.last_success, health.last_error, health.last_error_ago) == (None, "", None)
    assert (health.latency, health.time_to_first_token, health.probe) == (None, None, None)


async def test_health_shows_last_success_and_error() -> None:
    lab, clock = FaultLab(), FakeClock()
    async with lab_container(lab, clock, "openai", "groq") as container:
        lab.script("openai", "overloaded")
        await send_pings(container)
        clock.advance(5)
        report = await container.health()
        assert (report.providers["openai"].last_error, report.providers["openai"].last_error_ago) == (
            "ProviderUnavailableError",
            5.0,
        )
        assert report.providers["groq"].last_success == 5.0
        await send_pings(container)
        clock.advance(7)
        openai = (await container.health()).providers["openai"]
    assert (openai.last_success, openai.last_error, openai.last_error_ago) == (7.0, "ProviderUnavailableError", 12.0)


async def test_open_breakers_lower_health_status() -> None:
    lab, clock = FaultLab(), FakeClock()
    async with lab_container(lab, clock, "openai", "groq") as container:
        lab.always("openai", "unavailable")
        await send_pings(container, 2)
        report = await container.health()
        openai = report.providers["openai"]
        assert (report.status, openai.breaker, openai.can_be_asked) == ("degraded", "open", False)
        assert openai.breakers["gpt-6.2-sol"].open_for == pytest.approx(30, abs=1)
        assert "breaker open" in openai.obstacle
        lab.always("groq", "unavailable")
        await send_pings(container, 3)
        assert (await container.health()).status == "down"
        clock.advance(31)  # after 30 s the breakers are half-open
        report = await container.health()
        assert (report.status, report.providers["openai"].breaker) == ("ok", "half-open")


async def test_single_model_breaker_keeps_provider_available() -> None:
    lab = FaultLab()
    async with lab_container(lab, FakeClock(), "openai") as container:
        lab.script("openai", "unavailable", "unavailable")
        for _ in range(2):
            with pytest.raises(ProviderUnavailableError):
                await container.llm().generate("ping", model="gpt-of-tomorrow")
        health = (await container.health()).providers["openai"]
    assert (health.breaker, health.can_be_asked) == ("open", True)
    assert {model: breaker.phase for model, breaker in health.breakers.items()} == {"gpt-of-tomorrow": "open"}


async def test_latency_counts_answers_and_stream_first_tokens() -> None:
    clock = FakeClock()
    fake = FakeProvider("quick", FakeStream(2.0, "Hel", 3.0, "lo"), RateLimitError("slow down"), delay=1.0, clock=clock)
    async with open_container(providers={"fake": fake}, clock=clock) as container:
        await container.llm().generate("ping")
        async with container.llm().stream("ping") as stream:
            async for _ in stream:
                pass
        with pytest.raises(RateLimitError):
            await container.llm().generate("ping")
        health = (await container.health()).providers["fake"]
    assert health.latency == Latency(2, 1.0, 6.0, 6.0)
    assert health.time_to_first_token == Latency(1, 3.0, 3.0, 3.0)


def test_latency_percentiles_use_nearest_rank() -> None:
    assert Latency.of([]) is None
    assert Latency.of([0.25]) == Latency(1, 0.25, 0.25, 0.25)
    assert Latency.of(range(1, 101)) == Latency(100, 50, 95, 99)


async def test_latency_counts_newest_256_answers() -> None:
    clock = FakeClock()
    fake = FakeProvider(delay=9.0, clock=clock)
    async with open_container(providers={"fake": fake}, clock=clock) as container:
        await send_pings(container)
        fake._delay = 1.0
        await send_pings(container, 256)
        latency = (await container.health()).providers["fake"].latency
    assert latency == Latency(256, 1.0, 1.0, 1.0)


async def test_skipped_or_cancelled_attempt_keeps_last_error() -> None:
    hanging = FakeProvider(ProviderUnavailableError("down"), delay=1e6)
    async with open_container(ENV, providers={"fake": hanging}) as container:
        for _ in range(3):
            call = asyncio.ensure_future(container.llm().generate("ping"))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})
        health = (await container.health()).providers["fake"]
        assert (health.last_success, health.last_error) == (None, "")
        hanging._delay = 0.0
        await send_pings(container, 3)  # the third call skips the provider: the breaker is open
        health = (await container.health()).providers["fake"]
    assert (health.breaker, health.last_error) == ("open", "ProviderUnavailableError")


async def test_health_shows_remaining_row_limits() -> None:
    lab, clock = FaultLab(), FakeClock()
    row = {
        "api_key_var": "ACME_API_KEY",
        "model_var": "ACME_MODEL",
        "default_base_url": "http://lab.invalid/acme/v1",
        "default_model": "acme-large",
        "max_retries": 0,
        "timeout": 30,
        "confidence_score": 0.9,
        "requests_per_minute": 10,
        "tokens_per_minute": 5000,
        "max_concurrency": 3,
    }
    async with lab_container(lab, clock, "groq", ACME_API_KEY="k") as container:
        openai = type(container.registry().get_provider("groq"))
        container.registry().register_provider("acme", row | {"provider_class": openai})
        limits = (await container.health()).providers["acme"].limits
        assert (limits.requests, limits.tokens, limits.places, limits.announced_pause) == (10, 5000, 3, 0.0)
        for _ in range(4):
            await container.llm(provider="acme").generate("ping")
        limits = (await container.health()).providers["acme"].limits
        assert (limits.requests, limits.tokens, limits.places) == (6, 5000 - 4 * 42, 3)
        lab.script("acme", "rate_limited_seconds")
        with pytest.raises(RateLimitError):
            await container.llm(provider="acme").generate("ping", deadline=3)
        assert (await container.health()).providers["acme"].limits.announced_pause > 0


async def test_probe_lists_models_of_each_provider() -> None:
    lab = FaultLab()
    async with lab_container(lab, FakeClock(), "openai", "anthropic") as container:
        report = await container.health(probe=True)
    assert [(request.method, request.provider) for request in lab.requests] == [("GET", "openai"), ("GET", "anthropic")]
    probe = report.providers["openai"].probe
    assert probe is not None
    assert (probe.is_reachable, probe.error) == (True, None)
    assert report.status == "ok"


async def test_failed_probe_makes_provider_unavailable() -> None:
    env = {"GROQ_API_KEY": "k", "GROQ_API_BASE": "http://127.0.0.1:9/v1"}
    fake = FakeProvider()  # a fake has no model list, so no probe is sent
    async with open_container(env, providers={"fake": fake}) as container:
        assert (await container.health()).status == "ok"
        report = await container.health(probe=True)
    groq = report.providers["groq"]
    assert groq.probe is not None
    assert (groq.can_be_asked, type(groq.probe.error)) == (False, ProviderUnavailableError)
    assert report.providers["fake"].probe is None
    assert report.status == "ok"  # the fake has the weight 1.0 and comes first in the chain
    assert fake.requests == []


async def test_health_json_contains_no_key() -> None:
    lab = FaultLab()
    async with lab_container(lab, FakeClock(), "openai", "groq") as container:
        lab.script("openai", "unauthorized")
        await send_pings(container)
        text = json.dumps((await container.health(probe=True)).as_dict())
        assert "lab-key" not in text + repr(await container.health(probe=True))
    openai = json.loads(text)["providers"]["openai"]
    assert openai["last_error"] == "AuthenticationError"
    assert openai["latency"] is None
    assert openai["probe"]["is_reachable"] is True


async def test_health_without_providers_is_down() -> None:
    async with open_container(env={}) as container:
        report = await container.health()
    assert (report.status, report.providers) == ("down", {})


async def test_role_without_provider_degrades_status() -> None:
    lab = FaultLab()
    env = {"CODE_PROVIDER": "groq", "STRICT_PROVIDER_MODE": "true", "CHAT_PROVIDER": "openai"}
    async with lab_container(lab, FakeClock(), "openai", "groq", **env) as container:
        lab.always("groq", "unavailable")
        for _ in range(2):
            with pytest.raises(ProviderUnavailableError):
                await container.llm(role="code").generate("ping")
        report = await container.health()
    assert (report.status, report.roles["code"], report.roles["chat"]) == ("degraded", "down", "ok")


async def test_host_observer_receives_all_events() -> None:
    events: list[object] = []
    async with open_container(providers={"fake": FakeProvider()}, observer=events.append) as container:
        await send_pings(container)
        assert (await container.health()).providers["fake"].last_success is not None
    assert {type(event).__name__ for event in events} == {"AttemptStarted", "AttemptEnded", "CallAnswered"}


async def test_failing_observer_does_not_affect_health() -> None:
    def raise_always(event: object) -> None:
        raise ValueError("broken observer")

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with open_container(providers={"fake": FakeProvider()}, observer=raise_always) as container:
        await send_pings(container)
        assert (await container.health()).providers["fake"].last_success is not None


async def test_health_works_in_host_container() -> None:
    class Host(containers.DeclarativeContainer):
        faultmaven = di.Container(Container, env={"GROQ_API_KEY": "k"})

    host = Host()
    report = await host.faultmaven.health()
    assert list(report.providers) == ["groq"]
    await host.faultmaven.aclose()
