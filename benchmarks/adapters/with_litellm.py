"""litellm's `acompletion` with default settings."""

from collections.abc import AsyncIterator
from typing import Any

import litellm

MODEL = "openai/gpt-4o-mini"


class WithLitellm:
    """The function with a fixed address."""

    def __init__(self, address: str) -> None:
        self._options = {"model": MODEL, "api_base": address, "api_key": "key", "num_retries": 0, "max_retries": 0}

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        answer = await litellm.acompletion(messages=messages, **self._options)
        text: str = answer.choices[0].message.content
        return text

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        messages = [{"role": "user", "content": prompt}]
        async for chunk in await litellm.acompletion(messages=messages, stream=True, **self._options):
            yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close the clients that the library keeps open."""
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


async def open_client(address: str, fallback: str | None) -> WithLitellm:
    """Return a client without failover, which only litellm's Router has."""
    assert fallback is None
    return WithLitellm(address)
