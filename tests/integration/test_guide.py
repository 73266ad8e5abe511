"""The provider guide's promises, verbatim: every block below is cut out of the guide itself (`guide.md.txt`).

The guide's class imports `aiohttp`, which nobody here installs: a tiny stand-in answers in its place.
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
FACE = "faultmaven.infrastructure.llm.providers"


def block(language: str, containing: str) -> str:
    """Return the guide's one code block in `language` that contains a text."""
    found = [code for code in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if containing in code]
    assert len(found) == 1, f"{len(found)} blocks contain {containing!r}"
    return str(found[0])


def row_of_guide(containing: str, provider_class: type[Any]) -> Any:
    """Return the row in the guide's `PROVIDER_SCHEMA` block, run as it stands."""
    code = block("python", containing)
    names: dict[str, Any] = {provider_class.__name__: provider_class}
    assignment = next(node for node in ast.parse(code).body if isinstance(node, ast.Assign))
    exec(compile(ast.Module([assignment], []), "guide", "exec"), names)  # noqa: S102 - the guide's own text
    return names["PROVIDER_SCHEMA"]["anthropic"]


CLASS_SOURCE = block("python", "class AnthropicProvider")


# --- a stand-in for aiohttp ------------------------------------------------------------------------------------------

SUCCESS = {"content": [{"type": "text", "text": " It ran out of memory. "}], "usage": {"input_tokens": 9}}


@dataclass
class FakeReply:
    """What aiohttp's response gives the guide's class."""

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
    """Answers every post with `reply(body)`, after `delay(body)` seconds; keeps what it was sent."""

    reply: Callable[[dict[str, Any]], FakeReply] = lambda _: FakeReply()
    delay: Callable[[dict[str, Any]], float] = lambda _: 0.0
    posts: list[dict[str, Any]] = field(default_factory=list)

    def module(self) -> ModuleType:
        """Return what `import aiohttp` gives."""
        fake = self
        made = ModuleType("aiohttp")

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

        vars(made).update(ClientSession=ClientSession, ClientTimeout=lambda total: {"total": total})
        return made


@pytest.fixture
def aiohttp(monkeypatch: pytest.MonkeyPatch) -> FakeAiohttp:
    fake = FakeAiohttp()
    monkeypatch.setitem(sys.modules, "aiohttp", fake.module())
    return fake


