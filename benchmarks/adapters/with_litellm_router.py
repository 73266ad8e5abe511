"""litellm's Router: two deployments, the second a fallback of the first; no retries, no cooldowns."""

from collections.abc import AsyncIterator
from typing import Any

import litellm

MODEL = "openai/gpt-4o-mini"


class WithRouter:
    """A litellm Router."""

    def __init__(self, address: str, fallback: str | None) -> None:
        bases = {"first": address} | ({"second": fallback} if fallback else {})
        self._router = litellm.Router(
            model_list=[
                {
                    "model_name": name,
                    "litellm_params": {"model": MODEL, "api_base": base, "api_key": "key", "max_retries": 0},
                }
                for name, base in bases.items()
            ],
            fallbacks=[{"first": ["second"]}] if fallback else [],
            num_retries=0,
            disable_cooldowns=True,
        )

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        answer = await self._router.acompletion(model="first", messages=messages)
        text: str = answer.choices[0].message.content
        return text

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        messages = [{"role": "user", "content": prompt}]
        async for chunk in await self._router.acompletion(model="first", messages=messages, stream=True):
            yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close the clients that the library keeps open."""
        self._router.discard()
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


async def open_client(address: str, fallback: str | None) -> WithRouter:
    """Return a Router over one deployment, or over two."""
    return WithRouter(address, fallback)
