"""pydantic-ai's Agent, with a FallbackModel for two addresses."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.fallback import FallbackModel
from with_pydantic_ai_direct import model_at


class WithAgent:
    """An agent without tools."""

    def __init__(self, address: str, fallback: str | None) -> None:
        models, self._clients = zip(*(model_at(base) for base in (address, fallback) if base), strict=True)
        self._agent = Agent(FallbackModel(*models) if fallback else models[0])

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        text: str = (await self._agent.run(prompt)).output
        return text

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async with self._agent.run_stream(prompt) as result:
            async for text in result.stream_text(delta=True, debounce_by=None):
                yield text

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()


async def open_client(address: str, fallback: str | None) -> WithAgent:
    """Return an agent over one model, or over two."""
    return WithAgent(address, fallback)
