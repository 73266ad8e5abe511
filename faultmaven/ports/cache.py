"""Port for a cache of responses."""

from typing import Protocol

from ..domain.responses import LLMResponse


class ResponseCache(Protocol):
    """A bounded store of responses by key. The key covers every field of a request that changes the response.

    If an implementation cannot reach its store, `get` returns None and `put` does nothing; neither raises an error.
    """

    async def get(self, key: str) -> LLMResponse | None:
        """Return the response stored under `key`, None if there is none or the stored response is too old."""
        ...

    async def put(self, key: str, response: LLMResponse) -> None:
        """Store `response` under `key`, in place of an older response."""
        ...
