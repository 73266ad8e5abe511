"""Every row of PROVIDER_SCHEMA passes the contract with its own dialect; a new row is included automatically."""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest
from pydantic import BaseModel

from faultmaven import (
    ContentBlockedError,
    EmptyAnswerError,
    Image,
    InvalidRequestError,
    LLMError,
    LLMProvider,
    Message,
    ProviderTimeoutError,
    StopReason,
    Tool,
    open_container,
)
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, BaseLLMProvider
from faultmaven.testing import FakeClock, FakeProvider, FaultLab, LLMProviderContract
from faultmaven.testing.contract.harness import ContractHarness, open_harness
from faultmaven.testing.lab import ANSWER

ROWS = list(PROVIDER_SCHEMA)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
WEATHER = Tool("get_weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


class Cause(BaseModel):
    summary: str
    exit_code: int


# Tested separately: timeouts need a short timeout, and an empty answer is legal when one provider is called directly.
TESTED_SEPARATELY = (ProviderTimeoutError, EmptyAnswerError, ContentBlockedError)


def documented_faults(row: str) -> Iterator[tuple[str, type[LLMError]]]:
    """Yield the documented faults of the vendor behind `row`, each with the expected error type."""
    lab = FaultLab()
    for fault in lab.FAULTS.values():
        expected = fault.error_in(lab.dialect(row))
        if expected is not None and expected not in TESTED_SEPARATELY and lab.documents(row, fault.name):
            yield fault.name, expected


DOCUMENTED_FAULTS = [
    pytest.param(row, fault, expected, id=f"{row}-{fault}")
    for row in ROWS
    for fault, expected in documented_faults(row)
]


@pytest.fixture
def lab() -> FaultLab:
    return FaultLab()


@pytest.fixture(params=ROWS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def provider(name: str, lab: FaultLab) -> AsyncIterator[LLMProvider]:
    env = lab.env(name) | {"LLM_REQUEST_TIMEOUT": "5"}
    async with lab.client() as client, open_container(env, http_client=client) as container:
        yield container.registry().get_provider(name)


class TestContractOfEveryRow(LLMProviderContract):
    """The contract suite for the provider of every row."""

    @pytest.fixture
    def bench(self, name: str) -> Iterator[ContractHarness]:
        with open_harness(name, PROVIDER_SCHEMA[name]) as harness:
            yield harness

    @pytest.fixture
    def provider(self, bench: ContractHarness) -> LLMProvider:
        return bench.provider


class TestEveryRow:
    """Further behaviour of every built-in row, tested on the provider of a container."""

    async def test_response_holds_the_vendor_answer(self, provider: LLMProvider, name: str) -> None:
        response = await provider.generate("ping")
        assert response.content == ANSWER
        assert response.stop_reason is StopReason.STOP
        assert response.provider == name
        assert response.confidence == PROVIDER_SCHEMA[name]["confidence_score"]
        assert response.raw is not None

    async def test_usage_matches_the_vendor_total(self, provider: LLMProvider, name: str) -> None:
        # Every sample of the lab counts 42 tokens; TGI's native route counts no prompt tokens.
        response = await provider.generate("ping")
        assert response.usage is not None
        assert response.tokens_used == (None if name == "tgi" else 42)

    async def test_stream_holds_the_vendor_answer(self, provider: LLMProvider, name: str) -> None:
        texts = []
        async with provider.stream("ping") as stream:
            async for chunk in stream:
                texts.append(chunk.text or "")
        assert len([text for text in texts if text]) > 1
        assert "".join(texts) == stream.response.content == ANSWER
        assert stream.response.stop_reason is StopReason.STOP
        (line,) = stream.response.attempts
        assert (line.provider, line.outcome) == (name, "answered")
        assert line.time_to_first_token is not None

    async def test_tools_are_called_or_refused_before_sending(
        self, provider: LLMProvider, lab: FaultLab, name: str
    ) -> None:
        lab.always(name, "tool_calls")
        features = cast("BaseLLMProvider", provider).features
        if "tools" not in features:
            with pytest.raises(InvalidRequestError, match="tools"):
                await provider.generate("weather?", tools=[WEATHER])
            assert lab.asked(name) == []
            return
        response = await provider.generate("weather?", tools=[WEATHER])
        assert [call.arguments for call in response.tool_calls] == [{"city": "Oslo"}, {"city": "Rome"}]
        assert response.stop_reason is StopReason.TOOL_CALLS
        assert b"get_weather" in lab.asked(name)[-1].body
        async with provider.stream("weather?", tools=[WEATHER]) as stream:
            async for _ in stream:
                pass
        assert [call.arguments for call in stream.response.tool_calls] == [{"city": "Oslo"}, {"city": "Rome"}]

    async def test_schema_is_sent_or_refused_before_sending(
        self, provider: LLMProvider, lab: FaultLab, name: str
    ) -> None:
        try:
            await provider.generate("why?", response_format=Cause)
        except InvalidRequestError:
            assert lab.asked(name) == []
        else:
            assert b"exit_code" in lab.asked(name)[-1].body

    async def test_image_is_sent_or_refused_before_sending(
        self, provider: LLMProvider, lab: FaultLab, name: str
    ) -> None:
        message = Message.user("what is this?", Image.from_bytes(PNG, "image/png"))
        try:
            await provider.generate([message])
        except InvalidRequestError:
            assert lab.asked(name) == []
        else:
            assert b64encode(PNG) in lab.asked(name)[-1].body

    async def test_provider_sends_only_own_key(self, provider: LLMProvider, lab: FaultLab, name: str) -> None:
        await provider.generate("ping")
        sent = lab.asked(name)[-1]
        assert sent.method == "POST"
        assert any(f"lab-key-{name}" in value for value in sent.headers.values())
        assert "lab-key" not in sent.path
        assert lab.asked(name) == lab.requests

    @pytest.mark.parametrize(("name", "fault", "expected"), DOCUMENTED_FAULTS, indirect=["name"])
    async def test_vendor_fault_raises_documented_error_type(
        self, provider: LLMProvider, lab: FaultLab, name: str, fault: str, expected: type[LLMError]
    ) -> None:
        lab.script(name, *[fault] * 5)  # a local server is tried over several routes
        with pytest.raises(expected) as caught:
            await provider.generate("ping")
        assert type(caught.value) is expected
        assert caught.value.provider == name
        assert [line.outcome for line in caught.value.attempts] == [expected.__name__]

    async def test_empty_answer_is_legal_without_router(self, provider: LLMProvider, lab: FaultLab, name: str) -> None:
        lab.script(name, "empty")
        assert (await provider.generate("ping")).content == ""

    async def test_silent_vendor_ends_at_attempt_timeout(self, name: str) -> None:
        clock = FakeClock()
        lab = FaultLab(clock)
        env = lab.env(name) | {"LLM_REQUEST_TIMEOUT": "5"}
        async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
            lab.script(name, "silent")
            with pytest.raises(ProviderTimeoutError) as caught:
                await container.registry().get_provider(name).generate("ping")
        assert caught.value.phase == "first byte"
        assert clock.monotonic() == 5

    async def test_router_falls_back_after_each_fault(self, name: str) -> None:
        clock = FakeClock()
        lab = FaultLab(clock)
        other = "groq" if name != "groq" else "openai"
        env = lab.env(name, other) | {"CHAT_PROVIDER": name, "LLM_REQUEST_TIMEOUT": "5", "LLM_MAX_RETRIES": "0"}
        env["LLM_BREAKER_WINDOW"] = "0"  # many failures on purpose
        async with lab.client() as client, open_container(env, http_client=client, clock=clock) as container:
            for fault in ("refused", "html", "truncated_json", "empty", "unauthorized", "server_error", "silent"):
                lab.script(name, fault)
                response = await container.llm().generate("ping")
                assert response.provider == other, fault
                assert [line.kept for line in response.attempts] == [False, True]


class TestFake(LLMProviderContract):
    """The contract suite for the fake provider."""

    @pytest.fixture
    def provider(self) -> LLMProvider:
        return FakeProvider("an answer")
