"""Tests of the rows `local` and `llamacpp` with a real llama.cpp server: random answers, but real token counts.

The server of llama-cpp-python 0.3.36 has OpenAI's routes only: every other path, `/completion` too, is a 404 with
`{"detail":"Not Found"}`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Literal

import httpx
import pydantic
import pytest

from faultmaven import (
    AuthenticationError,
    Container,
    ContextLengthError,
    LLMResponse,
    Message,
    ProviderUnavailableError,
    StopReason,
    WrongEndpointError,
    open_container,
)
from faultmaven.infrastructure.llm.providers import LocalProvider

ADDRESS_VARIABLES = {"local": "LOCAL_LLM_BASE_URL", "llamacpp": "LLAMACPP_API_BASE"}
CHAT = ("POST", "/v1/chat/completions", 200)
LIST = ("GET", "/v1/models", 200)
# The requests of each row until the chat route is detected. No model is set, so the first of the list is used.
DETECTION = {"local": [LIST, CHAT], "llamacpp": [("POST", "/completion", 404), LIST, CHAT]}

QUESTION = "Why is the pod down?"

both_rows = pytest.mark.parametrize("row", ["local", "llamacpp"])


class Exchanges:
    """Recorder of the exchanges with the server: method, path and status, and the request bodies."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self.bodies: list[dict[str, Any]] = []

    async def record(self, response: httpx.Response) -> None:
        """Record one exchange; httpx calls this hook when the response headers have arrived."""
        self.seen.append((response.request.method, response.request.url.path, response.status_code))
        self.bodies.append(json.loads(response.request.content or b"{}"))


class OpenedContainer:
    """An opened container: `generate` with a reproducible answer, and the recorded exchanges."""

    def __init__(self, container: Container, exchanges: Exchanges) -> None:
        self.container = container
        self.llm = container.llm()
        self.exchanges = exchanges

    async def generate(self, prompt: Any = QUESTION, max_tokens: int | None = 16, **options: Any) -> LLMResponse:
        """Call with temperature 0, at which a model with random weights always returns the same text."""
        return await self.llm.generate(prompt, max_tokens=max_tokens, temperature=0.0, **options)


@asynccontextmanager
async def open_row(row: str, address: str, **variables: str) -> AsyncIterator[OpenedContainer]:
    """Open a container in which only `row` is configured, with the server at `address`."""
    exchanges = Exchanges()
    async with (
        httpx.AsyncClient(event_hooks={"response": [exchanges.record]}, trust_env=False) as client,
        open_container({ADDRESS_VARIABLES[row]: address, **variables}, http_client=client) as container,
    ):
        yield OpenedContainer(container, exchanges)


