"""The provider guide: the tests run the code blocks of the guide itself (`guide.md.txt`), word for word.

The class in the guide imports `aiohttp`; a small fake module takes the place of the library.
"""

import ast
import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import faultmaven
from faultmaven import ConfigurationError, Container, EmptyAnswerError, Message, ProviderError, Tool, create_container
from faultmaven.infrastructure.llm import providers
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, BaseLLMProvider, OpenAIProvider
from faultmaven.testing import FakeProvider, FaultLab, VirtualClock, run_in_virtual_time

GUIDE = (Path(__file__).parent / "guide.md.txt").read_text("utf-8")
PACKAGE = Path(faultmaven.__file__).parent
PROVIDERS_PACKAGE = "faultmaven.infrastructure.llm.providers"


def code_block(language: str, containing: str) -> str:
    """Return the only code block of the guide that is in `language` and contains the text `containing`."""
    blocks = [code for code in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if containing in code]
    assert len(blocks) == 1, f"{len(blocks)} blocks contain {containing!r}"
    return str(blocks[0])


def guide_row(containing: str, provider_class: type[Any]) -> Any:
    """Run the `PROVIDER_SCHEMA` block of the guide unchanged and return the row."""
    code = code_block("python", containing)
    names: dict[str, Any] = {provider_class.__name__: provider_class}
    assignment = next(node for node in ast.parse(code).body if isinstance(node, ast.Assign))
    exec(compile(ast.Module([assignment], []), "guide", "exec"), names)  # noqa: S102 - text of the guide
    return names["PROVIDER_SCHEMA"]["anthropic"]


CLASS_SOURCE = code_block("python", "class AnthropicProvider")


# --- a fake aiohttp --------------------------------------------------------------------------------------------------

SUCCESS = {"content": [{"type": "text", "text": " It ran out of memory. "}], "usage": {"input_tokens": 9}}


@dataclass
class FakeReply:
    """The parts of an aiohttp response that the class in the guide reads."""

    status: int = 200
    data: Any = field(default_factory=lambda: SUCCESS)

    async def json(self) -> Any:
        """Return the decoded body."""
        return self.data

    async def text(self) -> str:
        """Return the body."""
        return json.dumps(self.data)


@dataclass
class FakeAiohttp:
    """Answers every POST with `reply(body)` after `delay(body)` seconds, and records the arguments in `posts`."""

    reply: Callable[[dict[str, Any]], FakeReply] = lambda _: FakeReply()
    delay: Callable[[dict[str, Any]], float] = lambda _: 0.0
    posts: list[dict[str, Any]] = field(default_factory=list)

    def module(self) -> ModuleType:
        """Return a module that replaces `aiohttp` in `sys.modules`."""
        fake = self
        module = ModuleType("aiohttp")

        class ClientSession:
            async def __aenter__(self) -> "ClientSession":
                return self

            async def __aexit__(self, *_: object) -> None:
                return None

            @asynccontextmanager
            async def post(self, url: str, *, headers: Any, json: Any, timeout: Any) -> AsyncIterator[FakeReply]:
                fake.posts.append({"url": url, "headers": headers, "json": json, "timeout": timeout})
                await asyncio.sleep(fake.delay(json))
                yield fake.reply(json)

        vars(module).update(ClientSession=ClientSession, ClientTimeout=lambda total: {"total": total})
        return module


@pytest.fixture
def aiohttp(monkeypatch: pytest.MonkeyPatch) -> FakeAiohttp:
    fake = FakeAiohttp()
    monkeypatch.setitem(sys.modules, "aiohttp", fake.module())
    return fake


