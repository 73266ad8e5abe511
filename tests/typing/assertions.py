"""What a type checker must say of our public face. Read by mypy --strict and pyright (`tox -e types`), run by nobody.

A line that must be an error carries `# type: ignore[code]`; where a checker finds none there, it fails: mypy by
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
    """The guide's form with a type for `kwargs`: strict mode has nothing to say."""

    async def generate(
        self,
        prompt: str,
        model: str | None = None,
        max_tokens: int = 1000,
        temperature: float = 0.7,
        **kwargs: Any,
    ) -> LLMResponse:
        """Return a constant."""
        raise NotImplementedError


class WrongProvider(BaseLLMProvider):
    """An override that nobody could call through the base is still an error."""

    async def generate(self, prompt: str) -> LLMResponse:  # type: ignore[override]
        """Return a constant."""
        raise NotImplementedError


class NativeProvider(BaseLLMProvider):
    """A class of the other form, which takes the whole request."""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return a constant."""
        assert_type(request.messages, tuple[Message, ...])
        raise NotImplementedError


def use_port(provider: LLMProvider) -> None:
    """Stand for a host's function that takes the port."""


def adapters_are_providers(config: ProviderConfig, container: Container, shipped: OpenAIProvider) -> None:
    """Whatever ships, routes or fakes satisfies the port, and so does a class of the `answer` form.

    A class of the guide's form does not, and rightly: it takes a string where the port takes turns as well. It comes
    in by its row, where the registry wraps it; `container.llm()` is what satisfies the port.
    """
    use_port(shipped)
    use_port(AnnotatedProvider(config))  # type: ignore[arg-type]
    use_port(NativeProvider(config))
    use_port(FakeProvider("ok"))
    use_port(container.llm())
    use_port(container.registry().get_provider("openai"))
    use_port(FakeClock())  # type: ignore[arg-type]
    use_port(FakeProvider)  # type: ignore[arg-type]


async def a_call(llm: LLMProvider, turns: Sequence[Message]) -> None:
    """A prompt is a string or turns; options are known by name and type."""
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


async def a_stream(llm: LLMProvider) -> None:
    """A stream is a context; iterating it gives chunks."""
    assert_type(llm.stream("ping"), AbstractAsyncContextManager[LLMStream])
    async with llm.stream("ping", temperature=0.0) as stream:
        assert_type(stream.__aiter__(), AsyncIterator[StreamChunk])
        async for chunk in stream:
            assert_type(chunk.text, str | None)
    assert_type(stream.response, LLMResponse)
    llm.stream("ping", temprature=0.0)  # type: ignore[call-arg]


def takes_a_provider(llm: LLMProvider) -> LLMProvider:
    """A host's own function: whatever answers prompts fits."""
    return llm


async def a_container(options: Options) -> None:
    """Parts are known by name and type; entries give what they say."""
    async with open_container({"OPENAI_API_KEY": "k"}, clock=FakeClock(), providers={"x": FakeProvider()}) as container:
        assert_type(container.llm(role="code"), LLMRouter)
        takes_a_provider(container.llm())
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


def a_blocking_call(container: Container, fake: FakeProvider) -> None:
    """The blocking form takes what the other does."""
    assert_type(container.llm().generate_sync("ping", deadline=5.0), LLMResponse)
    assert_type(fake.generate_sync("ping"), LLMResponse)
    container.llm().generate_sync("ping", deadlin=5.0)  # type: ignore[call-arg]


def a_misspelt_import() -> None:
    """Names are resolved lazily, and a misspelt one is an error all the same."""
    from faultmaven import opencontainer  # type: ignore[attr-defined]

    assert_type(opencontainer, Any)
