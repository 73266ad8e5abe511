"""A response cache in this process's memory. Needs the extra `cache`: cachetools, MIT, without dependencies (8.0.2)."""

import threading

from cachetools import TTLCache

from ...domain.responses import LLMResponse
from ...ports.clock import Clock


class MemoryCache:
    """`ResponseCache` of at most `entries` responses, each for `seconds`; the least recently used is evicted first.

    Safe for use from every thread and event loop: a plain lock guards sections that await nothing.
    """

    def __init__(self, entries: int, seconds: float, clock: Clock) -> None:
        """Start empty. `entries` is 1 or more, `seconds` above 0."""
        self._lock = threading.Lock()
        self._responses: TTLCache[str, LLMResponse] = TTLCache(entries, seconds, timer=clock.monotonic)

    async def get(self, key: str) -> LLMResponse | None:
        """Return the response stored under `key`, None when there is none or it has expired."""
        with self._lock:
            return self._responses.get(key)

    async def put(self, key: str, response: LLMResponse) -> None:
        """Store `response` under `key`; an older response there is replaced and its age starts at 0 again."""
        with self._lock:
            self._responses[key] = response
