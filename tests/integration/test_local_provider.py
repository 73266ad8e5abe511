"""`local` finds out once what its server speaks, and remembers it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from faultmaven import (
    ConfigurationError,
    Container,
    LLMResponse,
    Message,
    ModelNotFoundError,
    ProviderUnavailableError,
    StopReason,
    WrongEndpointError,
    open_container,
)
from faultmaven.testing import VirtualClock, run_in_virtual_time

# wire/openai-chat.md 3, ollama-native.md 3, llamacpp-completion.md 3, huggingface.md 4
CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "chat"}, "finish_reason": "stop"}]}
OLLAMA = {"model": "qwen3", "message": {"role": "assistant", "content": "ollama"}, "done": True, "done_reason": "stop"}
LLAMACPP = {"content": "llamacpp", "stop": True, "stop_type": "eos", "model": "m.gguf"}
TGI = {"generated_text": "tgi", "details": {"finish_reason": "eos_token", "generated_tokens": 1}}
MODELS = {"object": "list", "data": [{"id": "first-listed"}, {"id": "second"}]}

Routes = Mapping[str, Any]


class Server:
    """A server with some routes; every other path is 404, as FastAPI says it."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.paths: list[str] = []
        self.models: list[str] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        await asyncio.sleep(0)
        found = self.routes.get(request.url.path)
        if found is None:
            return httpx.Response(404, json={"detail": "Not Found"})
        if isinstance(found, httpx.Response):
            return httpx.Response(found.status_code, content=found.content)
        if isinstance(found, Exception):
            raise found
        if request.method == "POST":
            import json

            self.models.append(json.loads(request.content).get("model", ""))
        return httpx.Response(200, json=found)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))