@pytest.fixture
def guide_class(aiohttp: FakeAiohttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[BaseLLMProvider]:
    """Return the guide's class, from its own text in a file of its own, beside `base` as the guide puts it."""
    name = f"{FACE}.guide_anthropic_provider"
    path = tmp_path / "guide_anthropic_provider.py"
    path.write_text(CLASS_SOURCE)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    made: type[BaseLLMProvider] = module.AnthropicProvider
    return made


Open = Callable[..., Container]


@pytest.fixture
def open_guide(guide_class: type[BaseLLMProvider], monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a container whose `anthropic` is the guide's row with the guide's class."""
    row = row_of_guide('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)

    def opened(**variables: str) -> Container:
        return create_container({"ANTHROPIC_API_KEY": "your-anthropic-api-key", "LLM_MAX_RETRIES": "0"} | variables)

    return opened


# --- quick add -------------------------------------------------------------------------------------------------------


@pytest.fixture
def env_file() -> None:
    """Write the guide's `.env`; the base URL leads to the part of the lab that speaks OpenAI's Chat Completions."""
    address = "ANTHROPIC_API_BASE=http://lab.invalid/openai/v1\n"
    Path(".env").write_text(block("env", "CHAT_PROVIDER") + address)


@pytest.mark.usefixtures("env_file")
async def test_the_pasted_row_and_env_file_make_a_working_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of_guide("Use existing compatible class", OpenAIProvider)
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


def test_the_guides_default_address_is_used_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of_guide("Use existing compatible class", OpenAIProvider)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    status = create_container({"ANTHROPIC_API_KEY": "k"}).registry().get_provider_status()["anthropic"]
    assert (status["base_url"], status["model"]) == ("https://api.anthropic.com/v1", "claude-3-opus")


@pytest.mark.parametrize("field_name", re.findall(r"^\| `(\w+)` \| (?:Yes|No) \|", GUIDE, re.MULTILINE))
def test_each_field_of_the_guides_table_is_demanded_as_the_table_says(
    field_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = f"| `{field_name}` | Yes |" in GUIDE
    row = dict(row_of_guide("Use existing compatible class", OpenAIProvider))
    del row[field_name]
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    if required:
        with pytest.raises(ConfigurationError, match=f"'{field_name}' is missing"):
            create_container({})
    else:
        assert "anthropic" in create_container({}).registry().get_all_provider_names()


def test_the_guides_shell_snippet_prints_what_the_guide_says(tmp_path: Path) -> None:
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "activate").write_text(f'PATH="{bin_folder}:$PATH"\n')
    (bin_folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent)}
    command = ["bash", "-e", "-c", block("bash", "get_all_provider_names")]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    listed, new = done.stdout.splitlines()
    assert listed == f"Available providers: {list(PROVIDER_SCHEMA)}"
    assert new == "New provider available: True"
    assert done.stderr == ""


def test_the_guides_names_are_exported() -> None:
    names = "BaseLLMProvider LLMResponse ProviderConfig ProviderRegistry PROVIDER_SCHEMA get_registry reset_registry"
    classes = "OpenAIProvider AnthropicProvider LocalProvider GeminiProvider CohereProvider"
    assert set(f"{names} {classes}".split()) <= set(providers.__all__)
    assert all(hasattr(providers, name) for name in providers.__all__)


# --- the custom class ------------------------------------------------------------------------------------------------


async def test_it_answers_through_the_router(open_guide: Open, aiohttp: FakeAiohttp) -> None:
    response = await open_guide().llm().generate("Why does my pod restart?")
    assert response.content == "It ran out of memory."
    assert (response.provider, response.model, response.tokens_used) == ("anthropic", "claude-3-opus", 9)
    assert response.confidence == 0.85
    assert [line.outcome for line in response.attempts] == ["answered"]
    (post,) = aiohttp.posts
    assert post["url"] == "https://api.anthropic.com/v1/messages"
    assert post["headers"]["x-api-key"] == "your-anthropic-api-key"
    assert post["timeout"] == {"total": 30}


async def test_it_answers_through_the_registry(open_guide: Open) -> None:
    provider = open_guide().registry().get_provider("anthropic")
    assert provider.is_available()
    assert provider.get_supported_models() == ["claude-3-opus"]
    assert (await provider.generate("ping")).content == "It ran out of memory."


async def test_it_streams_as_one_chunk(open_guide: Open) -> None:
    container = open_guide()
    for provider in (container.llm(), container.registry().get_provider("anthropic")):
        async with provider.stream("ping", temperature=0.0) as stream:
            chunks = [chunk.text async for chunk in stream]
        assert chunks == ["It ran out of memory."]
        assert stream.response.provider == "anthropic"


async def test_it_gets_what_the_caller_set_and_its_own_extra_and_nothing_else(
    open_guide: Open, aiohttp: FakeAiohttp
) -> None:
    llm = open_guide().llm()
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


async def test_dropped_hints_are_noted_in_the_ledger(open_guide: Open) -> None:
    response = await open_guide().llm().generate("ping", seed=7, reasoning="high", cache_prompt=True)
    assert response.attempts[0].notes == (
        "seed left out: anthropic does not take it",
        "reasoning left out: anthropic does not take it",
        "cache_prompt left out: anthropic does not take it",
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
async def test_what_it_cannot_carry_skips_it_with_the_reason(
    open_guide: Open, aiohttp: FakeAiohttp, prompt: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(faultmaven.InvalidRequestError, match=f"anthropic: does not take {reason}"):
        await open_guide().llm().generate(prompt, **options)
    assert aiohttp.posts == []


async def test_a_subclass_of_a_shipped_class_that_overrides_generate_is_asked_like_the_guides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gateway(OpenAIProvider):
        async def generate(self, prompt: str, *_: Any, **kwargs: Any) -> faultmaven.LLMResponse:
            return faultmaven.LLMResponse(f"{prompt} {kwargs}", 1.0, "gateway", "m", None, 0.0)

    row = row_of_guide("Use existing compatible class", OpenAIProvider) | {"provider_class": Gateway}
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    llm = create_container({"ANTHROPIC_API_KEY": "k"}).llm()
    assert (await llm.generate("ping")).content == "ping {}"
    with pytest.raises(faultmaven.InvalidRequestError, match="does not take assistant turns or stop"):
        await llm.generate([Message.user("a"), Message.assistant("b"), Message.user("c")], stop="END")


async def test_a_requested_model_goes_only_to_the_provider_that_lists_it(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of_guide('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    other = FakeProvider(faultmaven.RateLimitError("busy"), "ok", models=("gpt-6.2-sol",))
    env = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "claude-3-opus,claude-3-haiku", "CHAT_PROVIDER": "other"}
    llm = create_container(env, providers={"other": other}).llm()
    fell_back = await llm.generate("ping", model="gpt-6.2-sol")
    assert (fell_back.provider, fell_back.model) == ("anthropic", "claude-3-opus")
    listed = await llm.generate("ping", model="claude-3-haiku")
    assert (listed.provider, listed.model) == ("anthropic", "claude-3-haiku")
    assert [post["json"]["model"] for post in aiohttp.posts] == ["claude-3-opus", "claude-3-haiku"]
    assert (await llm.generate("ping", model="model-of-tomorrow")).model == "model-of-tomorrow"
    assert [request.model for request in other.requests] == ["gpt-6.2-sol", "model-of-tomorrow"]


async def test_a_wrong_status_is_wrapped_once_with_its_cause(open_guide: Open, aiohttp: FakeAiohttp) -> None:
    aiohttp.reply = lambda _: FakeReply(529, {"error": "overloaded, said sk-secret"})
    with pytest.raises(ProviderError) as caught:
        await open_guide().llm().generate("ping")
    error = caught.value
    assert type(error) is ProviderError
    assert (error.provider, error.elsewhere) == ("anthropic", True)
    assert type(error.__cause__) is Exception
    assert str(error.__cause__).startswith("Anthropic API error 529: ")
    assert error.__cause__.__cause__ is None
    assert "sk-secret" not in str(error)
    assert [line.outcome for line in error.attempts] == ["ProviderError"]


async def test_a_failing_guide_class_lets_the_next_answer(open_guide: Open, aiohttp: FakeAiohttp) -> None:
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


async def test_an_empty_answer_is_told_under_the_registrys_name(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of_guide('provider_class": AnthropicProvider', guide_class)
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
def test_fifty_calls_at_once_get_their_own_timings(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    # Call 7 takes 0.07 s and is started last but seven: neither the order of starting nor that of ending helps.
    aiohttp.delay = lambda body: int(body["messages"][0]["content"]) / 100
    row = row_of_guide('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())
    llm = container.llm() if through == "router" else container.registry().get_provider("anthropic")

    async def ask_all() -> list[faultmaven.LLMResponse]:
        return await asyncio.gather(*(llm.generate(str(number)) for number in reversed(range(1, 51))))

    responses = run_in_virtual_time(ask_all())
    assert [response.response_time_ms for response in responses] == [10 * n for n in reversed(range(1, 51))]
    if through == "router":
        durations = [round(response.attempts[0].duration, 6) for response in responses]
        assert durations == [n / 100 for n in reversed(range(1, 51))]


def test_calls_after_one_another_in_one_task_get_their_own_timings(
    guide_class: type[BaseLLMProvider], aiohttp: FakeAiohttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that asks another of its kind between start and end keeps its own time, too."""
    aiohttp.delay = lambda body: int(body["messages"][0]["content"]) / 100
    row = row_of_guide('provider_class": AnthropicProvider', guide_class)
    monkeypatch.setitem(PROVIDER_SCHEMA, "anthropic", row)
    inner = create_container({"ANTHROPIC_API_KEY": "k"}, clock=VirtualClock()).registry().get_provider("anthropic")

    class Outer(BaseLLMProvider):
        async def generate(self, prompt: str, *_: Any, **options: Any) -> faultmaven.LLMResponse:
            self._start_timing()
            times = [(await inner.generate(part)).response_time_ms for part in prompt.split()]
            own = self._get_response_time_ms()
            return faultmaven.LLMResponse(str(times), 1.0, "outer", "m", None, own)

    monkeypatch.setitem(PROVIDER_SCHEMA, "outer", row | {"provider_class": Outer})
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())
    response = run_in_virtual_time(container.llm(provider="outer").generate("3 1 2"))
    assert (response.content, response.response_time_ms) == ("[30, 10, 20]", 60)


def test_a_guide_class_that_hangs_ends_with_its_rows_timeout(open_guide: Open, aiohttp: FakeAiohttp) -> None:
    aiohttp.delay = lambda _: 3600.0
    row = PROVIDER_SCHEMA["anthropic"]
    container = create_container({"ANTHROPIC_API_KEY": "k", "LLM_MAX_RETRIES": "0"}, clock=VirtualClock())

    async def ask() -> tuple[type[BaseException], float]:
        with pytest.raises(faultmaven.LLMError) as caught:
            await container.llm().generate("ping")
        return type(caught.value), asyncio.get_running_loop().time()

    kind, ended = run_in_virtual_time(ask())
    assert kind is faultmaven.ProviderTimeoutError
    assert ended == pytest.approx(row["timeout"])


# --- the guide's files over ours -------------------------------------------------------------------------------------

ASK = """
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
    """Return a folder that holds a copy of the package and the stand-in for aiohttp."""
    shutil.copytree(PACKAGE, tmp_path / "faultmaven", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "aiohttp.py").write_text(textwrap.dedent(AIOHTTP_FILE))
    return tmp_path


def run_copy(folder: Path) -> list[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(ASK)]
    env = {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: list[str] = json.loads(done.stdout)
    return answer


def test_the_guides_file_pasted_over_ours_works(copied_package: Path) -> None:
    target = copied_package / "faultmaven" / "infrastructure" / "llm" / "providers"
    (target / "anthropic_provider.py").write_text(CLASS_SOURCE)
    assert run_copy(copied_package) == ["pasted", "anthropic", "claude-sonnet-5-5", "AnthropicProvider"]


def test_the_guides_row_written_below_ours_wins(copied_package: Path) -> None:
    """All three steps: the file, the entry at the end of the literal (the last wins), the import and the export."""
    target = copied_package / "faultmaven" / "infrastructure" / "llm" / "providers"
    (target / "anthropic_provider.py").write_text(CLASS_SOURCE)
    entry = block("python", 'provider_class": AnthropicProvider').partition("# ... existing providers ...")[2]
    registry = (target / "registry.py").read_text("utf-8")
    end_of_literal = "\n}\n\n\ndef build_registry"
    assert registry.count(end_of_literal) == 1
    (target / "registry.py").write_text(registry.replace(end_of_literal, entry.rstrip() + end_of_literal[2:]))
    with (target / "__init__.py").open("a") as face:
        face.write(block("python", "__all__"))
    assert run_copy(copied_package) == ["pasted", "anthropic", "claude-3-opus", "AnthropicProvider"]
