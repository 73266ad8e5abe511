"""Hand-written aiohttp client: one session, no limit of connections, JSON by the standard library."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

HEADERS = {"authorization": "Bearer key"}


class WithAiohttp:
    """One session; tries the second address if the first one fails."""

    def __init__(self, address: str, fallback: str | None) -> None:
        self._addresses = [f"{base}/chat/completions" for base in (address, fallback) if base]
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=HEADERS)

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        body = _body(prompt, stream=False)
        for address in self._addresses:
            async with self._session.post(address, json=body) as reply:
                if reply.status == 200:
                    text: str = json.loads(await reply.read())["choices"][0]["message"]["content"]
                    return text
        raise AssertionError("no address answered")

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async with self._session.post(self._addresses[0], json=_body(prompt, stream=True)) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _body(prompt: Any, *, stream: bool) -> dict[str, Any]:
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return {"model": "gpt-4o-mini", "messages": messages, "stream": stream}


async def open_client(address: str, fallback: str | None) -> WithAiohttp:
    """Return a client of one address, or of two."""
    return WithAiohttp(address, fallback)
