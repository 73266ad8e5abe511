"""Expected results of the type checkers for the public API. Checked by mypy and pyright (`tox -e types`), never run.

A line that must be an error carries `# type: ignore[code]`; a checker that finds no error there fails: mypy by
`warn_unused_ignores`, pyright by `reportUnnecessaryTypeIgnoreComment`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, assert_type

import faultmaven
from faultmaven import (
    ChatRequest,
    Container,
    HealthReport,
    Latency,
    LLMProvider,
    LLMResponse,
    LLMRouter,
    LLMStream,
    Message,
    Options,
    StreamChunk,
    create_container,
    open_container,
)
from faultmaven.infrastructure.llm.providers import (
    BaseLLMProvider,
    OpenAIProvider,
    ProviderConfig,
    ProviderRegistry,
    get_registry,
)
from faultmaven.testing import FakeClock, FakeProvider


class AnnotatedProvider(BaseLLMProvider):
    """A class in the form of the guide with a type for `kwargs`, without an error in strict mode."""

    async def generate(
        self,
        prompt: str,
        model: str | None = None,
        max_tokens: int = 1000,
        temperature: float = 0.7,
        **kwargs: Any,
    ) -> LLMResponse:
        """Never called."""
        raise NotImplementedError


class WrongProvider(BaseLLMProvider):
    """An override with an incompatible signature is an error."""

    async def generate(self, prompt: str) -> LLMResponse:  # type: ignore[override]
        """Never called."""
        raise NotImplementedError


class NativeProvider(BaseLLMProvider):
    """A class that overrides `answer`, which takes the whole request."""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Never called."""
        assert_type(request.messages, tuple[Message, ...])
        raise NotImplementedError


def use_port(provider: LLMProvider) -> None:
    """A function of a host application that takes the port."""


def check_port(config: ProviderConfig, container: Container, shipped: OpenAIProvider) -> None:
    """Built-in providers, routers, fakes and classes that override `answer` satisfy the port.

    A class in the form of the guide does not: it takes a string only, and the port takes messages as well. Such a class
    is used by its row, where the registry wraps it; `container.llm()` satisfies the port.
    """
    use_port(shipped)
    use_port(AnnotatedProvider(config))  # type: ignore[arg-type]
    use_port(NativeProvider(config))
    use_port(FakeProvider("ok"))
    use_port(container.llm())
    use_port(container.registry().get_provider("openai"))
    use_port(FakeClock())  # type: ignore[arg-type]
    use_port(FakeProvider)  # type: ignore[arg-type]


async def check_generate(llm: LLMProvider, turns: Sequence[Message]) -> None:
    """A prompt is a string or messages; options are checked by name and type."""
    response = await llm.generate(
        "ping", "gpt-6.2-sol", 100, 0.0, deadline=5.0, seed=1, extra={"openai": {"user": "x"}}
    )
    assert_type(response, LLMResponse)
    assert_type(response.content, str)
    assert_type(response.tokens_used, int | None)
    await llm.generate(turns, stop=["END"])
    await llm.generate("ping", deadlin=5.0)  # type: ignore[call-arg]
    await llm.generate("ping", deadline="5 s")  # type: ignore[arg-type]
    await llm.generate("ping", max_tokens="many")  # type: ignore[arg-type]
    await llm.generate(b"ping")  # type: ignore[arg-type]
    response.content = "other"  # type: ignore[misc]


async def check_stream(llm: LLMProvider) -> None:
    """A stream is a context manager that iterates over chunks."""
    assert_type(llm.stream("ping"), AbstractAsyncContextManager[LLMStream])
    async with llm.stream("ping", temperature=0.0) as stream:
        assert_type(stream.__aiter__(), AsyncIterator[StreamChunk])
        async for chunk in stream:
            assert_type(chunk.text, str | None)
    assert_type(stream.response, LLMResponse)
    llm.stream("ping", temprature=0.0)  # type: ignore[call-arg]


def pass_provider(llm: LLMProvider) -> LLMProvider:
    """A function of a host application that takes and returns the port."""
    return llm


async def check_container(options: Options) -> None:
    """Parts are checked by name and type; entries of the container have the declared types."""
    async with open_container({"OPENAI_API_KEY": "k"}, clock=FakeClock(), providers={"x": FakeProvider()}) as container:
        assert_type(container.llm(role="code"), LLMRouter)
        pass_provider(container.llm())
        report = await container.health(probe=True)
        assert_type(report, HealthReport)
        assert_type(report.status, Literal["ok", "degraded", "down"])
        assert_type(report.providers["x"].latency, Latency | None)
        assert_type(container.registry(), ProviderRegistry)
    assert_type(create_container(), Container)
    assert_type(get_registry().get_fallback_chain(), list[str])
    create_container(clok=FakeClock())  # type: ignore[call-arg]
    create_container(clock=5)  # type: ignore[arg-type]
    create_container(observer=print)
    create_container(observer="print")  # type: ignore[arg-type]
    create_container(providers={"openai": "ok"})  # type: ignore[dict-item]
    create_container(providers={"openai": FakeProvider})  # type: ignore[dict-item]
    create_container(providers={"router": create_container().llm(), "fake": FakeProvider()})
    create_container(env=["OPENAI_API_KEY=k"])  # type: ignore[arg-type]
    options["deadlin"] = 5.0  # type: ignore[typeddict-unknown-key]
    faultmaven.opencontainer()  # type: ignore[attr-defined]


def check_generate_sync(container: Container, fake: FakeProvider) -> None:
    """`generate_sync` takes the same arguments as `generate`."""
    assert_type(container.llm().generate_sync("ping", deadline=5.0), LLMResponse)
    assert_type(fake.generate_sync("ping"), LLMResponse)
    container.llm().generate_sync("ping", deadlin=5.0)  # type: ignore[call-arg]


def check_misspelt_import() -> None:
    """Names are resolved lazily, and a misspelt name is still an error."""
    from faultmaven import opencontainer  # type: ignore[attr-defined]

    assert_type(opencontainer, Any)
