"""openai's SDK with default settings but without retries. The SDK has no failover, so this adapter adds a loop."""

from collections.abc import AsyncIterator
from typing import Any

import openai

MODEL = "gpt-4o-mini"


class WithOpenAI:
    """One client per address, tried in order."""

    def __init__(self, *clients: Any) -> None:
        self._clients = clients

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        for client in self._clients:
            try:
                answer = await client.chat.completions.create(model=MODEL, messages=messages)
            except openai.APIStatusError:
                continue
            return answer.choices[0].message.content or ""
        raise AssertionError("no address answered")

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        messages = [{"role": "user", "content": prompt}]
        client = self._clients[0]
        async with await client.chat.completions.create(model=MODEL, messages=messages, stream=True) as chunks:
            async for chunk in chunks:
                yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()


async def open_client(address: str, fallback: str | None) -> WithOpenAI:
    """Return a client of one address, or of two."""
    bases = [base for base in (address, fallback) if base]
    return WithOpenAI(*(openai.AsyncOpenAI(api_key="key", base_url=base, max_retries=0) for base in bases))
