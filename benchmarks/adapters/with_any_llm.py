"""any-llm's instances, since the library's function creates a client for each call; without failover of its own."""

from collections.abc import AsyncIterator
from typing import Any

from any_llm import AnyLLM

MODEL = "gpt-4o-mini"


class WithAnyLLM:
    """One instance per address, tried in order."""

    def __init__(self, bases: list[str]) -> None:
        self._instances = [AnyLLM.create("openai", api_key="key", api_base=base, max_retries=0) for base in bases]

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        for instance in self._instances[:-1]:
            try:
                return _text(await instance.acompletion(model=MODEL, messages=messages))
            except Exception:  # noqa: BLE001, S112 - the library raises the SDK's errors and own ones
                continue
        return _text(await self._instances[-1].acompletion(model=MODEL, messages=messages))

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        messages = [{"role": "user", "content": prompt}]
        async for chunk in await self._instances[0].acompletion(model=MODEL, messages=messages, stream=True):
            yield chunk.choices[0].delta.content or ""

    async def close(self) -> None:
        """Close the SDK's clients, which any-llm does not close."""
        for instance in self._instances:
            await instance.client.close()


def _text(answer: Any) -> str:
    text: str = answer.choices[0].message.content
    return text


async def open_client(address: str, fallback: str | None) -> WithAnyLLM:
    """Return an instance of one address, or of two."""
    return WithAnyLLM([base for base in (address, fallback) if base])
