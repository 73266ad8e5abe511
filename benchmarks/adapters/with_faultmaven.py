"""faultmaven with default features: the router of a container opened from variables, without configured logging."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faultmaven import LLMRouter, Message, open_container

# The circuit breaker counts but never opens: the failover rows need a request to the primary in every call.
FAILOVER_VARIABLES = {"LLM_MAX_RETRIES": "0", "LLM_BREAKER_MIN_CALLS": "1000000000"}
ROW = """
[providers.bench_{number}]
provider_class = "OpenAIProvider"
api_key_var = "BENCH_{number}_API_KEY"
model_var = "BENCH_{number}_MODEL"
default_base_url = "{address}"
default_model = "gpt-4o-mini"
max_retries = 3
timeout = 60
confidence_score = 0.5
"""


class WithFaultmaven:
    """The router of an open container."""

    def __init__(self, router: LLMRouter, stack: AsyncExitStack) -> None:
        self._router = router
        self._stack = stack
        self._cached_turns: list[dict[str, str]] = []
        self._cached_messages: list[Message] = []

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        response = await self._router.generate(prompt if isinstance(prompt, str) else self._messages(prompt))
        return response.content

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async with self._router.stream(prompt) as stream:
            async for chunk in stream:
                yield chunk.text or ""

    def _messages(self, turns: list[dict[str, str]]) -> list[Message]:
        """Return the turns as messages, created only once, as a host application would."""
        if turns is not self._cached_turns:
            self._cached_turns, self._cached_messages = (
                turns,
                [getattr(Message, turn["role"])(turn["content"]) for turn in turns],
            )
        return self._cached_messages

    async def close(self) -> None:
        """Close the container."""
        await self._stack.aclose()


async def open_client(address: str, fallback: str | None, providers: int = 1) -> WithFaultmaven:
    """Return a client with one provider, with a failing and a fallback provider, or with `providers` rows."""
    env = {"OPENAI_API_KEY": "key", "OPENAI_API_BASE": address, "OPENAI_MODEL": "gpt-4o-mini"}
    env["CHAT_PROVIDER"] = "openai"
    stack = AsyncExitStack()
    if fallback:
        env |= {"GROQ_API_KEY": "key", "GROQ_API_BASE": fallback, "GROQ_MODEL": "gpt-4o-mini", **FAILOVER_VARIABLES}
    if providers > 1:
        env |= {f"BENCH_{number}_API_KEY": "key" for number in range(1, providers)}
        rows = Path(stack.enter_context(TemporaryDirectory())) / "providers.toml"
        rows.write_text("".join(ROW.format(number=n, address=address) for n in range(1, providers)), "utf-8")
        env["LLM_PROVIDERS_FILE"] = str(rows)
    container = await stack.enter_async_context(open_container(env))
    return WithFaultmaven(container.llm(), stack)
