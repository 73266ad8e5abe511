"""faultmaven with everything on, as a host has it: a container opened from variables, its router, no logging set up."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from faultmaven import LLMRouter, Message, open_container

# The breaker counts but never opens: the rows about failing over want the primary to be asked each time.
FAILING_OVER = {"LLM_MAX_RETRIES": "0", "LLM_BREAKER_MIN_CALLS": "1000000000"}
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
    """An open container's router."""

    def __init__(self, router: LLMRouter, stack: AsyncExitStack) -> None:
        self._router = router
        self._stack = stack
        self._turns: list[dict[str, str]] = []
        self._held: list[Message] = []

    async def ask(self, prompt: Any) -> str:
        """Return the whole answer."""
        response = await self._router.generate(prompt if isinstance(prompt, str) else self._messages(prompt))
        return response.content

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the pieces."""
        async with self._router.stream(prompt) as stream:
            async for chunk in stream:
                yield chunk.text or ""

    def _messages(self, turns: list[dict[str, str]]) -> list[Message]:
        """Return the turns as a host would hold them; made once, since a host would not make them again either."""
        if turns is not self._turns:
            self._turns, self._held = turns, [getattr(Message, turn["role"])(turn["content"]) for turn in turns]
        return self._held

    async def close(self) -> None:
        """Close the container."""
        await self._stack.aclose()


async def opened(address: str, fallback: str | None, providers: int = 1) -> WithFaultmaven:
    """Return a client of one provider, of a failing one and a second one, or of `providers` in one registry."""
    env = {"OPENAI_API_KEY": "key", "OPENAI_API_BASE": address, "OPENAI_MODEL": "gpt-4o-mini"}
    env["CHAT_PROVIDER"] = "openai"
    stack = AsyncExitStack()
    if fallback:
        env |= {"GROQ_API_KEY": "key", "GROQ_API_BASE": fallback, "GROQ_MODEL": "gpt-4o-mini", **FAILING_OVER}
    if providers > 1:
        env |= {f"BENCH_{number}_API_KEY": "key" for number in range(1, providers)}
        rows = Path(stack.enter_context(TemporaryDirectory())) / "providers.toml"
        rows.write_text("".join(ROW.format(number=n, address=address) for n in range(1, providers)), "utf-8")
        env["LLM_PROVIDERS_FILE"] = str(rows)
    container = await stack.enter_async_context(open_container(env))
    return WithFaultmaven(container.llm(), stack)
