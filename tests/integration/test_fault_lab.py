"""Every fault against every dialect: an answer through the healthy fallback, or the documented type. Never a hang.

In process on virtual time, and the same over loopback sockets, where the faults that take time wait a little, together.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from faultmaven import (
    ConfigurationError,
    LLMError,
    LLMResponse,
    ProviderTimeoutError,
    RateLimitError,
    open_container,
)
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FakeClock, FaultLab, VirtualClock, run_in_virtual_time
from faultmaven.testing.lab import ANSWER, REPLIES
from faultmaven.testing.lab.fault_lab import IN_PROCESS
from faultmaven.testing.lab.replies import OF_THE_CONNECTION, SPOILT, reply_to

FAULTS = FaultLab.FAULTS
WAITING = [name for name, fault in FAULTS.items() if fault.error is ProviderTimeoutError]
AT_ONCE = [name for name in FAULTS if name not in WAITING]


@dataclass(frozen=True)
class Vendor:
    """A row, and the dialect it is asked over."""

    row: str
    dialect: str

    @property
    def healthy(self) -> str:
        """Another row, over another dialect."""
        return "anthropic" if self.row != "anthropic" else "groq"


VENDORS = [
    Vendor("openai", "openai-chat"),
    Vendor("openai", "openai-responses"),
    Vendor("anthropic", "anthropic-messages"),
    Vendor("gemini", "gemini-generate-content"),
    Vendor("cohere", "cohere-v2-chat"),
    Vendor("ollama", "ollama-native"),
    Vendor("llamacpp", "llamacpp-completion"),
    Vendor("tgi", "tgi-generate"),
    Vendor("local", "openai-chat"),
]


@pytest.fixture(params=VENDORS, ids=lambda vendor: f"{vendor.row}-{vendor.dialect}")
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    found: Vendor = request.param
    if found.dialect == "openai-responses":
        monkeypatch.setitem(PROVIDER_SCHEMA, found.row, {**PROVIDER_SCHEMA[found.row], "dialect": found.dialect})
    return found


def settings(primary: str, timeout: float) -> dict[str, str]:
    return {"CHAT_PROVIDER": primary, "LLM_REQUEST_TIMEOUT": str(timeout), "LLM_MAX_RETRIES": "0"}


async def ask_in_process(vendor: Vendor, fault: str, *others: str, timeout: float = 5.0) -> LLMResponse:
    """Ask a vendor that has a fault, with `others` behind it, in a container of its own."""
    clock = VirtualClock()
    lab = FaultLab(clock)
    lab.always(vendor.row, fault)
    env = lab.env(vendor.row, *others) | settings(vendor.row, timeout)
    async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
        return await container.llm().generate("ping")


async def ask_over_a_socket(
    vendor: Vendor,
    fault: str,
    *others: str,
    timeout: float,
    ends_by_hand: bool = False,
    carrier: str = "auto",
    **parts: Any,
) -> LLMResponse:
    """The same over the loopback interface and in real time.

    Args:
        ends_by_hand: The time of the vendor with the fault ends once it was asked; `others` have all of theirs.
    """
    lab, clock = FaultLab(), FakeClock()
    lab.always(vendor.row, fault)
    if ends_by_hand:
        parts["clock"] = clock
    async with asyncio.timeout(20), lab.serve() as address:
        env = lab.env(vendor.row, *others, address=address) | settings(vendor.row, timeout)
        async with open_container(env | {"LLM_HTTP_CARRIER": carrier}, **parts) as container:
            call = asyncio.ensure_future(container.llm().generate("ping"))
            if ends_by_hand:
                while not lab.asked(vendor.row):  # noqa: ASYNC110 - the lab has no event for it
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.05)  # as a rule the head of a reply is there by now
                clock.advance(timeout)
            return await call


def told(vendor: Vendor, outcome: LLMResponse | BaseException) -> str:
    """Who answered, or the type that was raised; anything about it that should not be so is told as well."""
    if isinstance(outcome, LLMResponse):
        whole = outcome.content == ANSWER or "I cannot help" in outcome.content
        return f"{outcome.provider} answered" if whole and outcome.attempts[-1].kept else repr(outcome)
    if not isinstance(outcome, LLMError):
        return f"bare {outcome!r}"
    name = type(outcome).__name__
    ledger = [(line.provider, line.outcome) for line in outcome.attempts]
    return name if outcome.provider == vendor.row and ledger == [(vendor.row, name)] else f"{outcome!r} with {ledger}"


def documented(vendor: Vendor, faults: Iterable[str]) -> dict[str, str]:
    """What becomes of each fault when the vendor is alone."""
    kinds = {fault: FAULTS[fault].error_in(vendor.dialect) for fault in faults}
    return {fault: kind.__name__ if kind else f"{vendor.row} answered" for fault, kind in kinds.items()}


def with_a_fallback(vendor: Vendor, faults: Iterable[str]) -> dict[str, str]:
    """What becomes of each fault when a healthy vendor stands behind this one: always an answer."""
    failing = {fault for fault in faults if FAULTS[fault].error_in(vendor.dialect)}
    return {fault: f"{vendor.healthy if fault in failing else vendor.row} answered" for fault in faults}


def outcome_in_process(vendor: Vendor, fault: str, *others: str) -> str:
    try:
        return told(vendor, run_in_virtual_time(ask_in_process(vendor, fault, *others)))
    except Exception as error:  # noqa: BLE001 - a bare exception is what this test looks for
        return told(vendor, error)


async def outcomes_over_sockets(vendor: Vendor, *others: str, timeout: float, **parts: Any) -> dict[str, str]:
    """Ask for every fault; those that take time together, so that they take it once."""
    outcomes: dict[str, Any] = {}
    for fault in AT_ONCE:
        asking = ask_over_a_socket(vendor, fault, *others, timeout=15, **parts)
        outcomes[fault] = (await asyncio.gather(asking, return_exceptions=True))[0]
    waiting = (ask_over_a_socket(vendor, fault, *others, timeout=timeout, **parts) for fault in WAITING)
    outcomes |= zip(WAITING, await asyncio.gather(*waiting, return_exceptions=True), strict=True)
    return {fault: told(vendor, outcome) for fault, outcome in outcomes.items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_alone_a_fault_ends_in_its_documented_type(vendor: Vendor, fault: str) -> None:
    assert outcome_in_process(vendor, fault) == documented(vendor, [fault])[fault]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_healthy_fallback_answers_in_its_place(vendor: Vendor, fault: str) -> None:
    assert outcome_in_process(vendor, fault, vendor.healthy) == with_a_fallback(vendor, [fault])[fault]


async def test_alone_every_fault_ends_in_its_documented_type_over_sockets(vendor: Vendor, carrier: str) -> None:
    assert await outcomes_over_sockets(vendor, timeout=0.2, carrier=carrier) == documented(vendor, FAULTS)


async def test_a_healthy_fallback_answers_in_the_place_of_every_fault_over_sockets(
    vendor: Vendor, carrier: str
) -> None:
    outcomes: dict[str, Any] = {}
    for fault in FAULTS:
        asking = ask_over_a_socket(
            vendor, fault, vendor.healthy, timeout=15, ends_by_hand=fault in WAITING, carrier=carrier
        )
        outcomes[fault] = (await asyncio.gather(asking, return_exceptions=True))[0]
    assert {fault: told(vendor, outcome) for fault, outcome in outcomes.items()} == with_a_fallback(vendor, FAULTS)


async def test_a_passed_in_client_meets_every_fault_the_same(vendor: Vendor, library: Any) -> None:
    async with library.AsyncClient(timeout=None, trust_env=False) as client:
        assert await outcomes_over_sockets(vendor, timeout=0.2, http_client=client) == documented(vendor, FAULTS)
        assert not client.is_closed


@pytest.mark.parametrize("fault", ["refused", "reset", "cut_headers", "cut_body", "wrong_length"])
async def test_httpx_raises_the_same_in_process_and_over_a_socket(fault: str) -> None:
    lab = FaultLab()
    lab.always("groq", fault)
    async with lab.serve() as address, httpx.AsyncClient() as over_a_socket, lab.client() as in_process:
        raised = []
        for client, base in ((over_a_socket, address), (in_process, "http://lab.invalid")):
            with pytest.raises(httpx.TransportError) as caught:
                await client.post(f"{base}/groq/v1/chat/completions")
            raised.append(type(caught.value))
    # The server only learns from the request whom it plays, so that it cannot refuse the connection any more.
    expected = [httpx.RemoteProtocolError, httpx.ConnectError] if fault == "refused" else [raised[0]] * 2
    assert raised == expected
    assert raised[0] is (httpx.ReadError if fault == "reset" else httpx.RemoteProtocolError)


@pytest.mark.parametrize("fault", ["short_length", "wrong_content_type", "redirect", "html_error", "rate_limited_date"])
async def test_a_reply_is_the_same_in_process_and_over_a_socket(fault: str) -> None:
    lab = FaultLab()
    lab.always("groq", fault)
    async with lab.serve() as address, httpx.AsyncClient() as over_a_socket, lab.client() as in_process:
        one = await over_a_socket.post(f"{address}/groq/v1/chat/completions")
        other = await in_process.post("http://lab.invalid/groq/v1/chat/completions")
    assert (one.status_code, one.content, one.headers) == (other.status_code, other.content, other.headers)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("rate_limited_seconds", 2.0),
        ("rate_limited_float", 1.5),
        ("rate_limited_date", 30.0),
        ("rate_limited_ms", 1.5),
        ("rate_limited_info", 31.0),
        ("rate_limited_no_hint", None),
    ],
)
def test_the_hint_of_a_429_is_the_only_one(vendor: Vendor, fault: str, seconds: float | None) -> None:
    with pytest.raises(RateLimitError) as caught:
        run_in_virtual_time(ask_in_process(vendor, fault))
    assert caught.value.retry_after == seconds


def test_a_trickle_comes_byte_by_byte_and_ends_in_the_body(vendor: Vendor) -> None:
    with pytest.raises(ProviderTimeoutError) as caught:
        run_in_virtual_time(ask_in_process(vendor, "trickle"))
    assert caught.value.phase == "body"
    assert caught.value.attempts[0].duration == pytest.approx(5.0)


def test_no_deadline_of_ours_is_longer_than_a_trickle(vendor: Vendor) -> None:
    with pytest.raises(ProviderTimeoutError):
        run_in_virtual_time(ask_in_process(vendor, "trickle", timeout=119))


async def test_what_stays_comes_after_what_is_scripted() -> None:
    lab = FaultLab()
    lab.always("groq", "unavailable")
    lab.script("groq", "ok", "unauthorized")
    url, statuses = "http://lab.invalid/groq/v1/chat/completions", []
    async with lab.client() as client:
        for _ in range(4):
            statuses.append((await client.post(url)).status_code)
        lab.always("groq", "ok")
        statuses.append((await client.post(url)).status_code)
    assert statuses == [200, 401, 503, 503, 200]


def test_an_unknown_fault_is_refused_with_the_nearest_name() -> None:
    lab = FaultLab()
    for refuse in (lab.script, lab.always):
        with pytest.raises(ConfigurationError, match="did you mean 'trickle'"):
            refuse("groq", "trikle")


@pytest.mark.parametrize("fault", ["silent", "silent_body", "trickle"])
async def test_the_lab_waits_on_the_clock_it_was_given(fault: str) -> None:
    clock = FakeClock()
    lab = FaultLab(clock)
    lab.script("groq", fault)
    env = lab.env("groq") | settings("groq", timeout=60)
    async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
        with pytest.raises(ProviderTimeoutError):
            await container.llm().generate("ping")
    assert clock.monotonic() == 60


def test_every_row_of_the_table_is_a_fault_of_its_own() -> None:
    assert len(FAULTS) > 24
    assert all(name == fault.name for name, fault in FAULTS.items())
    assert len({fault.description for fault in FAULTS.values()}) == len(FAULTS)


@pytest.mark.parametrize("dialect", REPLIES)
def test_every_reply_that_is_called_json_is_json(dialect: str) -> None:
    replies = {fault: reply_to(dialect, fault) for fault in FAULTS if fault not in (*OF_THE_CONNECTION, *SPOILT)}
    replies["models"] = REPLIES[dialect]["models"]
    for reply in replies.values():
        if reply.headers.get("content-type") == "application/json":
            json.loads(reply.body)


@pytest.mark.parametrize("like", VENDORS[:-1], ids=lambda vendor: vendor.dialect)
async def test_a_provider_of_ones_own_speaks_the_dialect_that_it_is_given(like: Vendor) -> None:
    lab = FaultLab()
    lab.add("acme", like.dialect)
    known = {
        "api_key_var": "ACME_API_KEY",
        "model_var": "ACME_MODEL",
        "base_url_var": "ACME_API_BASE",
        "default_base_url": "",
        "default_model": "acme-model",
        "provider_class": PROVIDER_SCHEMA[like.row]["provider_class"],
        "dialect": like.dialect,
        "max_retries": 0,
        "timeout": 5,
        "confidence_score": 0.5,
    }
    async with lab.client() as client, open_container(lab.env("acme"), http_client=client) as container:
        container.registry().register_provider("acme", known)
        response = await container.llm(provider="acme").generate("ping")
    assert lab.dialect("acme") == like.dialect
    assert response.content == ANSWER
    assert [request.provider for request in lab.requests] == ["acme"]


def test_an_unknown_dialect_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'anthropic-messages'"):
        FaultLab().add("acme", "anthropic-mesages")


@pytest.mark.parametrize("over_a_socket", [False, True])
async def test_the_lab_counts_the_replies_that_nobody_has_closed(over_a_socket: bool) -> None:
    lab = FaultLab()
    lab.script("groq", "stream_stall")

    async def ask(client: httpx.AsyncClient, address: str) -> None:
        async with client.stream("POST", lab.base_url("groq", address) + "/chat/completions", json={"stream": True}):
            assert lab.open_replies == 1

    async with asyncio.timeout(20), lab.serve() as address, httpx.AsyncClient() as outside, lab.client() as inside:
        await ask(outside if over_a_socket else inside, address if over_a_socket else IN_PROCESS)
        while lab.open_replies:  # noqa: ASYNC110 - the server sees the end in its own time
            await asyncio.sleep(0.001)
    assert len(lab.asked("groq")) == 1
