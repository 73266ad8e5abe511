"""Failover through the whole stack: environment, container, router, wires and HTTP, over the fault lab."""

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

Use = Callable[[Container, FaultLab], Awaitable[Any]]


def in_the_lab(
    use: Use,
    *names: str,
    script: Mapping[str, list[str]] | None = None,
    env: Mapping[str, str] | None = None,
    **parts: Any,
) -> Any:
    """Run `use` in virtual time with a container over the rows `names`, and no chance in its backoffs."""

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
            return await use(container, lab)

    return run_in_virtual_time(run())


async def ask(container: Container, _: FaultLab) -> LLMResponse:
    return await container.llm().generate("ping")


def ledger(source: LLMResponse | LLMError) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in source.attempts]


# --- Retry-After, in each form (wire/README.md, "Delay") -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        ("rate_limited_seconds", 2.0),
        ("rate_limited_float", 1.5),
        ("rate_limited_ms", 1.5),
        ("rate_limited_past", 0.25),  # says nothing of use: our own backoff, 0.5 s at most and a half of it
        ("rate_limited_no_hint", 0.25),
    ],
)
def test_each_form_of_retry_after_is_waited_for(fault: str, waited: float) -> None:
    response = in_the_lab(ask, "openai", "groq", script={"openai": [fault]})
    assert ledger(response) == [("openai", "RateLimitError"), ("openai", "answered")]
    assert response.attempts[1].waited == pytest.approx(waited)


@pytest.mark.parametrize("fault", ["rate_limited_date", "rate_limited_absurd", "rate_limited_final", "quota"])
def test_a_wait_that_is_too_long_and_a_no_fall_back_at_once(fault: str) -> None:
    response = in_the_lab(ask, "openai", "groq", script={"openai": [fault]})
    assert [line.provider for line in response.attempts] == ["openai", "groq"]
    assert response.attempts[1].waited == 0.0


def test_the_last_one_left_is_waited_for() -> None:
    response = in_the_lab(ask, "openai", script={"openai": ["rate_limited_date"]})
    assert response.attempts[1].waited == pytest.approx(30.0)


def test_geminis_retry_info_is_waited_for() -> None:
    response = in_the_lab(ask, "gemini", script={"gemini": ["rate_limited_info"]})
    assert response.attempts[1].waited == pytest.approx(31.0)


# --- the breaker -----------------------------------------------------------------------------------------------------

FAST = {"LLM_MAX_RETRIES": "0", "LLM_BREAKER_MIN_CALLS": "3", "LLM_BREAKER_OPEN_SECONDS": "20"}


def test_the_breaker_is_tuned_from_the_environment() -> None:
    events: list[Event] = []

    async def use(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(3):
            assert (await ask(container, lab)).provider == "groq"
        response = await ask(container, lab)
        assert ledger(response) == [("openai", "CircuitOpenError"), ("groq", "answered")]
        assert len(lab.asked("openai")) == 3
        assert "openai: breaker open for 20 s more" in str(container.explain("ping"))
        lab.always("openai", "ok")
        await asyncio.sleep(20)
        assert (await ask(container, lab)).provider == "openai"

    in_the_lab(use, "openai", "groq", env=FAST, observer=events.append)
    phases = [(event.phase, event.seconds) for event in events if isinstance(event, BreakerChanged)]
    assert phases == [("open", 20.0), ("half-open", 0.0), ("closed", 0.0)]


def test_the_breaker_is_turned_off_from_the_environment() -> None:
    async def use(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(30):
            await ask(container, lab)
        assert len(lab.asked("openai")) == 30

    in_the_lab(use, "openai", "groq", env={**FAST, "LLM_BREAKER_WINDOW": "0"})


def test_what_is_known_of_a_provider_outlives_a_reload() -> None:
    async def use(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        for _ in range(3):
            await ask(container, lab)
        container.registry().reload()
        assert ledger(await ask(container, lab))[0] == ("openai", "CircuitOpenError")

    in_the_lab(use, "openai", "groq", env=FAST)


def test_a_pinned_provider_that_is_ill_is_probed_by_one_call_and_refused_to_the_others() -> None:
    async def use(container: Container, lab: FaultLab) -> None:
        lab.always("openai", "server_error")
        llm = container.llm(provider="openai")
        for _ in range(3):
            with pytest.raises(ProviderUnavailableError):
                await llm.generate("ping")
        lab.always("openai", "silent")
        with pytest.raises(CircuitOpenError):
            await llm.generate("ping")
        await asyncio.sleep(1)  # then one call may try although the breaker is open
        calls = [asyncio.create_task(llm.generate("ping", deadline=10)) for _ in range(5)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, CircuitOpenError) for error in errors) == 4
        assert len(lab.asked("openai")) == 4

    in_the_lab(use, "openai", "groq", env=FAST)


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


def test_a_row_s_limits_count() -> None:
    async def use(container: Container, lab: FaultLab) -> list[str]:
        responses = await asyncio.gather(*(container.llm().generate(f"question {n}") for n in range(6)))
        return sorted(response.provider for response in responses)

    env = with_rows("requests_per_minute = 2\nmax_concurrency = 10\ntokens_per_minute = 100000")
    assert in_the_lab(use, "groq", env=env) == ["groq"] * 4 + ["small"] * 2


def test_a_limit_per_minute_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)
    env = with_rows("tokens_per_minute = 1000")
    with pytest.raises(ConfigurationError, match=r"provider 'small'.*pip install \"faultmaven\[ratelimit\]\""):
        in_the_lab(ask, "groq", env=env)

    class Counts:
        taken = 0

        def peek(self, key: str, amount: int, per_minute: int) -> float:
            return 0.0

        async def take(self, key: str, amount: int, per_minute: int) -> float:
            self.taken += 1
            return 0.0

        async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None: ...

        async def charge(self, key: str, amount: int, per_minute: int) -> None: ...

    counter = Counts()
    assert in_the_lab(ask, "groq", env=env, rate_counter=counter).provider == "small"
    assert counter.taken == 1


def test_a_vendor_whose_headers_say_that_nothing_is_left_is_left_alone() -> None:
    # wire/README.md: x-ratelimit-remaining-requests and -reset-requests of OpenAI and Groq
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}
    laboratory = FaultLab()

    async def handle(request: httpx.Request) -> httpx.Response:
        reply = await laboratory.transport().handle_async_request(request)
        if "/openai/" in request.url.path:
            reply.headers.update(headers)
        return reply

    async def run() -> None:
        env = {**laboratory.env("openai", "groq"), "CHAT_PROVIDER": "openai"}
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client,
            open_container(env, http_client=client, clock=VirtualClock()) as container,
        ):
            llm = container.llm()
            first = await llm.generate("ping")
            assert (first.provider, first.attempts[0].limited_for) == ("openai", 12.0)
            second = await llm.generate("ping")
            assert ledger(second) == [("openai", "LimitReachedError"), ("groq", "answered")]
            await asyncio.sleep(12)
            assert (await llm.generate("ping")).provider == "openai"

    run_in_virtual_time(run())