@both_rows
async def test_cut_answer_has_usage_and_stop_reason(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        response = await opened.generate(max_tokens=16)
    assert response.provider == row
    assert response.model == "tiny-random"
    assert response.content.strip()
    assert response.stop_reason is StopReason.MAX_TOKENS
    assert response.usage is not None
    # "user: Why is the pod down?\nassistant:" is read as bytes and a few words: more tokens than words.
    assert response.usage.input is not None
    assert response.usage.input > 10
    assert response.usage.output == 16


@both_rows
async def test_usage_matches_the_server_counts(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        response = await opened.generate()
    counted = response.raw["usage"]
    assert response.usage is not None
    assert response.usage.input == counted["prompt_tokens"]
    assert response.usage.output == counted["completion_tokens"]
    assert response.usage.total == response.tokens_used == counted["total_tokens"]


@both_rows
async def test_route_is_detected_once_and_cached(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        first = await opened.generate()
        assert opened.exchanges.seen == DETECTION[row]
        second = await opened.generate()
        assert opened.exchanges.seen == [*DETECTION[row], CHAT]
    assert second.content == first.content


@both_rows
async def test_concurrent_calls_share_one_detection(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        answers = await asyncio.gather(*(opened.generate() for _ in range(4)))
        assert opened.exchanges.seen == [*DETECTION[row], CHAT, CHAT, CHAT]
    assert len({answer.content for answer in answers}) == 1


@both_rows
async def test_base_url_may_contain_version_path(row: str, server: str) -> None:
    async with open_row(row, f"{server}/v1") as opened:
        response = await opened.generate()
        assert opened.exchanges.seen == DETECTION[row]
    assert response.content.strip()


@both_rows
async def test_conversation_uses_only_the_chat_route(row: str, server: str) -> None:
    """A conversation skips the routes without turns, and the server's chat template counts every turn."""
    turns = [
        Message.system("You read logs."),
        Message.user(QUESTION),
        Message.assistant("The memory limit."),
        Message.user("And the node?"),
    ]
    async with open_row(row, server) as opened:
        response = await opened.generate(turns)
        assert opened.exchanges.seen == [LIST, CHAT]
        roles = [message["role"] for message in opened.exchanges.bodies[-1]["messages"]]
        assert roles == ["system", "user", "assistant", "user"]
        whole = response.usage
        last = (await opened.generate(turns[-1:])).usage
    assert whole is not None
    assert last is not None
    assert whole.input is not None
    assert last.input is not None
    # The three other turns have 15 words with the roles, so at least 15 tokens.
    assert whole.input >= last.input + 15


@both_rows
async def test_system_text_reaches_the_model(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        plain = await opened.generate([Message.user(QUESTION)])
        instructed = await opened.generate([Message.system("because memory again restart"), Message.user(QUESTION)])
    assert instructed.content != plain.content
    assert instructed.raw["usage"]["prompt_tokens"] > plain.raw["usage"]["prompt_tokens"]


@both_rows
async def test_stop_sequence_ends_the_answer(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        whole = await opened.generate(max_tokens=32)
        word = whole.content.split()[3]
        stopped = await opened.generate(max_tokens=32, stop=word)
    assert stopped.stop_reason is StopReason.STOP
    assert stopped.content == whole.content.partition(word)[0]
    assert stopped.content.strip()


@both_rows
async def test_too_long_prompt_raises_context_length_error(row: str, server: str) -> None:
    """The server returns 400 with the code `context_length_exceeded`; the message has both token counts."""
    async with open_row(row, server) as opened:
        with pytest.raises(ContextLengthError) as caught:
            await opened.generate("xy" * 1500)
    assert caught.value.status == 400
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.provider == row
    assert caught.value.model == "tiny-random"
    assert "2048" in caught.value.vendor_message
    assert "xyxy" not in str(caught.value)


@both_rows
async def test_wrong_path_error_names_the_variable(row: str, server: str) -> None:
    async with open_row(row, f"{server}/api/v9") as opened:
        with pytest.raises(WrongEndpointError) as caught:
            await opened.generate()
        assert {status for _, _, status in opened.exchanges.seen} == {404}
    assert caught.value.status == 404
    assert [line.status for line in caught.value.attempts] == [404]
    assert ADDRESS_VARIABLES[row] in str(caught.value)


@both_rows
async def test_wrong_path_is_not_cached(row: str, server: str) -> None:
    """Only a detected route is cached: two calls to a wrong path try the same routes twice."""
    async with open_row(row, f"{server}/api/v9") as opened:
        for _ in range(2):
            with pytest.raises(WrongEndpointError):
                await opened.generate()
        half = len(opened.exchanges.seen) // 2
        assert opened.exchanges.seen[:half] == opened.exchanges.seen[half:]


@both_rows
async def test_model_list_comes_from_the_server(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        provider = opened.container.registry().get_provider(row)
        assert isinstance(provider, LocalProvider)
        assert await provider.list_models(10.0) == ["tiny-random"]
        assert opened.exchanges.seen == [LIST]


async def test_key_is_sent_and_wrong_key_refused(start_server: Callable[..., AbstractContextManager[str]]) -> None:
    with start_server("--api_key", "right-key") as address:
        async with open_row("local", address, LOCAL_LLM_API_KEY="right-key") as opened:
            assert (await opened.generate()).content.strip()
        async with open_row("local", address, LOCAL_LLM_API_KEY="wrong-key") as opened:
            with pytest.raises(AuthenticationError, match="LOCAL_LLM_API_KEY") as caught:
                await opened.generate()
    assert caught.value.status == 401
    assert "wrong-key" not in str(caught.value)


@both_rows
async def test_stopped_server_raises_provider_unavailable_error(
    row: str, start_server: Callable[..., AbstractContextManager[str]]
) -> None:
    with start_server() as address:
        async with open_row(row, address) as opened:
            assert (await opened.generate()).content.strip()
    async with open_row(row, address) as opened:
        with pytest.raises(ProviderUnavailableError, match="refused") as caught:
            await opened.generate()
    assert caught.value.phase == "connect"
    assert ADDRESS_VARIABLES[row] in str(caught.value)


@both_rows
async def test_stream_chunks_form_the_whole_answer(row: str, server: str) -> None:
    """Chunks arrive one by one, the last ones with stop reason and usage; the texts add up to the answer."""
    async with open_row(row, server) as opened:
        whole = await opened.generate(max_tokens=32)
        async with opened.llm.stream(QUESTION, max_tokens=32, temperature=0.0) as stream:
            texts = [chunk.text async for chunk in stream if chunk.text]
        assert opened.exchanges.bodies[-1]["stream"] is True
    assert len(texts) > 5
    assert "".join(texts) == stream.response.content == whole.content
    assert stream.response.stop_reason is StopReason.MAX_TOKENS
    assert stream.response.provider == row


@both_rows
async def test_abandoned_stream_frees_the_server(row: str, server: str) -> None:
    async with open_row(row, server) as opened:
        async with opened.llm.stream(QUESTION, max_tokens=1500, temperature=0.0) as stream:
            async for chunk in stream:
                if chunk.text:
                    break
        async with asyncio.timeout(20):
            assert (await opened.generate()).content.strip()


class Restart(pydantic.BaseModel):
    """A restart. Every field is bounded, so that the answer of a model with random weights ends."""

    pod: Literal["api", "worker"]
    force: bool


@pytest.mark.parametrize("streamed", [False, True])
async def test_schema_constrains_a_random_model(server: str, streamed: bool) -> None:
    """The weights are random, so only the server's grammar can produce this JSON."""
    async with open_row("llamacpp", server) as opened:
        if streamed:
            async with opened.llm.stream(QUESTION, response_format=Restart, max_tokens=200, temperature=0.0) as stream:
                async for _ in stream:
                    pass
            response = stream.response
        else:
            response = await opened.generate(response_format=Restart, max_tokens=200)
    assert isinstance(response.parsed, Restart)
    assert json.loads(response.content) == response.parsed.model_dump()