@pytest.fixture
def guide_class(aiohttp: FakeAiohttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[BaseLLMProvider]:
    """Return the class of the guide, imported from a file, as a module beside `base` in the providers package."""
    name = f"{PROVIDERS_PACKAGE}.guide_anthropic_provider"
    path = tmp_path / "guide_anthropic_provider.py"
    path.write_text(CLASS_SOURCE)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    provider_class: type[BaseLLMProvider] = module.AnthropicProvider
    return provider_class


CreateContainer = Callable[..., Container]


@pytest.fixture
def create_guide_container(guide_class: type[BaseLLMProvider], monkeypatch: pytest.MonkeyPatch) -> CreateContainer:
    """Return a function that creates a container with the row and the class of the guide as `anthropic`."""
    row = guide_row('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)

    def create(**variables: str) -> Container:
        return create_container({"ANTHROPIC_API_KEY": "your-anthropic-api-key", "LLM_MAX_RETRIES": "0"} | variables)

    return create


# --- quick add -------------------------------------------------------------------------------------------------------


@pytest.fixture
def env_file() -> None:
    """Write the `.env` of the guide, with the base URL of the lab endpoint for OpenAI Chat Completions."""
    address = "ANTHROPIC_API_BASE=http://lab.invalid/openai/v1\n"
    Path(".env").write_text(code_block("env", "CHAT_PROVIDER") + address)


@pytest.mark.usefixtures("env_file")
async def test_guide_row_and_env_file_configure_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    row = guide_row("Use existing compatible class", OpenAIProvider)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    lab = FaultLab()
    async with lab.client() as client:
        container = create_container(http_client=client)
        assert container.registry().get_fallback_chain() == ["anthropic"]
        response = await container.llm().generate("Why does my pod restart?")
    assert (response.provider, response.model, response.confidence) == ("anthropic", "claude-3-opus", 0.85)
    (request,) = lab.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer your-anthropic-api-key"
    assert request.json["model"] == "claude-3-opus"


def test_guide_default_base_url_stays_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    row = guide_row("Use existing compatible class", OpenAIProvider)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    status = create_container({"ANTHROPIC_API_KEY": "k"}).registry().get_provider_status()["anthropic"]
    assert (status["base_url"], status["model"]) == ("https://api.anthropic.com/v1", "claude-3-opus")


@pytest.mark.parametrize("field_name", re.findall(r"^\| `(\w+)` \| (?:Yes|No) \|", GUIDE, re.MULTILINE))
def test_guide_table_required_fields_are_enforced(field_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    required = f"| `{field_name}` | Yes |" in GUIDE
    row = dict(guide_row("Use existing compatible class", OpenAIProvider))
    del row[field_name]
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    if required:
        with pytest.raises(ConfigurationError, match=f"'{field_name}' is missing"):
            create_container({})
    else:
        assert "anthropic" in create_container({}).registry().get_all_provider_names()


def test_guide_shell_snippet_lists_available_providers(tmp_path: Path) -> None:
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "activate").write_text(f'PATH="{bin_folder}:$PATH"\n')
    (bin_folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent)}
    command = ["bash", "-e", "-c", code_block("bash", "get_all_provider_names")]
    completed = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    listing, membership = completed.stdout.splitlines()
    assert listing == f"Available providers: {list(PROVIDER_SCHEMA)}"
    assert membership == "New provider available: True"
    assert completed.stderr == ""


def test_guide_names_are_exported() -> None:
    names = "BaseLLMProvider LLMResponse ProviderConfig ProviderRegistry PROVIDER_SCHEMA get_registry reset_registry"
    classes = "OpenAIProvider AnthropicProvider LocalProvider GeminiProvider CohereProvider"
    assert set(f"{names} {classes}".split()) <= set(providers.__all__)
    assert all(hasattr(providers, name) for name in providers.__all__)


# --- the custom class ------------------------------------------------------------------------------------------------


async def test_guide_class_answers_through_router(
    create_guide_container: CreateContainer, aiohttp: FakeAiohttp
) -> None:
    response = await create_guide_container().llm().generate("Why does my pod restart?")
    assert response.content == "It ran out of memory."
    assert (response.provider, response.model, response.tokens_used) == ("anthropic", "claude-3-opus", 9)
    assert response.confidence == 0.85
    assert [line.outcome for line in response.attempts] == ["answered"]
    (post,) = aiohttp.posts
    assert post["url"] == "https://api.anthropic.com/v1/messages"
    assert post["headers"]["x-api-key"] == "your-anthropic-api-key"
    assert post["timeout"] == {"total": 30}


async def test_guide_class_answers_through_registry(create_guide_container: CreateContainer) -> None:
    provider = create_guide_container().registry().get_provider("anthropic")
    assert provider.is_available()
    assert provider.get_supported_models() == ["claude-3-opus"]
    assert (await provider.generate("ping")).content == "It ran out of memory."


async def test_guide_class_streams_one_chunk(create_guide_container: CreateContainer) -> None:
    container = create_guide_container()
    for provider in (container.llm(), container.registry().get_provider("anthropic")):
        async with provider.stream("ping", temperature=0.0) as stream:
            chunks = [chunk.text async for chunk in stream]
        assert chunks == ["It ran out of memory."]
        assert stream.response.provider == "anthropic"


async def test_guide_class_receives_supported_options_only(
    create_guide_container: CreateContainer, aiohttp: FakeAiohttp
) -> None:
    llm = create_guide_container().llm()
    await llm.generate("ping")
    await llm.generate(
        [Message.system("Be terse."), Message.user("ping")],
        model="claude-9",
        max_tokens=5,
        temperature=0.0,
        seed=7,
        reasoning="high",
        cache_prompt=True,
        metadata={"team": "sre"},
        deadline=20.0,
        extra={"anthropic": {"top_k": 3}, "openai": {"user": "x"}},
    )
    plain, full = [post["json"] for post in aiohttp.posts]
    assert plain == {
        "model": "claude-3-opus",
        "messages": [{"role": "user", "content": "ping"}],
        "max_tokens": 1000,
        "temperature": 0.7,
    }
    assert full == {
        "model": "claude-9",
        "messages": [{"role": "user", "content": "Be terse.\n\nping"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_k": 3,
    }


async def test_dropped_hints_appear_in_attempt_notes(create_guide_container: CreateContainer) -> None:
    response = await create_guide_container().llm().generate("ping", seed=7, reasoning="high", cache_prompt=True)
    assert response.attempts[0].notes == (
        "seed left out: anthropic does not support it",
        "reasoning left out: anthropic does not support it",
        "cache_prompt left out: anthropic does not support it",
    )


@pytest.mark.parametrize(
    ("prompt", "options", "reason"),
    [
        ("ping", {"tools": [Tool("t")]}, "tools"),
        ("ping", {"response_format": {"type": "object"}}, "schema"),
        ("ping", {"stop": "END"}, "stop"),
        ([Message.user("2+2?"), Message.assistant("4"), Message.user("times 3?")], {}, "assistant turns"),
    ],
)
async def test_unsupported_feature_excludes_guide_class_with_reason(
    create_guide_container: CreateContainer, aiohttp: FakeAiohttp, prompt: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(faultmaven.InvalidRequestError, match=f"anthropic: does not support {reason}"):
        await create_guide_container().llm().generate(prompt, **options)
    assert aiohttp.posts == []


async def test_built_in_subclass_uses_overridden_generate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gateway(OpenAIProvider):
        async def generate(self, prompt: str, *_: Any, **kwargs: Any) -> faultmaven.LLMResponse:
            return faultmaven.LLMResponse(f"{prompt} {kwargs}", 1.0, "gateway", "m", None, 0.0)

    row = guide_row("Use existing compatible class", OpenAIProvider) | {"provider_class": Gateway}
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    llm = create_container({"ANTHROPIC_API_KEY": "k"}).llm()
    assert (await llm.generate("ping")).content == "ping {}"
    with pytest.raises(faultmaven.InvalidRequestError, match="does not support assistant turns or stop"):
        await llm.generate([Message.user("a"), Message.assistant("b"), Message.user("c")], stop="END")


async def test_requested_model_goes_to_listing_provider(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = guide_row('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    other = FakeProvider(faultmaven.RateLimitError("busy"), "ok", models=("gpt-6.2-sol",))
    env = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "claude-3-opus,claude-3-haiku", "CHAT_PROVIDER": "other"}
    llm = create_container(env, providers={"other": other}).llm()
    fallback = await llm.generate("ping", model="gpt-6.2-sol")
    assert (fallback.provider, fallback.model) == ("anthropic", "claude-3-opus")
    listed = await llm.generate("ping", model="claude-3-haiku")
    assert (listed.provider, listed.model) == ("anthropic", "claude-3-haiku")
    assert [post["json"]["model"] for post in aiohttp.posts] == ["claude-3-opus", "claude-3-haiku"]
    assert (await llm.generate("ping", model="model-of-tomorrow")).model == "model-of-tomorrow"
    assert [request.model for request in other.requests] == ["gpt-6.2-sol", "model-of-tomorrow"]


async def test_guide_class_error_keeps_original_cause(
    create_guide_container: CreateContainer, aiohttp: FakeAiohttp
) -> None:
    aiohttp.reply = lambda _: FakeReply(529, {"error": "overloaded, said sk-secret"})
    with pytest.raises(ProviderError) as caught:
        await create_guide_container().llm().generate("ping")
    error = caught.value
    assert type(error) is ProviderError
    assert (error.provider, error.elsewhere) == ("anthropic", True)
    assert type(error.__cause__) is Exception
    assert str(error.__cause__).startswith("Anthropic API error 529: ")
    assert error.__cause__.__cause__ is None
    assert "sk-secret" not in str(error)
    assert [line.outcome for line in error.attempts] == ["ProviderError"]


async def test_failing_guide_class_falls_back(create_guide_container: CreateContainer, aiohttp: FakeAiohttp) -> None:
    aiohttp.reply = lambda _: FakeReply(500, {})
    container = create_container(
        {"ANTHROPIC_API_KEY": "k", "CHAT_PROVIDER": "anthropic", "LLM_MAX_RETRIES": "0"},
        providers={"b": FakeProvider()},
    )
    response = await container.llm().generate("ping")
    assert [(line.provider, line.outcome) for line in response.attempts] == [
        ("anthropic", "ProviderError"),
        ("b", "answered"),
    ]


async def test_empty_answer_error_uses_registry_name(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = guide_row('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "second-account", row)
    container = create_container({"ANTHROPIC_API_KEY": "k", "CHAT_PROVIDER": "second-account"})
    llm = container.llm(provider="second-account")
    assert (await llm.generate("ping")).provider == "second-account"
    aiohttp.reply = lambda _: FakeReply(200, {"content": [{"text": "  "}]})
    with pytest.raises(EmptyAnswerError) as caught:
        await llm.generate("ping")
    assert caught.value.provider == "second-account"
    assert [line.provider for line in caught.value.attempts] == ["second-account"]


# --- fifty calls at once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["router", "registry"])
def test_fifty_concurrent_calls_have_separate_timings(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    # Call n takes n / 100 s and the longest call starts first, so the start order and the end order differ.
    aiohttp.delay = lambda body: int(body["messages"][0]["content"]) / 100
    row = guide_row('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())
    llm = container.llm() if through == "router" else container.registry().get_provider("anthropic")

    async def generate_all() -> list[faultmaven.LLMResponse]:
        return await asyncio.gather(*(llm.generate(str(number)) for number in reversed(range(1, 51))))

    responses = run_in_virtual_time(generate_all())
    assert [response.response_time_ms for response in responses] == [10 * n for n in reversed(range(1, 51))]
    if through == "router":
        durations = [round(response.attempts[0].duration, 6) for response in responses]
        assert durations == [n / 100 for n in reversed(range(1, 51))]


def test_nested_guide_calls_have_separate_timings(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that calls another provider of the guide between start and end measures the whole time."""
    aiohttp.delay = lambda body: int(body["messages"][0]["content"]) / 100
    row = guide_row('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    inner = create_container({"ANTHROPIC_API_KEY": "k"}, clock=VirtualClock()).registry().get_provider("anthropic")

    class Outer(BaseLLMProvider):
        async def generate(self, prompt: str, *_: Any, **options: Any) -> faultmaven.LLMResponse:
            self._start_timing()
            times = [(await inner.generate(part)).response_time_ms for part in prompt.split()]
            elapsed = self._get_response_time_ms()
            return faultmaven.LLMResponse(str(times), 1.0, "outer", "m", None, elapsed)

    monkeypatch.setitem(PROVIDER_SCHEMA, "outer", row | {"provider_class": Outer})
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())
    response = run_in_virtual_time(container.llm(provider="outer").generate("3 1 2"))
    assert (response.content, response.response_time_ms) == ("[30, 10, 20]", 60)


def test_hanging_guide_class_ends_at_row_timeout(create_guide_container: CreateContainer, aiohttp: FakeAiohttp) -> None:
    aiohttp.delay = lambda _: 3600.0
    row = PROVIDER_SCHEMA["anthropic"]
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())

    async def call() -> tuple[type[BaseException], float]:
        with pytest.raises(faultmaven.LLMError) as caught:
            await container.llm().generate("ping")
        return type(caught.value), asyncio.get_running_loop().time()

    error_class, ended = run_in_virtual_time(call())
    assert error_class is faultmaven.ProviderTimeoutError
    assert ended == pytest.approx(row["timeout"])


# --- the guide's files in a copied package ---------------------------------------------------------------------------

CALL_SCRIPT = """
    import asyncio, json
    from faultmaven import open_container
    from faultmaven.infrastructure.llm import providers

    async def main():
        async with open_container({"ANTHROPIC_API_KEY": "k"}) as container:
            response = await container.llm().generate("ping")
            status = container.registry().get_provider_status()["anthropic"]
        assert "AnthropicProvider" in providers.__all__
        print(json.dumps([response.content, response.provider, response.model, status["provider_class"]]))

    asyncio.run(main())
"""
AIOHTTP_FILE = """
    from contextlib import asynccontextmanager

    def ClientTimeout(total):
        return total

    class Reply:
        status = 200
        async def json(self):
            return {"content": [{"text": "pasted"}], "usage": {"input_tokens": 1, "output_tokens": 1}}

    class ClientSession:
        async def __aenter__(self):
            return self
        async def __aexit__(self, *_):
            return None
        @asynccontextmanager
        async def post(self, url, headers, json, timeout):
            assert url == "https://api.anthropic.com/v1/messages"
            yield Reply()
"""


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package and a fake aiohttp."""
    shutil.copytree(PACKAGE, tmp_path / "faultmaven", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "aiohttp.py").write_text(textwrap.dedent(AIOHTTP_FILE))
    return tmp_path


def call_in_copy(folder: Path) -> list[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(CALL_SCRIPT)]
    env = {"PYTHONPATH": str(folder)}
    completed = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    answer: list[str] = json.loads(completed.stdout)
    return answer


def test_guide_file_replaces_built_in_provider(copied_package: Path) -> None:
    target = copied_package / "faultmaven" / "infrastructure" / "llm" / "providers"
    (target / "anthropic_provider.py").write_text(CLASS_SOURCE)
    assert call_in_copy(copied_package) == ["pasted", "anthropic", "claude-sonnet-5-5", "AnthropicProvider"]


def test_guide_row_overrides_built_in_row(copied_package: Path) -> None:
    """The guide has three steps: write the file, add the row (the last row of a name wins), add import and export."""
    target = copied_package / "faultmaven" / "infrastructure" / "llm" / "providers"
    (target / "anthropic_provider.py").write_text(CLASS_SOURCE)
    entry = code_block("python", 'provider_class": AnthropicProvider').partition("# ... existing providers ...")[2]
    registry = (target / "registry.py").read_text("utf-8")
    end_of_literal = "\n}\n\n\ndef build_registry"
    assert registry.count(end_of_literal) == 1
    (target / "registry.py").write_text(registry.replace(end_of_literal, entry.rstrip() + end_of_literal[2:]))
    with (target / "__init__.py").open("a") as package_init:
        package_init.write(code_block("python", "__all__"))
    assert call_in_copy(copied_package) == ["pasted", "anthropic", "claude-3-opus", "AnthropicProvider"]
