"""What a type checker must say of our public face. Read by mypy --strict (`tox -e types`), run by nobody.

A line that must be an error carries `# type: ignore[code]`; mypy's `warn_unused_ignores` makes it fail the day it is
one no more.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, List, Optional, assert_type  # noqa: UP035 - the guide writes List and Optional

import faultmaven
from faultmaven import (
    ChatRequest,
    Container,
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


class GuideProvider(BaseLLMProvider):
    """The guide's class with the guide's signatures, letter by letter.

    `generate` narrows four parameters that the base types as Any, so the override itself is sound under --strict. The
    one thing that strict mode holds against it is the guide's own bare `**kwargs`: a parameter without a type. Whoever
    writes `**kwargs: Any` (see below) has nothing to ignore.
    """

    @property
    def provider_name(self) -> str:
        """Give the name."""
        return "anthropic"

    def is_available(self) -> bool:
        """Use the config as the guide does."""
        return bool(self.config.api_key and self.config.base_url and self.config.models)

    def get_supported_models(self) -> List[str]:  # noqa: UP006 - the guide's words
        """Use the config as the guide does."""
        return self.config.models.copy()

    async def generate(  # type: ignore[no-untyped-def]
        self,
        prompt: str,
        model: Optional[str] = None,  # noqa: UP045 - the guide's words
        max_tokens: int = 1000,
        temperature: float = 0.7,
        **kwargs,
    ) -> LLMResponse:
        """Use what the base gives, as the guide does."""
        self._start_timing()
        effective_model = self.get_effective_model(model)
        assert_type(effective_model, str)
        content = self._validate_response_content(str(kwargs))
        return LLMResponse(
            content=content,
            confidence=self.config.confidence_score,
            provider=self.provider_name,
            model=effective_model,
            tokens_used=1,
            response_time_ms=self._get_response_time_ms(),
        )


class AnnotatedProvider(BaseLLMProvider):
    """The same with a type for `kwargs`: strict mode has nothing to say."""

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
    use_port(GuideProvider(config))  # type: ignore[arg-type]
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
        assert_type(container.registry(), ProviderRegistry)
    assert_type(create_container(), Container)
    assert_type(get_registry().get_fallback_chain(), list[str])
    create_container(clok=FakeClock())  # type: ignore[call-arg]
    create_container(clock=5)  # type: ignore[arg-type]
    create_container(env=["OPENAI_API_KEY=k"])  # type: ignore[arg-type]
    options["deadlin"] = 5.0  # type: ignore[typeddict-unknown-key]
    faultmaven.opencontainer()  # type: ignore[attr-defined]


def a_misspelt_import() -> None:
    """Names are resolved lazily, and a misspelt one is an error all the same."""
    from faultmaven import opencontainer  # type: ignore[attr-defined]

    assert_type(opencontainer, Any)
