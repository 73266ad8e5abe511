"""langchain's chat model for OpenAI, `with_fallbacks` where there are two addresses; no retries."""

from collections.abc import AsyncIterator
from typing import Any

import openai
from langchain_openai import ChatOpenAI


class WithLangchain:
    """A chat model, or one with a fallback."""

    def __init__(self, address: str, fallback: str | None) -> None:
        # langchain's default clients are shared per address and never closed; these have the same configuration.
        self._clients = [openai.DefaultAsyncHttpxClient() for base in (address, fallback) if base]
        models = [
            ChatOpenAI(model="gpt-4o-mini", api_key="key", base_url=base, max_retries=0, http_async_client=client)
            for base, client in zip((address, fallback), self._clients, strict=False)
        ]
        self._model: Any = models[0].with_fallbacks(models[1:]) if fallback else models[0]

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        answer = await self._model.ainvoke(prompt)
        return str(answer.content)

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async for chunk in self._model.astream(prompt):
            yield str(chunk.content)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()


async def open_client(address: str, fallback: str | None) -> WithLangchain:
    """Return a chat model of one address, or of two."""
    return WithLangchain(address, fallback)
