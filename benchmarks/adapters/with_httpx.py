"""Hand-written httpx client: one client with connection limits above the load of the benchmarks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

HEADERS = {"authorization": "Bearer key"}
LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)


class WithHTTPX:
    """One client; tries the second address if the first one fails."""

    def __init__(self, address: str, fallback: str | None) -> None:
        self._addresses = [f"{base}/chat/completions" for base in (address, fallback) if base]
        self._client = httpx.AsyncClient(headers=HEADERS, limits=LIMITS, timeout=60)

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        body = _body(prompt, stream=False)
        for address in self._addresses:
            reply = await self._client.post(address, json=body)
            if reply.status_code == 200:
                text: str = reply.json()["choices"][0]["message"]["content"]
                return text
        raise AssertionError("no address answered")

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async with self._client.stream("POST", self._addresses[0], json=_body(prompt, stream=True)) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _body(prompt: Any, *, stream: bool) -> dict[str, Any]:
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return {"model": "gpt-4o-mini", "messages": messages, "stream": stream}


async def open_client(address: str, fallback: str | None) -> WithHTTPX:
    """Return a client of one address, or of two."""
    return WithHTTPX(address, fallback)
