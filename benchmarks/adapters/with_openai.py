"""openai's SDK, its defaults but no retries; it has no failing over of its own: a hand-written try stands in."""

from collections.abc import AsyncIterator
from typing import Any

import openai

MODEL = "gpt-4o-mini"


class WithOpenAI:
    """Clients of one address each, asked in order."""

    def __init__(self, *clients: Any) -> None:
        self._clients = clients

    async def ask(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        for client in self._clients:
            try:
                answer = await client.chat.completions.create(model=MODEL, messages=messages)
            except openai.APIStatusError:
                continue
            return answer.choices[0].message.content or ""
        raise AssertionError("nobody answered")

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the pieces."""
        messages = [{"role": "user", "content": prompt}]
        client = self._clients[0]
        async with await client.chat.completions.create(model=MODEL, messages=messages, stream=True) as chunks:
            async for chunk in chunks:
                yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()


async def opened(address: str, fallback: str | None) -> WithOpenAI:
    """Return a client of one address, or of two."""
    bases = [base for base in (address, fallback) if base]
    return WithOpenAI(*(openai.AsyncOpenAI(api_key="key", base_url=base, max_retries=0) for base in bases))
