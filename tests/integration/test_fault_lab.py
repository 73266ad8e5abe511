"""Every fault against every dialect: the healthy fallback answers, or the documented error is raised. No call hangs.

The tests run in process in virtual time, and over loopback sockets, where the faults that time out run concurrently.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from faultmaven import ConfigurationError, LLMError, LLMResponse, ProviderTimeoutError, RateLimitError, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FakeClock, FaultLab, VirtualClock, run_in_virtual_time
from faultmaven.testing.lab import ANSWER, REPLIES
from faultmaven.testing.lab.fault_lab import IN_PROCESS
from faultmaven.testing.lab.replies.table import ALTERED_REPLIES, CONNECTION_FAULTS, reply_to

FAULTS = FaultLab.FAULTS
TIMING_OUT = [name for name, fault in FAULTS.items() if fault.error is ProviderTimeoutError]
IMMEDIATE = [name for name in FAULTS if name not in TIMING_OUT]


@dataclass(frozen=True)
class Vendor:
    """A row, and the dialect in which the lab plays the vendor."""

    row: str
    dialect: str

    @property
    def healthy(self) -> str:
        """The row of another vendor, with another dialect, for the fallback."""
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
    vendor: Vendor = request.param
    if vendor.dialect == "openai-responses":
        monkeypatch.setitem(PROVIDER_SCHEMA, vendor.row, {**PROVIDER_SCHEMA[vendor.row], "dialect": vendor.dialect})
    return vendor


def settings(primary: str, timeout: float) -> dict[str, str]:
    return {"CHAT_PROVIDER": primary, "LLM_REQUEST_TIMEOUT": str(timeout), "LLM_MAX_RETRIES": "0"}


async def generate_in_process(vendor: Vendor, fault: str, *others: str, timeout: float = 5.0) -> LLMResponse:
    """Send a prompt to a vendor with a fault, and with the fallbacks `others`, in a new container."""
    clock = VirtualClock()
    lab = FaultLab(clock)
    lab.always(vendor.row, fault)
    env = lab.env(vendor.row, *others) | settings(vendor.row, timeout)
    async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
        return await container.llm().generate("ping")


async def generate_over_socket(
    vendor: Vendor,
    fault: str,
    *others: str,
    timeout: float,
    ends_by_hand: bool = False,
    carrier: str = "auto",
    **parts: Any,
) -> LLMResponse:
    """Send a prompt to a vendor with a fault, and with the fallbacks `others`, over loopback sockets in real time.

    Args:
        ends_by_hand: Whether a fake clock ends the vendor's timeout once the request has arrived, so that `others` keep
            the whole `timeout`.
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
                while not lab.asked(vendor.row):  # noqa: ASYNC110 - the lab has no event for requests
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.05)  # the headers of the reply have usually arrived by then
                clock.advance(timeout)
            return await call


def outcome_text(vendor: Vendor, outcome: LLMResponse | BaseException) -> str:
    """Return the name of the provider that answered or of the error; add the details of an unexpected outcome."""
    if isinstance(outcome, LLMResponse):
        is_complete = outcome.content == ANSWER or "I cannot help" in outcome.content
        return f"{outcome.provider} answered" if is_complete and outcome.attempts[-1].kept else repr(outcome)
    if not isinstance(outcome, LLMError):
        return f"bare {outcome!r}"
    name = type(outcome).__name__
    attempts = [(line.provider, line.outcome) for line in outcome.attempts]
    return (
        name if outcome.provider == vendor.row and attempts == [(vendor.row, name)] else f"{outcome!r} with {attempts}"
    )


def documented_outcomes(vendor: Vendor, faults: Iterable[str]) -> dict[str, str]:
    """Return the documented outcome of each fault when the vendor has no fallback."""
    errors = {fault: FAULTS[fault].error_in(vendor.dialect) for fault in faults}
    return {fault: error.__name__ if error else f"{vendor.row} answered" for fault, error in errors.items()}


def outcomes_with_fallback(vendor: Vendor, faults: Iterable[str]) -> dict[str, str]:
    """Return the outcome of each fault when the vendor has a healthy fallback: always an answer."""
    failing = {fault for fault in faults if FAULTS[fault].error_in(vendor.dialect)}
    return {fault: f"{vendor.healthy if fault in failing else vendor.row} answered" for fault in faults}


