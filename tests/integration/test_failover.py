"""Failover through the whole stack: environment, container, router, dialects and HTTP, against the fault lab."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from faultmaven import (
    AcceptancePolicy,
    CircuitOpenError,
    ConfigurationError,
    Container,
    ErrorPolicy,
    LimitReachedError,
    LLMError,
    LLMResponse,
    ProviderUnavailableError,
    RateLimitError,
    Reaction,
    open_container,
)
from faultmaven.domain.events import BreakerChanged, CallFailed, Event
from faultmaven.testing import FakeProvider, FaultLab, VirtualClock, run_in_virtual_time
from faultmaven.testing.lab.loopback import listen

Scenario = Callable[[Container, FaultLab], Awaitable[Any]]


def run_in_lab(
    scenario: Scenario,
    *names: str,
    script: Mapping[str, list[str]] | None = None,
    env: Mapping[str, str] | None = None,
    **parts: Any,
) -> Any:
    """Run `scenario` in virtual time, in a container with the rows `names` and backoffs without randomness."""

    async def run() -> Any:
        lab = FaultLab(VirtualClock())
        for provider, faults in (script or {}).items():
            lab.script(provider, *faults)
        variables = {**lab.env(*names), "LLM_FALLBACK_CHAIN": ",".join(names), **(env or {})}
        parts.setdefault("chance", lambda: 0.5)
        async with (
            lab.client() as client,
            open_container(variables, http_client=client, clock=VirtualClock(), **parts) as container,
        ):
            return await scenario(container, lab)

    return run_in_virtual_time(run())


async def generate_ping(container: Container, _: FaultLab) -> LLMResponse:
    return await container.llm().generate("ping")


def outcomes(source: LLMResponse | LLMError) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in source.attempts]


# --- Retry-After, in each form (wire/README.md, "Delay") -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("rate_limited_seconds", 2.0),
        ("rate_limited_float", 1.5),
        ("rate_limited_ms", 1.5),
        ("rate_limited_past", 0.25),  # no usable hint: the default backoff of at most 0.5 s, halved
        ("rate_limited_no_hint", 0.25),
    ],
)
def test_retry_waits_for_each_retry_after_form(fault: str, seconds: float) -> None:
    response = run_in_lab(generate_ping, "openai", "groq", script={"openai": [fault]})
    assert outcomes(response) == [("openai", "RateLimitError"), ("openai", "answered")]
    assert response.attempts[1].waited == pytest.approx(seconds)


@pytest.mark.parametrize("fault", ["rate_limited_date", "rate_limited_absurd", "rate_limited_final", "quota"])
def test_long_or_final_rate_limit_falls_back(fault: str) -> None:
    response = run_in_lab(generate_ping, "openai", "groq", script={"openai": [fault]})
    assert [line.provider for line in response.attempts] == ["openai", "groq"]
    assert response.attempts[1].waited == 0.0


def test_last_candidate_waits_full_retry_after() -> None:
    response = run_in_lab(generate_ping, "openai", script={"openai": ["rate_limited_date"]})
    assert response.attempts[1].waited == pytest.approx(30.0)


def test_gemini_retry_info_delays_retry() -> None:
    response = run_in_lab(generate_ping, "gemini", script={"gemini": ["rate_limited_info"]})
    assert response.attempts[1].waited == pytest.approx(31.0)


# --- the breaker -----------------------------------------------------------------------------------------------------

FAST = {"LLM_MAX_RETRIES": "0", "LLM_BREAKER_MIN_CALLS": "3", "LLM_BREAKER_OPEN_SECONDS": "20"}


def test_environment_tunes_circuit_breaker() -> None:
    events: list[Event] = []

    async def scenario(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(3):
            assert (await generate_ping(container, lab)).provider == "groq"
        response = await generate_ping(container, lab)
        assert outcomes(response) == [("openai", "CircuitOpenError"), ("groq", "answered")]
        assert len(lab.asked("openai")) == 3
        assert "openai: circuit breaker open for 20 s more" in str(container.explain("ping"))
        lab.always("openai", "ok")
        await asyncio.sleep(20)
        assert (await generate_ping(container, lab)).provider == "openai"

    run_in_lab(scenario, "openai", "groq", env=FAST, observer=events.append)
    phases = [(event.phase, event.seconds) for event in events if isinstance(event, BreakerChanged)]
    assert phases == [("open", 20.0), ("half-open", 0.0), ("closed", 0.0)]


def test_zero_breaker_window_disables_circuit_breaker() -> None:
    async def scenario(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(30):
            await generate_ping(container, lab)
        assert len(lab.asked("openai")) == 30

    run_in_lab(scenario, "openai", "groq", env={**FAST, "LLM_BREAKER_WINDOW": "0"})


def test_circuit_breaker_state_survives_reload() -> None:
    async def scenario(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(3):
            await generate_ping(container, lab)
        container.registry().reload()
        assert outcomes(await generate_ping(container, lab))[0] == ("openai", "CircuitOpenError")

    run_in_lab(scenario, "openai", "groq", env=FAST)


def test_open_breaker_probes_pinned_provider_once() -> None:
    async def scenario(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        llm = container.llm(provider="openai")
        for _ in range(3):
            with pytest.raises(ProviderUnavailableError):
                await llm.generate("ping")
        lab.always("openai", "silent")
        with pytest.raises(CircuitOpenError):
            await llm.generate("ping")
        await asyncio.sleep(1)  # afterwards the open breaker lets one probe through
        calls = [asyncio.create_task(llm.generate("ping", deadline=10)) for _ in range(5)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, CircuitOpenError) for error in errors) == 4
        assert len(lab.asked("openai")) == 4

    run_in_lab(scenario, "openai", "groq", env=FAST)


# --- limits ----------------------------------------------------------------------------------------------------------

ROWS = """
[providers.small]
model_var = "SMALL_MODEL"
api_key_var = "SMALL_API_KEY"
base_url_var = "SMALL_API_BASE"
default_base_url = "http://lab.invalid/small/v1"
default_model = "m"
provider_class = "OpenAIProvider"
max_retries = 0
timeout = 30
confidence_score = 0.9
{limits}
"""


def with_rows(limits: str) -> dict[str, str]:
    Path("rows.toml").write_text(ROWS.format(limits=limits))
    return {"LLM_PROVIDERS_FILE": "rows.toml", "SMALL_API_KEY": "k", "CHAT_PROVIDER": "small"}


def test_row_limits_restrict_provider_requests() -> None:
    async def scenario(container: Container, lab: FaultLab) -> list[str]:
        responses = await asyncio.gather(*(container.llm().generate(f"question {n}") for n in range(6)))
        return sorted(response.provider for response in responses)

    env = with_rows("requests_per_minute = 2\nmax_concurrency = 10\ntokens_per_minute = 100000")
    assert run_in_lab(scenario, "groq", env=env) == ["groq"] * 4 + ["small"] * 2


def test_missing_limits_package_names_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    env = with_rows("tokens_per_minute = 1000")
    with pytest.raises(ConfigurationError, match=r"provider 'small'.*pip install \"faultmaven\[ratelimit\]\""):
        run_in_lab(generate_ping, "groq", env=env)

    class FakeRateCounter:
        taken = 0

        def peek(self, key: str, amount: int, per_minute: int) -> float:
            return 0.0

        async def take(self, key: str, amount: int, per_minute: int) -> float:
            self.taken += 1
            return 0.0

        async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None: ...

        async def charge(self, key: str, amount: int, per_minute: int) -> None: ...

    counter = FakeRateCounter()
    assert run_in_lab(generate_ping, "groq", env=env, rate_counter=counter).provider == "small"
    assert counter.taken == 1


def test_exhausted_rate_limit_headers_skip_provider() -> None:
    # wire/README.md: x-ratelimit-remaining-requests and -reset-requests of OpenAI and Groq
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}
    fault_lab = FaultLab()

    async def handle(request: httpx.Request) -> httpx.Response:
        reply = await fault_lab.transport().handle_async_request(request)
        if "/openai/" in request.url.path:
            reply.headers.update(headers)
        return reply

    async def run() -> None:
        env = {**fault_lab.env("openai", "groq"), "CHAT_PROVIDER": "openai"}
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client,
            open_container(env, http_client=client, clock=VirtualClock()) as container,
        ):
            llm = container.llm()
            first = await llm.generate("ping")
            assert (first.provider, first.attempts[0].limited_for) == ("openai", 12.0)
            second = await llm.generate("ping")
            assert outcomes(second) == [("openai", "LimitReachedError"), ("groq", "answered")]
            await asyncio.sleep(12)
            assert (await llm.generate("ping")).provider == "openai"

    run_in_virtual_time(run())


# --- parts, hedging, caching -----------------------------------------------------------------------------------------


async def test_container_takes_error_policy_and_acceptance() -> None:
    table: ErrorPolicy = {RateLimitError: Reaction(retry=False, move_on=False, trip=False)}
    providers = {"a": FakeProvider(RateLimitError("busy", retry_after=1.0)), "b": FakeProvider("ok")}
    async with open_container(providers=providers, error_policy=table) as container:
        with pytest.raises(RateLimitError):
            await container.llm().generate("ping")
    providers = {"a": FakeProvider(""), "b": FakeProvider("ok")}
    async with open_container(providers=providers, acceptance=AcceptancePolicy(empty="accept")) as container:
        assert (await container.llm().generate("ping")).provider == "a"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"acceptance": "accept"}, "'acceptance' is a str, not a AcceptancePolicy"),
        ({"error_policy": [1]}, "'error_policy' is a list, not a Mapping"),
        ({"error_policy": {ValueError: Reaction()}}, "ValueError"),
        ({"error_policy": {RateLimitError: "retry"}}, "RateLimitError"),
        ({"cache": object()}, "missing get, put"),
        ({"chance": 0.5}, "missing __call__"),
    ],
)
def test_container_refuses_invalid_part(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run_in_lab(generate_ping, "openai", **parts)


def test_acceptance_policy_refuses_unknown_action() -> None:
    with pytest.raises(ConfigurationError, match="'acept'; did you mean 'accept'"):
        AcceptancePolicy(empty="acept")  # type: ignore[arg-type]


def test_hedge_after_setting_hedges_slow_primary() -> None:
    response = run_in_lab(
        generate_ping, "openai", "groq", script={"openai": ["silent"]}, env={"LLM_HEDGE_AFTER": "chat=2"}
    )
    assert outcomes(response) == [("openai", "cancelled"), ("groq", "answered")]
    assert response.attempts[0].duration == pytest.approx(2.0)


def test_cached_answers_expire_after_cache_seconds() -> None:
    async def scenario(container: Container, lab: FaultLab) -> None:
        assert [(await generate_ping(container, lab)).cached for _ in range(3)] == [False, True, True]
        await asyncio.sleep(61)
        assert not (await generate_ping(container, lab)).cached
        assert len(lab.asked("openai")) == 2

    run_in_lab(scenario, "openai", env={"LLM_CACHE_SECONDS": "60"})


def test_missing_cache_package_names_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cachetools", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.memory_cache", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install \"faultmaven\[cache\]\""):
        run_in_lab(generate_ping, "openai", env={"LLM_CACHE_SECONDS": "60"})


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_cancelled_call_releases_connection_and_permits() -> None:
    request_received, client_left = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        request_received.set()
        while await reader.read(65536):
            pass
        client_left.set()

    events: list[Event] = []
    env = with_rows("max_concurrency = 1\ntokens_per_minute = 2000")
    async with (
        listen(handle) as port,
        open_container(env | {"SMALL_API_BASE": f"http://127.0.0.1:{port}/v1"}, observer=events.append) as container,
    ):
        llm = container.llm()
        for _ in range(3):  # a lost permit or lost tokens would make the second call wait
            request_received.clear()
            client_left.clear()
            call = asyncio.create_task(llm.generate("ping", max_tokens=1500))
            await request_received.wait()
            call.cancel()
            async with asyncio.timeout(20):  # test_transport.py measures the limit of 100 ms
                await asyncio.gather(call, return_exceptions=True)
                await client_left.wait()
        route = container.registry().snapshot().routes["small"]
        gate = container.admission().limiter.concurrency(route)
        assert gate is not None
        assert gate.taken == 0
    failed = [event for event in events if isinstance(event, CallFailed)]
    assert [(event.reason, event_outcomes(event)) for event in failed] == [("cancelled", [("small", "cancelled")])] * 3


def event_outcomes(event: CallFailed) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in event.attempts]


async def test_exhausted_limit_raises_error_with_attempts() -> None:
    env = with_rows("requests_per_minute = 1")
    lab = FaultLab()
    async with lab.client() as client, open_container(env, http_client=client) as container:
        await container.llm().generate("ping")
        with pytest.raises(LimitReachedError, match="requests_per_minute=1 is used up") as caught:
            await container.llm().generate("ping", deadline=5)
    assert outcomes(caught.value) == [("small", "LimitReachedError")]
    assert caught.value.retry_after
