"""The rows `local` and `llamacpp` against a real llama.cpp server, whose answers are nonsense and whose counts are not.

llama-cpp-python's server has OpenAI's routes only, seen in 0.3.36: everything else, `/completion` too, is a 404 with
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
# What each row asks before it has found the chat route. No model is set, so the first of the list is used.
FINDING = {"local": [LIST, CHAT], "llamacpp": [("POST", "/completion", 404), LIST, CHAT]}

QUESTION = "Why is the pod down?"

both_rows = pytest.mark.parametrize("row", ["local", "llamacpp"])


class Exchanges:
    """Every exchange with the server: method, path and status, and the bodies that were sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self.bodies: list[dict[str, Any]] = []

    async def keep(self, response: httpx.Response) -> None:
        """Keep one exchange; httpx calls this when the headers are there."""
        self.seen.append((response.request.method, response.request.url.path, response.status_code))
        self.bodies.append(json.loads(response.request.content or b"{}"))


class Asking:
    """One opened container: `generate` with a stable answer, and the exchanges it made."""

    def __init__(self, container: Container, exchanges: Exchanges) -> None:
        self.container = container
        self.llm = container.llm()
        self.exchanges = exchanges

    async def generate(self, prompt: Any = QUESTION, max_tokens: int | None = 16, **options: Any) -> LLMResponse:
        """Ask with temperature 0, where a model of random weights always says the same."""
        return await self.llm.generate(prompt, max_tokens=max_tokens, temperature=0.0, **options)


@asynccontextmanager
async def asking(row: str, address: str, **variables: str) -> AsyncIterator[Asking]:
    """Open a container in which `row` lives at `address` and nothing else is configured."""
    exchanges = Exchanges()
    async with (
        httpx.AsyncClient(event_hooks={"response": [exchanges.keep]}, trust_env=False) as client,
        open_container({ADDRESS_VARIABLES[row]: address, **variables}, http_client=client) as container,
    ):
        yield Asking(container, exchanges)