# --- parts, hedging, keeping -----------------------------------------------------------------------------------------


async def test_the_error_table_and_acceptance_are_parts() -> None:
    table: ErrorPolicy = {RateLimitError: Reaction(retry=False, move_on=False, trip=False)}
    providers = {"a": FakeProvider(RateLimitError("busy", retry_after=1.0)), "b": FakeProvider("ok")}
    async with open_container(providers=providers, error_policy=table) as container:
        with pytest.raises(RateLimitError):
            await container.llm().generate("ping")
    providers = {"a": FakeProvider(""), "b": FakeProvider("ok")}
    async with open_container(providers=providers, acceptance=AcceptancePolicy(empty="accept")) as container:
        assert (await container.llm().generate("ping")).provider == "a"


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"acceptance": "accept"}, "'acceptance' is a str, not a AcceptancePolicy"),
        ({"error_policy": [1]}, "'error_policy' is a list, not a Mapping"),
        ({"error_policy": {ValueError: Reaction()}}, "ValueError"),
        ({"error_policy": {RateLimitError: "retry"}}, "RateLimitError"),
        ({"cache": object()}, "has no get, put"),
        ({"chance": 0.5}, "has no __call__"),
    ],
)
def test_a_part_that_is_none_is_refused_at_the_door(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        in_the_lab(ask, "openai", **parts)


def test_an_unknown_action_is_refused_where_it_is_written() -> None:
    with pytest.raises(ConfigurationError, match="'acept'; did you mean 'accept'"):
        AcceptancePolicy(empty="acept")  # type: ignore[arg-type]


def test_a_slow_primary_is_hedged_by_configuration() -> None:
    response = in_the_lab(ask, "openai", "groq", script={"openai": ["silent"]}, env={"LLM_HEDGE_AFTER": "chat=2"})
    assert ledger(response) == [("openai", "cancelled"), ("groq", "answered")]
    assert response.attempts[0].duration == pytest.approx(2.0)


def test_answers_are_kept_for_so_long_and_no_longer() -> None:
    async def use(container: Container, lab: FaultLab) -> None:
        assert [(await ask(container, lab)).cached for _ in range(3)] == [False, True, True]
        await asyncio.sleep(61)
        assert not (await ask(container, lab)).cached
        assert len(lab.asked("openai")) == 2

    in_the_lab(use, "openai", env={"LLM_CACHE_SECONDS": "60"})


def test_keeping_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cachetools", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.memory_cache", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install \"faultmaven\[cache\]\""):
        in_the_lab(ask, "openai", env={"LLM_CACHE_SECONDS": "60"})


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_a_cancelled_call_closes_its_connection_and_returns_its_permits() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        while await reader.read(65536):
            pass
        left.set()

    events: list[Event] = []
    env = with_rows("max_concurrency = 1\ntokens_per_minute = 2000")
    async with (
        listen(handle) as port,
        open_container(env | {"SMALL_API_BASE": f"http://127.0.0.1:{port}/v1"}, observer=events.append) as container,
    ):
        llm = container.llm()
        for _ in range(3):  # a permit or tokens that were lost would make the second call wait
            asked.clear()
            left.clear()
            call = asyncio.create_task(llm.generate("ping", max_tokens=1500))
            await asked.wait()
            call.cancel()
            async with asyncio.timeout(20):  # tests/integration/test_transport.py holds it to 100 ms
                await asyncio.gather(call, return_exceptions=True)
                await left.wait()
        route = container.registry().generation().routes["small"]
        gate = container.traffic().limiter.gate(route)
        assert gate is not None
        assert gate.taken == 0
    failed = [event for event in events if isinstance(event, CallFailed)]
    assert [(event.reason, ledger_of(event)) for event in failed] == [("cancelled", [("small", "cancelled")])] * 3


def ledger_of(event: CallFailed) -> list[tuple[str, str]]:
    return [(line.provider, line.outcome) for line in event.attempts]


async def test_a_limit_that_is_reached_for_all_is_raised_with_its_ledger() -> None:
    env = with_rows("requests_per_minute = 1")
    lab = FaultLab()
    async with lab.client() as client, open_container(env, http_client=client) as container:
        await container.llm().generate("ping")
        with pytest.raises(LimitReachedError, match="requests_per_minute=1 is used up") as caught:
            await container.llm().generate("ping", deadline=5)
    assert ledger(caught.value) == [("small", "LimitReachedError")]
    assert caught.value.retry_after
