"""Conversations that move from one vendor to another and back: every pair of dialects, against strict fake vendors."""

import itertools
from typing import Any

import pytest

from faultmaven import Container, LLMResponse, Message, Tool, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.testing import FaultLab
from faultmaven.testing.lab import ANSWER

WEATHER = Tool(
    "get_weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
ROWS = {
    "openai-chat": "groq",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic",
    "gemini-generate-content": "gemini",
    "cohere-v2-chat": "cohere",
    "ollama-native": "ollama",
}
REPLAY_SIGNATURES = {"openai-responses": "ENC1", "anthropic-messages": "EqQB1", "gemini-generate-content": "CrEB1"}
PAIRS = list(itertools.product(ROWS, repeat=2))


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> FaultLab:
    monkeypatch.setitem(PROVIDER_SCHEMA, "openai", {**PROVIDER_SCHEMA["openai"], "dialect": "openai-responses"})
    return FaultLab()


async def call_tools(
    container: Container, lab: FaultLab, row: str, messages: list[Message], *, stream: bool
) -> LLMResponse:
    """Return the response of provider `row` with two tool calls."""
    lab.script(row, "tool_calls")
    llm = container.llm(provider=row)
    if not stream:
        return await llm.generate(messages, tools=[WEATHER])
    async with llm.stream(messages, tools=[WEATHER]) as chunks:
        async for _ in chunks:
            pass
    return chunks.response


def results(response: LLMResponse) -> list[Message]:
    first, second = response.tool_calls
    return [Message.tool(first.id, '{"c":7}'), Message.tool(second.id, "no such station", error=True)]


@pytest.mark.parametrize("stream", [False, True], ids=["answer", "stream"])
@pytest.mark.parametrize(("first_dialect", "second_dialect"), PAIRS)
async def test_conversation_moves_to_other_dialect_and_back(
    lab: FaultLab, first_dialect: str, second_dialect: str, stream: bool
) -> None:
    first, second = ROWS[first_dialect], ROWS[second_dialect]
    async with lab.client() as client, open_container(lab.env(*ROWS.values()), http_client=client) as container:
        messages = [Message.system("Be terse."), Message.user("Weather in Oslo and Rome?")]
        response = await call_tools(container, lab, first, messages, stream=stream)
        assert [call.arguments for call in response.tool_calls] == [{"city": "Oslo"}, {"city": "Rome"}]
        messages += [response.message, *results(response)]
        second_response = await container.llm(provider=second).generate(messages, tools=[WEATHER])
        assert second_response.content == ANSWER
        messages += [second_response.message, Message.user("And tomorrow?")]
        second_tool_response = await call_tools(container, lab, second, messages, stream=stream)
        messages += [second_tool_response.message, *results(second_tool_response)]
        final_response = await container.llm(provider=first).generate(messages, tools=[WEATHER])
        assert final_response.content == ANSWER
    assert lab.refusals == []
    if first_dialect != second_dialect and response.replay is not None:
        notes = [note for attempt in second_response.attempts for note in attempt.notes]
        assert any(first in note and "left out" in note for note in notes), notes
    if first_dialect in REPLAY_SIGNATURES and not stream:
        # The first vendor receives the signature of its own reply unchanged.
        assert REPLAY_SIGNATURES[first_dialect] in lab.asked(first)[-1].body.decode()


@pytest.mark.parametrize("first_dialect", REPLAY_SIGNATURES)
async def test_edited_message_is_sent_without_signature(lab: FaultLab, first_dialect: str) -> None:
    row = ROWS[first_dialect]
    async with lab.client() as client, open_container(lab.env(row), http_client=client) as container:
        messages = [Message.user("Weather in Oslo and Rome?")]
        response = await call_tools(container, lab, row, messages, stream=False)
        message: Any = response.message
        edited = Message("assistant", ("I look.",), message.tool_calls, replay=message.replay)
        answer = await container.llm(provider=row).generate([*messages, edited, *results(response)], tools=[WEATHER])
    assert answer.content == ANSWER
    assert lab.refusals == []
    assert REPLAY_SIGNATURES[first_dialect] not in lab.asked(row)[-1].body.decode()
    assert any("edited" in note for note in answer.attempts[0].notes)
