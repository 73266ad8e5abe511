"""Every fault of a stream against every dialect and commit point: an answer, or the documented type with what came.

No character is lost or doubled, no stream ends cleanly without its end, and nothing hangs.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from faultmaven import (
    LLMError,
    LLMResponse,
    Options,
    ProviderTimeoutError,
    StreamInterruptedError,
    open_container,
)
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FaultLab, VirtualClock, run_in_virtual_time
from faultmaven.testing.lab import ANSWER
from faultmaven.testing.lab.in_process import LabTransport
from faultmaven.testing.lab.reply import LabReply
from faultmaven.testing.lab.stream_replies import cut_stream
from faultmaven.testing.lab.streams import STREAMS

FAULTS = FaultLab.STREAM_FAULTS
COMMITS: list[Any] = ["none", "first_token", "sentence", 10, "whole"]
ROWS = {
    "openai-chat": "groq",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic",
    "gemini-generate-content": "gemini",
    "cohere-v2-chat": "cohere",
    "ollama-native": "ollama",
    "llamacpp-completion": "llamacpp",
    "tgi-generate": "tgi",
}


@pytest.fixture(params=sorted(ROWS))
def dialect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    if name == "openai-responses":
        monkeypatch.setitem(PROVIDER_SCHEMA, "openai", {**PROVIDER_SCHEMA["openai"], "dialect": name})
    return name


def healthy(row: str) -> str:
    return "anthropic" if row != "anthropic" else "mistral"


class Seen:
    """What a caller got: the text as it came, then the response or the error."""

    def __init__(self) -> None:
        self.text = ""
        self.response: LLMResponse | None = None
        self.error: LLMError | None = None

    @property
    def told(self) -> str:
        return (
            type(self.error).__name__ if self.error else f"{self.response.provider if self.response else ''} answered"
        )


async def stream(env: Mapping[str, str], transport: httpx.AsyncBaseTransport, clock: Any, options: Options) -> Seen:
    """Stream one prompt."""
    seen = Seen()
    async with (
        httpx.AsyncClient(transport=transport) as client,
        open_container(env, http_client=client, clock=clock) as container,
    ):
        try:
            async with container.llm().stream("ping", **options) as chunks:
                async for chunk in chunks:
                    seen.text += chunk.text or ""
            seen.response = chunks.response
        except LLMError as error:
            seen.error = error
    return seen


def settings(lab: FaultLab, *rows: str) -> dict[str, str]:
    chain = {"CHAT_PROVIDER": rows[0], "LLM_FALLBACK_CHAIN": ",".join(rows[1:])}
    return lab.env(*rows) | chain | {"LLM_REQUEST_TIMEOUT": "5", "LLM_MAX_RETRIES": "0"}


def in_process(fault: str, rows: list[str], options: Options | None = None) -> Seen:
    async def run() -> Seen:
        clock = VirtualClock()
        lab = FaultLab(clock)
        lab.always(rows[0], fault)
        return await stream(settings(lab, *rows), lab.transport(), clock, options or {})

    return run_in_virtual_time(run())


@pytest.mark.parametrize("fault", FAULTS)
def test_alone_a_fault_ends_in_its_documented_type(dialect: str, fault: str) -> None:
    seen, expected = in_process(fault, [ROWS[dialect]]), FAULTS[fault].error
    if expected is None:
        assert seen.told == f"{ROWS[dialect]} answered"
        assert seen.response is not None
        assert seen.text == seen.response.content
    else:
        assert isinstance(seen.error, expected)
        partial = seen.error.response.content if seen.error.response else ""
        assert partial == seen.text
        assert ANSWER.startswith(seen.text)
        assert seen.error.attempts[-1].outcome == type(seen.error).__name__


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("commit", COMMITS)
def test_with_a_fallback_a_fault_is_an_answer_or_what_the_caller_committed_to(
    dialect: str, fault: str, commit: Any
) -> None:
    row = ROWS[dialect]
    seen = in_process(fault, [row, healthy(row)], {"commit": commit})
    failing = FAULTS[fault].error is not None
    if not failing:
        assert seen.told == f"{row} answered"
    elif seen.error is None:
        assert (seen.told, seen.text) == (f"{healthy(row)} answered", ANSWER)
    else:
        assert commit != "whole"  # there, somebody else always answers
        assert ANSWER.startswith(seen.text)
        assert seen.text or commit == "none"


@pytest.mark.parametrize("commit", COMMITS)
def test_no_cut_loses_or_doubles_a_character(dialect: str, commit: Any) -> None:
    row, data = ROWS[dialect], b"".join(STREAMS[dialect].events)
    ends, places = 0, set[int]()
    for event in STREAMS[dialect].events:
        places |= {ends, ends + 1, ends + len(event) // 2, ends + len(event) - 1}
        ends += len(event)
    for place in sorted(place for place in places if place < len(data)):
        seen = run_in_virtual_time(_cut(dialect, row, place, commit))
        if seen.error is None:
            assert seen.text == ANSWER
            assert seen.response is not None
            assert seen.response.content == ANSWER
        else:
            assert isinstance(seen.error, StreamInterruptedError)
            assert ANSWER.startswith(seen.text)
            assert (seen.error.response.content if seen.error.response else "") == seen.text
            assert commit != "whole"


async def _cut(dialect: str, row: str, place: int, commit: Any) -> Seen:
    clock = VirtualClock()
    lab = FaultLab(clock)

    def respond(method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        if method == "POST" and target.startswith(f"/{row}/"):
            return cut_stream(dialect, place)
        return lab.respond(method, target, headers, body)

    rows = settings(lab, row, healthy(row))
    return await stream(rows, LabTransport(respond, clock), clock, {"commit": commit})


async def test_over_sockets_the_faults_end_in_the_same_types(dialect: str) -> None:
    row = ROWS[dialect]

    async def ask(fault: str) -> LLMError | None:
        lab = FaultLab()
        lab.always(row, fault)
        # Time is real here: only what has to run out of it gets little.
        seconds = "0.3" if FAULTS[fault].error is ProviderTimeoutError else "30"
        async with lab.serve() as address:
            env = lab.env(row, address=address) | {"LLM_REQUEST_TIMEOUT": seconds, "LLM_MAX_RETRIES": "0"}
            async with open_container(env) as container:
                try:
                    async with container.llm().stream("ping") as chunks:
                        async for _ in chunks:
                            pass
                except LLMError as error:
                    return error
        return None

    for fault, ended in zip(FAULTS, await asyncio.gather(*(ask(fault) for fault in FAULTS)), strict=True):
        assert isinstance(ended, FAULTS[fault].error or type(None)), fault


async def test_leaving_early_closes_the_connection_at_once() -> None:
    lab = FaultLab()
    lab.always("groq", "stream_stall")
    async with lab.serve() as address:
        env = lab.env("groq", address=address) | {"LLM_REQUEST_TIMEOUT": "30"}
        # The lab itself would say nothing for ever.
        async with asyncio.timeout(20), open_container(env) as container, container.llm().stream("ping") as chunks:
            async for _ in chunks:
                break
