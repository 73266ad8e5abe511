"""The `local` provider detects the dialect of a server once, and keeps the result."""

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
    """A server with the given routes; every other path answers 404 in the form of FastAPI."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.paths: list[str] = []
        self.models: list[str] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        await asyncio.sleep(0)
        reply = self.routes.get(request.url.path)
        if reply is None:
            return httpx.Response(404, json={"detail": "Not Found"})
        if isinstance(reply, httpx.Response):
            return httpx.Response(reply.status_code, content=reply.content)
        if isinstance(reply, Exception):
            raise reply
        if request.method == "POST":
            import json

            self.models.append(json.loads(request.content).get("model", ""))
        return httpx.Response(200, json=reply)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))


@pytest.fixture
async def open_local() -> AsyncIterator[Any]:
    """Return a function that opens a container whose `local` row has a server with the given routes."""
    closers: list[Any] = []

    async def open_for(routes: Routes, base: str = "http://localhost:8000", **env: str) -> tuple[Container, Server]:
        server = Server(routes)
        client = server.client()
        variables = {"LOCAL_LLM_BASE_URL": base, "LLM_MAX_RETRIES": "0", **env}
        manager = open_container(variables, http_client=client)
        container = await manager.__aenter__()
        closers.extend((lambda: manager.__aexit__(None, None, None), client.aclose))
        return container, server

    yield open_for
    for close in closers:
        await close()


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://localhost:8000/v1", "http://localhost:8000/v1/"])
async def test_openai_chat_detected_with_or_without_v1(open_local: Any, base: str) -> None:
    container, server = await open_local({"/v1/chat/completions": CHAT}, base, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    assert server.paths == ["/v1/chat/completions"]


async def test_server_without_v1_is_detected_at_root(open_local: Any) -> None:
    container, server = await open_local({"/chat/completions": CHAT}, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    assert server.paths == ["/v1/chat/completions", "/chat/completions"]


@pytest.mark.parametrize(
    ("path", "reply", "text"),
    [("/api/chat", OLLAMA, "ollama"), ("/completion", LLAMACPP, "llamacpp"), ("/generate", TGI, "tgi")],
)
async def test_detected_dialect_is_remembered_after_404(open_local: Any, path: str, reply: Any, text: str) -> None:
    container, server = await open_local({path: reply}, LOCAL_LLM_MODEL="m")
    llm = container.llm()
    response = await llm.generate("ping")
    assert (response.content, response.stop_reason) == (text, StopReason.STOP)
    assert server.paths[0] == "/v1/chat/completions"
    detection_requests = len(server.paths)
    assert (await llm.generate("ping")).content == text
    assert server.paths[detection_requests:] == [path]


async def test_server_error_ends_dialect_detection(open_local: Any) -> None:
    routes = {"/v1/chat/completions": httpx.Response(500, content=b"{}"), "/api/chat": OLLAMA}
    container, server = await open_local(routes, LOCAL_LLM_MODEL="m")
    with pytest.raises(ProviderUnavailableError):
        await container.llm().generate("ping")
    assert server.paths == ["/v1/chat/completions"]


async def test_failed_detection_is_not_remembered(open_local: Any) -> None:
    routes: dict[str, Any] = {}
    container, _ = await open_local(routes, LOCAL_LLM_MODEL="m")
    with pytest.raises(WrongEndpointError):
        await container.llm().generate("ping")
    routes["/v1/chat/completions"] = CHAT
    assert (await container.llm().generate("ping")).content == "chat"


async def test_concurrent_first_calls_share_one_detection(open_local: Any) -> None:
    container, server = await open_local({"/api/chat": OLLAMA}, LOCAL_LLM_MODEL="m")
    llm = container.llm()
    responses = await asyncio.gather(*(llm.generate(f"ping {n}") for n in range(20)))
    assert {response.content for response in responses} == {"ollama"}
    assert server.paths.count("/v1/chat/completions") == 1
    assert server.paths.count("/api/chat") == 20


async def test_first_listed_model_is_the_default(open_local: Any) -> None:
    container, server = await open_local({"/v1/chat/completions": CHAT, "/v1/models": MODELS})
    llm = container.llm()
    assert (await llm.generate("ping")).model == "first-listed"
    assert (await llm.generate("ping")).model == "first-listed"
    assert server.models == ["first-listed", "first-listed"]
    assert server.paths.count("/v1/models") == 1


async def test_empty_model_list_is_configuration_error(open_local: Any) -> None:
    container, _ = await open_local({"/v1/chat/completions": CHAT, "/v1/models": {"data": []}})
    with pytest.raises(ConfigurationError, match="LOCAL_LLM_MODEL"):
        await container.llm().generate("ping")


async def test_missing_model_error_names_model_variable(open_local: Any) -> None:
    missing = httpx.Response(404, content=b'{"error":"model \\"x\\" not found, try pulling it first"}')
    container, _ = await open_local({"/api/chat": missing}, LOCAL_LLM_MODEL="x")
    with pytest.raises(ModelNotFoundError) as caught:
        await container.llm().generate("ping")
    assert "LOCAL_LLM_MODEL" in str(caught.value)


CONVERSATION = [Message.system("Be terse."), Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")]


async def test_conversation_prefers_chat_route_over_completion_route(open_local: Any) -> None:
    container, server = await open_local({}, LLAMACPP_API_BASE="http://localhost:9931")
    server.routes = {"/completion": LLAMACPP, "/v1/chat/completions": CHAT, "/v1/models": MODELS}
    llm = container.llm(provider="llamacpp")
    assert (await llm.generate("ping")).content == "llamacpp"
    assert (await llm.generate(CONVERSATION)).content == "chat"


async def test_conversation_falls_back_to_completion_route(open_local: Any) -> None:
    container, server = await open_local({}, LLAMACPP_API_BASE="http://localhost:9931", LLAMACPP_MODEL="m")
    server.routes = {"/completion": LLAMACPP}
    assert (await container.llm(provider="llamacpp").generate(CONVERSATION)).content == "llamacpp"


async def test_refused_connection_error_advises_server_start(open_local: Any) -> None:
    refused = httpx.ConnectError("refused")
    refused.__cause__ = ConnectionRefusedError()
    container, _ = await open_local({"/v1/chat/completions": refused}, LOCAL_LLM_MODEL="m")
    with pytest.raises(ProviderUnavailableError, match="Start the server, or check LOCAL_LLM_BASE_URL"):
        await container.llm().generate("ping")


def test_detected_dialect_is_kept_across_loops() -> None:
    server = Server({"/api/chat": OLLAMA})

    async def call(container: Container) -> str:
        return (await container.llm().generate("ping")).content

    from faultmaven import create_container

    env = {"LOCAL_LLM_BASE_URL": "http://localhost:8000", "LOCAL_LLM_MODEL": "m"}
    container = create_container(env, http_client=server.client())
    assert [asyncio.run(call(container)) for _ in range(3)] == ["ollama"] * 3
    assert server.paths.count("/v1/chat/completions") == 1


class SlowServer(Server):
    """Answers 404 immediately, and prompts only after all ten prompts have arrived."""

    def __init__(self, routes: Routes) -> None:
        super().__init__(routes)
        self.arrived = 0
        self.all_arrived = asyncio.Event()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path in self.routes:
            self.arrived += 1
            if self.arrived == 10:
                self.all_arrived.set()
            await self.all_arrived.wait()
        return await super().handle(request)


def test_detection_does_not_serialize_first_calls() -> None:
    server = SlowServer({"/api/chat": OLLAMA})
    env = {"LOCAL_LLM_BASE_URL": "http://localhost:8000", "LOCAL_LLM_MODEL": "m", "LLM_REQUEST_TIMEOUT": "20"}

    async def generate_concurrently() -> list[LLMResponse]:
        async with (
            server.client() as client,
            open_container(env, http_client=client, clock=VirtualClock()) as container,
        ):
            return await asyncio.gather(*(container.llm().generate(f"ping {n}") for n in range(10)))

    responses = run_in_virtual_time(generate_concurrently())
    assert {response.content for response in responses} == {"ollama"}
    assert server.paths.count("/v1/chat/completions") == 1


async def test_unknown_model_does_not_rule_out_route(open_local: Any) -> None:
    unknown = httpx.Response(404, content=b'{"error":{"message":"x","code":"model_not_found"}}')
    container, server = await open_local(
        {"/v1/chat/completions": unknown, "/completion": LLAMACPP}, LOCAL_LLM_MODEL="m"
    )
    assert (await container.llm().generate("ping", model="typo")).content == "llamacpp"
    server.routes = {"/v1/chat/completions": CHAT, "/completion": LLAMACPP}
    assert (await container.llm().generate("ping")).content == "chat"


async def test_replaced_server_is_detected_again(open_local: Any) -> None:
    container, server = await open_local({"/v1/chat/completions": CHAT}, LOCAL_LLM_MODEL="m")
    assert (await container.llm().generate("ping")).content == "chat"
    server.routes = {"/api/chat": OLLAMA}
    assert (await container.llm().generate("ping")).content == "ollama"


async def test_replaced_model_is_listed_again(open_local: Any) -> None:
    container, server = await open_local({"/v1/chat/completions": CHAT, "/v1/models": MODELS})
    assert (await container.llm().generate("ping")).model == "first-listed"
    model_not_found = httpx.Response(404, content=b'{"error":{"message":"x","code":"model_not_found"}}')
    answers = iter([model_not_found, CHAT])

    class ReplacedModelRoutes(dict[str, Any]):
        def get(self, path: str, default: Any = None) -> Any:
            return next(answers) if path == "/v1/chat/completions" else super().get(path, default)

    server.routes = ReplacedModelRoutes({"/v1/models": {"data": [{"id": "new-model"}]}})
    assert (await container.llm().generate("ping")).model == "new-model"
