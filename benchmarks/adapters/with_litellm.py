"""litellm's function, its defaults."""

from collections.abc import AsyncIterator
from typing import Any

import litellm

MODEL = "openai/gpt-4o-mini"


class WithLitellm:
    """The function with an address."""

    def __init__(self, address: str) -> None:
        self._options = {"model": MODEL, "api_base": address, "api_key": "key", "num_retries": 0, "max_retries": 0}

    async def ask(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        answer = await litellm.acompletion(messages=messages, **self._options)
        text: str = answer.choices[0].message.content
        return text

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the pieces."""
        messages = [{"role": "user", "content": prompt}]
        async for chunk in await litellm.acompletion(messages=messages, stream=True, **self._options):
            yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close what the library says it keeps open."""
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


async def opened(address: str, fallback: str | None) -> WithLitellm:
    """Return the function; the Router is what fails over."""
    assert fallback is None
    return WithLitellm(address)
