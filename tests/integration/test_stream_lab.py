"""Every stream fault against every dialect and commit point.

A stream ends with an answer, or with the documented error and the partial answer. No character is lost or doubled, no
incomplete stream ends without an error, and no stream hangs.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from faultmaven import LLMError, LLMResponse, Options, ProviderTimeoutError, StreamInterruptedError, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FaultLab, VirtualClock, run_in_virtual_time
from faultmaven.testing.lab import ANSWER
from faultmaven.testing.lab.in_process import LabTransport
from faultmaven.testing.lab.replies.stream_replies import cut_stream
from faultmaven.testing.lab.replies.streams import STREAMS
from faultmaven.testing.lab.reply import LabReply

FAULTS = FaultLab.STREAM_FAULTS
COMMIT_POINTS: list[Any] = ["none", "first_token", "sentence", 10, "whole"]
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


class StreamResult:
    """The text that a stream yielded, and the response or the error at the end."""

    def __init__(self) -> None:
        self.text = ""
        self.response: LLMResponse | None = None
        self.error: LLMError | None = None

    @property
    def outcome(self) -> str:
        return (
            type(self.error).__name__ if self.error else f"{self.response.provider if self.response else ''} answered"
        )


async def stream(
    env: Mapping[str, str], transport: httpx.AsyncBaseTransport, clock: Any, options: Options
) -> StreamResult:
    """Stream the answer to one prompt."""
    result = StreamResult()
    async with (
        httpx.AsyncClient(transport=transport) as client,
        open_container(env, http_client=client, clock=clock) as container,
    ):
        try:
            async with container.llm().stream("ping", **options) as chunks:
                async for chunk in chunks:
                    result.text += chunk.text or ""
            result.response = chunks.response
        except LLMError as error:
            result.error = error
    return result


def settings(lab: FaultLab, *rows: str) -> dict[str, str]:
    chain = {"CHAT_PROVIDER": rows[0], "LLM_FALLBACK_CHAIN": ",".join(rows[1:])}
    return lab.env(*rows) | chain | {"LLM_REQUEST_TIMEOUT": "5", "LLM_MAX_RETRIES": "0"}


def in_process(fault: str, rows: list[str], options: Options | None = None) -> StreamResult:
    async def run() -> StreamResult:
        clock = VirtualClock()
        lab = FaultLab(clock)
        lab.always(rows[0], fault)
        return await stream(settings(lab, *rows), lab.transport(), clock, options or {})

    return run_in_virtual_time(run())


@pytest.mark.parametrize("fault", FAULTS)
def test_lone_provider_stream_fault_has_documented_outcome(dialect: str, fault: str) -> None:
    result, expected = in_process(fault, [ROWS[dialect]]), FAULTS[fault].error
    if expected is None:
        assert result.outcome == f"{ROWS[dialect]} answered"
        assert result.response is not None
        assert result.text == result.response.content
    else:
        assert isinstance(result.error, expected)
        partial = result.error.response.content if result.error.response else ""
        assert partial == result.text
        assert ANSWER.startswith(result.text)
        assert result.error.attempts[-1].outcome == type(result.error).__name__


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("commit", COMMIT_POINTS)
def test_fallback_answers_unless_text_was_committed(dialect: str, fault: str, commit: Any) -> None:
    row = ROWS[dialect]
    result = in_process(fault, [row, healthy(row)], {"commit": commit})
    failing = FAULTS[fault].error is not None
    if not failing:
        assert result.outcome == f"{row} answered"
    elif result.error is None:
        assert (result.outcome, result.text) == (f"{healthy(row)} answered", ANSWER)
    else:
        assert commit != "whole"  # with this commit point the fallback always answers
        assert ANSWER.startswith(result.text)
        assert result.text or commit == "none"


@pytest.mark.parametrize("commit", COMMIT_POINTS)
def test_cut_stream_keeps_every_character_once(dialect: str, commit: Any) -> None:
    row, data = ROWS[dialect], b"".join(STREAMS[dialect].events)
    end, positions = 0, set[int]()
    for event in STREAMS[dialect].events:
        positions |= {end, end + 1, end + len(event) // 2, end + len(event) - 1}
        end += len(event)
    for position in sorted(position for position in positions if position < len(data)):
        result = run_in_virtual_time(_stream_with_cut(dialect, row, position, commit))
        if result.error is None:
            assert result.text == ANSWER
            assert result.response is not None
            assert result.response.content == ANSWER
        else:
            assert isinstance(result.error, StreamInterruptedError)
            assert ANSWER.startswith(result.text)
            assert (result.error.response.content if result.error.response else "") == result.text
            assert commit != "whole"


async def _stream_with_cut(dialect: str, row: str, position: int, commit: Any) -> StreamResult:
    clock = VirtualClock()
    lab = FaultLab(clock)

    def respond(method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        if method == "POST" and target.startswith(f"/{row}/"):
            return cut_stream(dialect, position)
        return lab.respond(method, target, headers, body)

    rows = settings(lab, row, healthy(row))
    return await stream(rows, LabTransport(respond, clock), clock, {"commit": commit})


async def test_socket_stream_faults_raise_documented_errors(dialect: str) -> None:
    row = ROWS[dialect]

    async def stream_error(fault: str) -> LLMError | None:
        lab = FaultLab()
        lab.always(row, fault)
        # The time is real: only the faults that must time out get a short timeout.
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

    for fault, error in zip(FAULTS, await asyncio.gather(*(stream_error(fault) for fault in FAULTS)), strict=True):
        assert isinstance(error, FAULTS[fault].error or type(None)), fault


async def test_leaving_stream_early_closes_connection() -> None:
    lab = FaultLab()
    lab.always("groq", "stream_stall")
    async with lab.serve() as address:
        env = lab.env("groq", address=address) | {"LLM_REQUEST_TIMEOUT": "30"}
        # The lab would keep the stream open forever.
        async with asyncio.timeout(20), open_container(env) as container, container.llm().stream("ping") as chunks:
            async for _ in chunks:
                break