def outcome_text_in_process(vendor: Vendor, fault: str, *others: str) -> str:
    try:
        return outcome_text(vendor, run_in_virtual_time(generate_in_process(vendor, fault, *others)))
    except Exception as error:  # noqa: BLE001 - the test detects bare exceptions
        return outcome_text(vendor, error)


async def outcomes_over_sockets(vendor: Vendor, *others: str, timeout: float, **parts: Any) -> dict[str, str]:
    """Send a prompt for every fault; the faults that time out run concurrently to save time."""
    outcomes: dict[str, Any] = {}
    for fault in IMMEDIATE:
        call = generate_over_socket(vendor, fault, *others, timeout=15, **parts)
        outcomes[fault] = (await asyncio.gather(call, return_exceptions=True))[0]
    waiting = (generate_over_socket(vendor, fault, *others, timeout=timeout, **parts) for fault in TIMING_OUT)
    outcomes |= zip(TIMING_OUT, await asyncio.gather(*waiting, return_exceptions=True), strict=True)
    return {fault: outcome_text(vendor, outcome) for fault, outcome in outcomes.items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_lone_provider_fault_has_documented_outcome(vendor: Vendor, fault: str) -> None:
    assert outcome_text_in_process(vendor, fault) == documented_outcomes(vendor, [fault])[fault]


@pytest.mark.parametrize("fault", FAULTS)
def test_healthy_fallback_answers_after_fault(vendor: Vendor, fault: str) -> None:
    assert outcome_text_in_process(vendor, fault, vendor.healthy) == outcomes_with_fallback(vendor, [fault])[fault]


async def test_socket_fault_has_documented_outcome(vendor: Vendor, carrier: str) -> None:
    assert await outcomes_over_sockets(vendor, timeout=0.2, carrier=carrier) == documented_outcomes(vendor, FAULTS)


async def test_healthy_fallback_answers_after_socket_fault(vendor: Vendor, carrier: str) -> None:
    outcomes: dict[str, Any] = {}
    for fault in FAULTS:
        call = generate_over_socket(
            vendor, fault, vendor.healthy, timeout=15, ends_by_hand=fault in TIMING_OUT, carrier=carrier
        )
        outcomes[fault] = (await asyncio.gather(call, return_exceptions=True))[0]
    texts = {fault: outcome_text(vendor, outcome) for fault, outcome in outcomes.items()}
    assert texts == outcomes_with_fallback(vendor, FAULTS)


async def test_host_client_gets_same_fault_outcomes(vendor: Vendor, library: Any) -> None:
    async with library.AsyncClient(timeout=None, trust_env=False) as client:
        assert await outcomes_over_sockets(vendor, timeout=0.2, http_client=client) == documented_outcomes(
            vendor, FAULTS
        )
        assert not client.is_closed


@pytest.mark.parametrize("fault", ["refused", "reset", "cut_headers", "cut_body", "wrong_length"])
async def test_socket_and_in_process_errors_match(fault: str) -> None:
    lab = FaultLab()
    lab.always("groq", fault)
    async with lab.serve() as address, httpx.AsyncClient() as over_a_socket, lab.client() as in_process:
        raised = []
        for client, base in ((over_a_socket, address), (in_process, "http://lab.invalid")):
            with pytest.raises(httpx.TransportError) as caught:
                await client.post(f"{base}/groq/v1/chat/completions")
            raised.append(type(caught.value))
    # The server learns the vendor from the request, so the connection is accepted before the fault is known.
    expected = [httpx.RemoteProtocolError, httpx.ConnectError] if fault == "refused" else [raised[0]] * 2
    assert raised == expected
    assert raised[0] is (httpx.ReadError if fault == "reset" else httpx.RemoteProtocolError)


@pytest.mark.parametrize("fault", ["short_length", "wrong_content_type", "redirect", "html_error", "rate_limited_date"])
async def test_socket_and_in_process_replies_match(fault: str) -> None:
    lab = FaultLab()
    lab.always("groq", fault)
    async with lab.serve() as address, httpx.AsyncClient() as over_a_socket, lab.client() as in_process:
        socket_reply = await over_a_socket.post(f"{address}/groq/v1/chat/completions")
        in_process_reply = await in_process.post("http://lab.invalid/groq/v1/chat/completions")
    assert (socket_reply.status_code, socket_reply.content, socket_reply.headers) == (
        in_process_reply.status_code,
        in_process_reply.content,
        in_process_reply.headers,
    )


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
def test_rate_limit_fault_sets_retry_after(vendor: Vendor, fault: str, seconds: float | None) -> None:
    with pytest.raises(RateLimitError) as caught:
        run_in_virtual_time(generate_in_process(vendor, fault))
    assert caught.value.retry_after == seconds


def test_trickle_times_out_in_body_phase(vendor: Vendor) -> None:
    with pytest.raises(ProviderTimeoutError) as caught:
        run_in_virtual_time(generate_in_process(vendor, "trickle"))
    assert caught.value.phase == "body"
    assert caught.value.attempts[0].duration == pytest.approx(5.0)


def test_trickle_outlasts_timeout_of_119_seconds(vendor: Vendor) -> None:
    with pytest.raises(ProviderTimeoutError):
        run_in_virtual_time(generate_in_process(vendor, "trickle", timeout=119))


async def test_always_fault_follows_scripted_faults() -> None:
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


def test_unknown_fault_error_suggests_nearest_name() -> None:
    lab = FaultLab()
    for add_fault in (lab.script, lab.always):
        with pytest.raises(ConfigurationError, match="did you mean 'trickle'"):
            add_fault("groq", "trikle")


@pytest.mark.parametrize("fault", ["silent", "silent_body", "trickle"])
async def test_lab_delays_use_injected_clock(fault: str) -> None:
    clock = FakeClock()
    lab = FaultLab(clock)
    lab.script("groq", fault)
    env = lab.env("groq") | settings("groq", timeout=60)
    async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
        with pytest.raises(ProviderTimeoutError):
            await container.llm().generate("ping")
    assert clock.monotonic() == 60


def test_fault_table_entries_are_distinct() -> None:
    assert len(FAULTS) > 24
    assert all(name == fault.name for name, fault in FAULTS.items())
    assert len({fault.description for fault in FAULTS.values()}) == len(FAULTS)


@pytest.mark.parametrize("dialect", REPLIES)
def test_every_reply_that_is_called_json_is_json(dialect: str) -> None:
    replies = {
        fault: reply_to(dialect, fault) for fault in FAULTS if fault not in (*CONNECTION_FAULTS, *ALTERED_REPLIES)
    }
    replies["models"] = REPLIES[dialect]["models"]
    for reply in replies.values():
        if reply.headers.get("content-type") == "application/json":
            json.loads(reply.body)


@pytest.mark.parametrize("existing", VENDORS[:-1], ids=lambda vendor: vendor.dialect)
async def test_added_provider_answers_in_given_dialect(existing: Vendor) -> None:
    lab = FaultLab()
    lab.add("acme", existing.dialect)
    row = {
        "api_key_var": "ACME_API_KEY",
        "model_var": "ACME_MODEL",
        "base_url_var": "ACME_API_BASE",
        "default_base_url": "",
        "default_model": "acme-model",
        "provider_class": PROVIDER_SCHEMA[existing.row]["provider_class"],
        "dialect": existing.dialect,
        "max_retries": 0,
        "timeout": 5,
        "confidence_score": 0.5,
    }
    async with lab.client() as client, open_container(lab.env("acme"), http_client=client) as container:
        container.registry().register_provider("acme", row)
        response = await container.llm(provider="acme").generate("ping")
    assert lab.dialect("acme") == existing.dialect
    assert response.content == ANSWER
    assert [request.provider for request in lab.requests] == ["acme"]


def test_unknown_dialect_error_suggests_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'anthropic-messages'"):
        FaultLab().add("acme", "anthropic-mesages")


@pytest.mark.parametrize("over_a_socket", [False, True])
async def test_lab_counts_open_replies(over_a_socket: bool) -> None:
    lab = FaultLab()
    lab.script("groq", "stream_stall")

    async def open_stream(client: httpx.AsyncClient, address: str) -> None:
        async with client.stream("POST", lab.base_url("groq", address) + "/chat/completions", json={"stream": True}):
            assert lab.open_replies == 1

    async with asyncio.timeout(20), lab.serve() as address, httpx.AsyncClient() as outside, lab.client() as inside:
        await open_stream(outside if over_a_socket else inside, address if over_a_socket else IN_PROCESS)
        while lab.open_replies:  # noqa: ASYNC110 - the server sees the closing later
            await asyncio.sleep(0.001)
    assert len(lab.asked("groq")) == 1