@pytest.fixture
async def opened() -> AsyncIterator[Any]:
    """Open a container whose `local` row talks to a server with the given routes."""
    closing: list[Any] = []

    async def open_for(routes: Routes, base: str = "http://localhost:8000", **env: str) -> tuple[Container, Server]:
        server = Server(routes)
        client = server.client()
        variables = {"LOCAL_LLM_BASE_URL": base, "LLM_MAX_RETRIES": "0", **env}
        opening = open_container(variables, http_client=client)
        container = await opening.__aenter__()
        closing.extend((lambda: opening.__aexit__(None, None, None), client.aclose))
        return container, server

    yield open_for
    for close in closing:
        await close()


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://localhost:8000/v1", "http://localhost:8000/v1/"])
async def test_openai_chat_is_found_with_and_without_v1_in_the_base(opened: Any, base: str) -> None:
    container, server = await opened({"/v1/chat/completions": CHAT}, base, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    assert server.paths == ["/v1/chat/completions"]


async def test_a_server_without_v1_is_found_at_its_root(opened: Any) -> None:
    container, server = await opened({"/chat/completions": CHAT}, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    assert server.paths == ["/v1/chat/completions", "/chat/completions"]


@pytest.mark.parametrize(
    ("path", "reply", "text"),
    [("/api/chat", OLLAMA, "ollama"), ("/completion", LLAMACPP, "llamacpp"), ("/generate", TGI, "tgi")],
)
async def test_other_dialects_are_tried_after_a_404_and_remembered(
    opened: Any, path: str, reply: Any, text: str
) -> None:
    container, server = await opened({path: reply}, LOCAL_LLM_MODEL="m")
    llm = container.llm()
    response = await llm.generate("ping")
    assert (response.content, response.stop_reason) == (text, StopReason.STOP)
    assert server.paths[0] == "/v1/chat/completions"
    found_after = len(server.paths)
    assert (await llm.generate("ping")).content == text
    assert server.paths[found_after:] == [path]


async def test_anything_but_404_and_405_is_the_servers_own_answer(opened: Any) -> None:
    routes = {"/v1/chat/completions": httpx.Response(500, content=b"{}"), "/api/chat": OLLAMA}
    container, server = await opened(routes, LOCAL_LLM_MODEL="m")
    with pytest.raises(ProviderUnavailableError):
        await container.llm().generate("ping")
    assert server.paths == ["/v1/chat/completions"]


async def test_a_failure_is_not_remembered(opened: Any) -> None:
    routes: dict[str, Any] = {}
    container, _ = await opened(routes, LOCAL_LLM_MODEL="m")
    with pytest.raises(WrongEndpointError):
        await container.llm().generate("ping")
    routes["/v1/chat/completions"] = CHAT
    assert (await container.llm().generate("ping")).content == "chat"


async def test_simultaneous_first_calls_share_one_detection(opened: Any) -> None:
    container, server = await opened({"/api/chat": OLLAMA}, LOCAL_LLM_MODEL="m")
    llm = container.llm()
    responses = await asyncio.gather(*(llm.generate(f"ping {n}") for n in range(20)))
    assert {response.content for response in responses} == {"ollama"}
    assert server.paths.count("/v1/chat/completions") == 1
    assert server.paths.count("/api/chat") == 20


async def test_without_a_model_the_first_of_the_list_is_sent(opened: Any) -> None:
    container, server = await opened({"/v1/chat/completions": CHAT, "/v1/models": MODELS})
    llm = container.llm()
    assert (await llm.generate("ping")).model == "first-listed"
    assert (await llm.generate("ping")).model == "first-listed"
    assert server.models == ["first-listed", "first-listed"]
    assert server.paths.count("/v1/models") == 1


async def test_a_server_that_lists_no_model_is_a_configuration_error(opened: Any) -> None:
    container, _ = await opened({"/v1/chat/completions": CHAT, "/v1/models": {"data": []}})
    with pytest.raises(ConfigurationError, match="LOCAL_LLM_MODEL"):
        await container.llm().generate("ping")


async def test_a_model_that_is_not_there_is_said_and_not_the_route(opened: Any) -> None:
    missing = httpx.Response(404, content=b'{"error":"model \\"x\\" not found, try pulling it first"}')
    container, _ = await opened({"/api/chat": missing}, LOCAL_LLM_MODEL="x")
    with pytest.raises(ModelNotFoundError) as caught:
        await container.llm().generate("ping")
    assert "LOCAL_LLM_MODEL" in str(caught.value)


TALK = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]


async def test_a_conversation_prefers_the_chat_route_beside_a_route_without_turns(opened: Any) -> None:
    container, server = await opened({}, LLAMACPP_API_BASE="http://localhost:9931")
    server.routes = {"/completion": LLAMACPP, "/v1/chat/completions": CHAT, "/v1/models": MODELS}
    llm = container.llm(provider="llamacpp")
    assert (await llm.generate("ping")).content == "llamacpp"
    assert (await llm.generate(TALK)).content == "chat"


async def test_a_conversation_without_a_chat_route_is_written_out(opened: Any) -> None:
    container, server = await opened({}, LLAMACPP_API_BASE="http://localhost:9931", LLAMACPP_MODEL="m")
    server.routes = {"/completion": LLAMACPP}
    assert (await container.llm(provider="llamacpp").generate(TALK)).content == "llamacpp"


async def test_a_refused_local_server_is_said_to_be_started(opened: Any) -> None:
    refused = httpx.ConnectError("refused")
    refused.__cause__ = ConnectionRefusedError()
    container, _ = await opened({"/v1/chat/completions": refused}, LOCAL_LLM_MODEL="m")
    with pytest.raises(ProviderUnavailableError, match="Start the server, or check LOCAL_LLM_BASE_URL"):
        await container.llm().generate("ping")


def test_detection_is_shared_within_a_loop_and_kept_across_loops() -> None:
    server = Server({"/api/chat": OLLAMA})

    async def ask(container: Container) -> str:
        return (await container.llm().generate("ping")).content

    from faultmaven import create_container

    env = {"LOCAL_LLM_BASE_URL": "http://localhost:8000", "LOCAL_LLM_MODEL": "m"}
    container = create_container(env, http_client=server.client())
    assert [asyncio.run(ask(container)) for _ in range(3)] == ["ollama"] * 3
    assert server.paths.count("/v1/chat/completions") == 1


class SlowServer(Server):
    """Says 404 at once, and answers prompts only when all ten of them are there."""

    def __init__(self, routes: Routes) -> None:
        super().__init__(routes)
        self.arrived = 0
        self.all_here = asyncio.Event()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path in self.routes:
            self.arrived += 1
            if self.arrived == 10:
                self.all_here.set()
            await self.all_here.wait()
        return await super().handle(request)


def test_first_calls_do_not_wait_for_a_whole_answer_of_another() -> None:
    server = SlowServer({"/api/chat": OLLAMA})
    env = {"LOCAL_LLM_BASE_URL": "http://localhost:8000", "LOCAL_LLM_MODEL": "m", "LLM_REQUEST_TIMEOUT": "20"}

    async def ask() -> list[LLMResponse]:
        async with (
            server.client() as client,
            open_container(env, http_client=client, clock=VirtualClock()) as container,
        ):
            return await asyncio.gather(*(container.llm().generate(f"ping {n}") for n in range(10)))

    responses = run_in_virtual_time(ask())
    assert {response.content for response in responses} == {"ollama"}
    assert server.paths.count("/v1/chat/completions") == 1


async def test_an_unknown_model_does_not_make_a_route_absent(opened: Any) -> None:
    unknown = httpx.Response(404, content=b'{"error":{"message":"x","code":"model_not_found"}}')
    container, server = await opened({"/v1/chat/completions": unknown, "/completion": LLAMACPP}, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping", model="typo")).content == "llamacpp"
    server.routes = {"/v1/chat/completions": CHAT, "/completion": LLAMACPP}
    assert (await container.llm().generate("ping")).content == "chat"


async def test_a_server_swapped_for_another_is_found_anew(opened: Any) -> None:
    container, server = await opened({"/v1/chat/completions": CHAT}, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    server.routes = {"/api/chat": OLLAMA}
    assert (await container.llm().generate("ping")).content == "ollama"


async def test_a_model_swapped_on_the_server_is_listed_anew(opened: Any) -> None:
    container, server = await opened({"/v1/chat/completions": CHAT, "/v1/models": MODELS})
    assert (await container.llm().generate("ping")).model == "first-listed"
    gone = httpx.Response(404, content=b'{"error":{"message":"x","code":"model_not_found"}}')
    answers = iter([gone, CHAT])

    class Swapped(dict[str, Any]):
        def get(self, path: str, default: Any = None) -> Any:
            return next(answers) if path == "/v1/chat/completions" else super().get(path, default)

    server.routes = Swapped({"/v1/models": {"data": [{"id": "new-model"}]}})
    assert (await container.llm().generate("ping")).model == "new-model"
