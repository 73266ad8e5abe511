"""Vendors in memory: OpenAI Chat answers without a network, so that only the cost of this package is measured."""

import json
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faultmaven import Container
from faultmaven.domain.messages import Message
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.types import Headers, OwnTransport, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers.openai_provider import OpenAIProvider
from faultmaven.testing.lab import ANSWER

PROMPT = "Why does my pod restart? " * 8
CHUNKS = 500
DIALECT = "openai-chat/groq"
MODEL = "openai/gpt-oss-120b"

# As vendors send them, since parsing the headers is part of the cost.
_HEADERS = {
    "content-type": "application/json",
    "date": "Wed, 25 Nov 2026 12:00:00 GMT",
    "x-request-id": "req_01k9xexample",
    "x-ratelimit-limit-requests": "1000",
    "x-ratelimit-remaining-requests": "999",
    "x-ratelimit-reset-requests": "86.4s",
    "server": "cloudflare",
    "cache-control": "private, max-age=0, no-store",
}
_USAGE = {"prompt_tokens": 58, "completion_tokens": 30, "total_tokens": 88}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _chunk(delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return b"data: " + _json(body) + b"\n\n"


_ANSWER = _json(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
_REFUSAL = _json({"error": {"message": "Too many requests", "type": "rate_limit_error", "code": "rate_limited"}})
_STREAM = b"".join(
    (
        *(_chunk({"content": f"word {number} "}) for number in range(CHUNKS)),
        _chunk({}, "stop"),
        b"data: " + _json({"choices": [], "usage": _USAGE}) + b"\n\n",
        b"data: [DONE]\n\n",
    )
)


class MemoryStream:
    """A reply stream with the whole body in one block."""

    def __init__(self, head: WireReply, body: bytes) -> None:
        self.head = head
        self._blocks = [b"", body]

    async def read(self) -> bytes:
        """Return the body, then nothing."""
        return self._blocks.pop() if self._blocks else b""

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


class MemoryTransport:
    """A `Transport` that answers immediately; the providers in `down` answer 429."""

    def __init__(self, *down: str) -> None:
        self._down = down

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        """Return an answer, or status 429 for a provider in `down`."""
        if sent.origin.provider in self._down:
            return WireReply(sent, 429, Headers(_HEADERS), _REFUSAL)
        return WireReply(sent, 200, Headers(_HEADERS), _ANSWER)

    async def open(self, sent: WireRequest, timeout: float | None) -> MemoryStream:
        """Return a stream of `CHUNKS` chunks."""
        return MemoryStream(WireReply(sent, 200, Headers({"content-type": "text/event-stream"}), b""), _STREAM)

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""

    # These members make the class an `OwnTransport`, like the built-in one, which is trusted to enforce timeouts.
    is_open = False

    def retire(self) -> None:
        """Do nothing: nothing is open."""

    def loops(self) -> list[AbstractEventLoop]:
        """Return no loop: nothing is open."""
        return []


_OWN: OwnTransport = MemoryTransport()  # mypy fails if the class no longer satisfies the protocol


def vendors(count: int, transport: MemoryTransport) -> dict[str, OpenAIProvider]:
    """Return `count` providers with OpenAI Chat over `transport`: v0, v1 and so on."""
    configs = (
        ProviderConfig(f"v{number}", "k" * 40, "https://vendor.example/v1", [MODEL], dialect=DIALECT)
        for number in range(count)
    )
    return {config.name: OpenAIProvider.create(config, transport, SystemClock()) for config in configs}


def trust_timeouts(container: Container) -> None:
    """Let the routes go without the outer timeout, as those of built-in providers over `HTTPTransport` do."""
    routes: Any = container.registry().snapshot().routes
    for name, route in routes.items():
        routes[name] = replace(route, keeps_time=True)


def conversation(turns: int) -> list[Message]:
    """Return a conversation of `turns` messages that ends with a user message."""
    question, answer = Message.user(PROMPT), Message.assistant(ANSWER)
    return [question if (turns - position) % 2 else answer for position in range(turns)]
