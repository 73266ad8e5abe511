"""Where answers are kept for the next identical request."""

from typing import Protocol

from ..domain.responses import LLMResponse


class ResponseCache(Protocol):
    """A bounded store of answers by key; the key covers every field of a request that changes the answer.

    An implementation that cannot reach its store finds nothing and keeps nothing; it raises nothing.
    """

    async def get(self, key: str) -> LLMResponse | None:
        """Return the answer kept under `key`, None when there is none or it is too old."""
        ...

    async def put(self, key: str, response: LLMResponse) -> None:
        """Keep `response` under `key`; an older answer there is replaced."""
        ...