@both_rows
async def test_cut_answer_has_real_text_counts_and_stop_reason(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        response = await ask.generate(max_tokens=16)
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
async def test_buckets_add_up_to_what_the_server_counted(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        response = await ask.generate()
    counted = response.raw["usage"]
    assert response.usage is not None
    assert response.usage.input == counted["prompt_tokens"]
    assert response.usage.output == counted["completion_tokens"]
    assert response.usage.total == response.tokens_used == counted["total_tokens"]


@both_rows
async def test_route_is_found_once_and_remembered(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        first = await ask.generate()
        assert ask.exchanges.seen == FINDING[row]
        second = await ask.generate()
        assert ask.exchanges.seen == [*FINDING[row], CHAT]
    assert second.content == first.content


@both_rows
async def test_calls_at_once_share_one_finding(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        answers = await asyncio.gather(*(ask.generate() for _ in range(4)))
        assert ask.exchanges.seen == [*FINDING[row], CHAT, CHAT, CHAT]
    assert len({answer.content for answer in answers}) == 1


@both_rows
async def test_base_may_carry_the_version_path(row: str, server: str) -> None:
    async with asking(row, f"{server}/v1") as ask:
        response = await ask.generate()
        assert ask.exchanges.seen == FINDING[row]
    assert response.content.strip()


@both_rows
async def test_conversation_goes_straight_to_the_chat_route(row: str, server: str) -> None:
    """A route without turns is not even asked for a conversation, and the server's own template counts every turn."""
    turns = [
        Message.system("You read logs."),
        Message.user(QUESTION),
        Message.assistant("The memory limit."),
        Message.user("And the node?"),
    ]
    async with asking(row, server) as ask:
        response = await ask.generate(turns)
        assert ask.exchanges.seen == [LIST, CHAT]
        roles = [message["role"] for message in ask.exchanges.bodies[-1]["messages"]]
        assert roles == ["system", "user", "assistant", "user"]
        whole = response.usage
        last = (await ask.generate(turns[-1:])).usage
    assert whole is not None
    assert last is not None
    assert whole.input is not None
    assert last.input is not None
    # The three other turns are at least as many tokens as they have words, 15 with their roles.
    assert whole.input >= last.input + 15


@both_rows
async def test_system_text_reaches_the_model(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        plain = await ask.generate([Message.user(QUESTION)])
        told = await ask.generate([Message.system("because memory again restart"), Message.user(QUESTION)])
    assert told.content != plain.content
    assert told.raw["usage"]["prompt_tokens"] > plain.raw["usage"]["prompt_tokens"]


@both_rows
async def test_stop_word_ends_the_answer(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        whole = await ask.generate(max_tokens=32)
        word = whole.content.split()[3]
        stopped = await ask.generate(max_tokens=32, stop=word)
    assert stopped.stop_reason is StopReason.STOP
    assert stopped.content == whole.content.partition(word)[0]
    assert stopped.content.strip()


@both_rows
async def test_prompt_beyond_the_context_is_a_context_length_error(row: str, server: str) -> None:
    """The server says 400 with the code `context_length_exceeded`; its prose holds the two counts."""
    async with asking(row, server) as ask:
        with pytest.raises(ContextLengthError) as caught:
            await ask.generate("xy" * 1500)
    assert caught.value.status == 400
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.provider == row
    assert caught.value.model == "tiny-random"
    assert "2048" in caught.value.vendor_message
    assert "xyxy" not in str(caught.value)


@both_rows
async def test_wrong_path_is_a_wrong_endpoint_that_names_the_variable(row: str, server: str) -> None:
    async with asking(row, f"{server}/api/v9") as ask:
        with pytest.raises(WrongEndpointError) as caught:
            await ask.generate()
        assert {status for _, _, status in ask.exchanges.seen} == {404}
    assert caught.value.status == 404
    assert [line.status for line in caught.value.attempts] == [404]
    assert ADDRESS_VARIABLES[row] in str(caught.value)


@both_rows
async def test_wrong_path_is_not_remembered(row: str, server: str) -> None:
    """Only success is: two calls to a wrong path ask the same routes twice."""
    async with asking(row, f"{server}/api/v9") as ask:
        for _ in range(2):
            with pytest.raises(WrongEndpointError):
                await ask.generate()
        half = len(ask.exchanges.seen) // 2
        assert ask.exchanges.seen[:half] == ask.exchanges.seen[half:]


@both_rows
async def test_list_of_models_is_the_servers_own(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        provider = ask.container.registry().get_provider(row)
        assert isinstance(provider, LocalProvider)
        assert await provider.list_models(10.0) == ["tiny-random"]
        assert ask.exchanges.seen == [LIST]


async def test_key_is_sent_and_a_wrong_one_refused(start_server: Callable[..., AbstractContextManager[str]]) -> None:
    with start_server("--api_key", "right-key") as address:
        async with asking("local", address, LOCAL_LLM_API_KEY="right-key") as ask:
            assert (await ask.generate()).content.strip()
        async with asking("local", address, LOCAL_LLM_API_KEY="wrong-key") as ask:
            with pytest.raises(AuthenticationError, match="LOCAL_LLM_API_KEY") as caught:
                await ask.generate()
    assert caught.value.status == 401
    assert "wrong-key" not in str(caught.value)


@both_rows
async def test_stopped_server_is_refused_connection(
    row: str, start_server: Callable[..., AbstractContextManager[str]]
) -> None:
    with start_server() as address:
        async with asking(row, address) as ask:
            assert (await ask.generate()).content.strip()
    async with asking(row, address) as ask:
        with pytest.raises(ProviderUnavailableError, match="refused") as caught:
            await ask.generate()
    assert caught.value.phase == "connect"
    assert ADDRESS_VARIABLES[row] in str(caught.value)


@both_rows
async def test_stream_is_the_answer_in_pieces(row: str, server: str) -> None:
    """The pieces come one by one, the last ones with how it ended and what it cost; together they are the answer."""
    async with asking(row, server) as ask:
        whole = await ask.generate(max_tokens=32)
        async with ask.llm.stream(QUESTION, max_tokens=32, temperature=0.0) as stream:
            texts = [chunk.text async for chunk in stream if chunk.text]
        assert ask.exchanges.bodies[-1]["stream"] is True
    assert len(texts) > 5
    assert "".join(texts) == stream.response.content == whole.content
    assert stream.response.stop_reason is StopReason.MAX_TOKENS
    assert stream.response.provider == row


@both_rows
async def test_stream_that_is_left_leaves_the_server_free(row: str, server: str) -> None:
    async with asking(row, server) as ask:
        async with ask.llm.stream(QUESTION, max_tokens=1500, temperature=0.0) as stream:
            async for chunk in stream:
                if chunk.text:
                    break
        async with asyncio.timeout(20):
            assert (await ask.generate()).content.strip()


class Restart(pydantic.BaseModel):
    """What to restart; every field is bounded, so that a model of random weights comes to an end."""

    pod: Literal["api", "worker"]
    force: bool


@pytest.mark.parametrize("streamed", [False, True])
async def test_schema_binds_a_model_that_knows_nothing(server: str, streamed: bool) -> None:
    """Its weights are random: only the server's grammar can make this JSON."""
    async with asking("llamacpp", server) as ask:
        if streamed:
            async with ask.llm.stream(QUESTION, response_format=Restart, max_tokens=200, temperature=0.0) as stream:
                async for _ in stream:
                    pass
            response = stream.response
        else:
            response = await ask.generate(response_format=Restart, max_tokens=200)
    assert isinstance(response.parsed, Restart)
    assert json.loads(response.content) == response.parsed.model_dump()
