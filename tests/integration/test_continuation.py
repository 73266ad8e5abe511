"""A conversation begun on one vendor goes on at another, and back: over all pairs of dialects, with strict vendors."""

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
SIGNED = {"openai-responses": "ENC1", "anthropic-messages": "EqQB1", "gemini-generate-content": "CrEB1"}
PAIRS = list(itertools.product(ROWS, repeat=2))


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> FaultLab:
    monkeypatch.setitem(PROVIDER_SCHEMA, "openai", {**PROVIDER_SCHEMA["openai"], "dialect": "openai-responses"})
    return FaultLab()


async def called(container: Container, lab: FaultLab, row: str, turns: list[Message], *, stream: bool) -> LLMResponse:
    """Let `row` call its two tools."""
    lab.script(row, "tool_calls")
    llm = container.llm(provider=row)
    if not stream:
        return await llm.generate(turns, tools=[WEATHER])
    async with llm.stream(turns, tools=[WEATHER]) as chunks:
        async for _ in chunks:
            pass
    return chunks.response


def results(response: LLMResponse) -> list[Message]:
    first, second = response.tool_calls
    return [Message.tool(first.id, '{"c":7}'), Message.tool(second.id, "no such station", error=True)]


@pytest.mark.parametrize("stream", [False, True], ids=["answer", "stream"])
@pytest.mark.parametrize(("begun", "continued"), PAIRS)
async def test_it_goes_on_elsewhere_and_comes_back(lab: FaultLab, begun: str, continued: str, stream: bool) -> None:
    first, second = ROWS[begun], ROWS[continued]
    async with lab.client() as client, open_container(lab.env(*ROWS.values()), http_client=client) as container:
        turns = [Message.system("Be terse."), Message.user("Weather in Oslo and Rome?")]
        response = await called(container, lab, first, turns, stream=stream)
        assert [call.arguments for call in response.tool_calls] == [{"city": "Oslo"}, {"city": "Rome"}]
        turns += [response.message, *results(response)]
        elsewhere = await container.llm(provider=second).generate(turns, tools=[WEATHER])
        assert elsewhere.content == ANSWER
        turns += [elsewhere.message, Message.user("And tomorrow?")]
        again = await called(container, lab, second, turns, stream=stream)
        turns += [again.message, *results(again)]
        home = await container.llm(provider=first).generate(turns, tools=[WEATHER])
        assert home.content == ANSWER
    assert lab.refusals == []
    if begun != continued and response.replay is not None:
        told = [note for line in elsewhere.attempts for note in line.notes]
        assert any(first in note and "left out" in note for note in told), told
    if begun in SIGNED and not stream:
        assert SIGNED[begun] in lab.asked(first)[-1].body.decode()  # home again, its own signature is there unchanged


@pytest.mark.parametrize("begun", SIGNED)
async def test_an_edited_turn_goes_home_without_its_signature(lab: FaultLab, begun: str) -> None:
    row = ROWS[begun]
    async with lab.client() as client, open_container(lab.env(row), http_client=client) as container:
        turns = [Message.user("Weather in Oslo and Rome?")]
        response = await called(container, lab, row, turns, stream=False)
        message: Any = response.message
        edited = Message("assistant", ("I look.",), message.tool_calls, replay=message.replay)
        answer = await container.llm(provider=row).generate([*turns, edited, *results(response)], tools=[WEATHER])
    assert answer.content == ANSWER
    assert lab.refusals == []
    assert SIGNED[begun] not in lab.asked(row)[-1].body.decode()
    assert any("edited" in note for note in answer.attempts[0].notes)
