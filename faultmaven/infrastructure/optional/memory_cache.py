"""Answers kept in this process's memory. Needs the extra `cache`: cachetools, MIT, which pulls in nothing (8.0.2)."""

import threading

from cachetools import TTLCache

from ...domain.responses import LLMResponse
from ...ports.clock import Clock


class MemoryCache:
    """`ResponseCache` of at most `entries` answers, each for `seconds`; the one unused for longest makes room first.

    Every thread and every event loop may use it: a plain lock guards sections that await nothing.
    """

    def __init__(self, entries: int, seconds: float, clock: Clock) -> None:
        """Start empty. `entries` is 1 or more, `seconds` above 0."""
        self._lock = threading.Lock()
        self._kept: TTLCache[str, LLMResponse] = TTLCache(entries, seconds, timer=clock.monotonic)

    async def get(self, key: str) -> LLMResponse | None:
        """Return the answer kept under `key`, None when there is none or it is too old."""
        with self._lock:
            return self._kept.get(key)

    async def put(self, key: str, response: LLMResponse) -> None:
        """Keep `response` under `key`; an older answer there is replaced and its age begins anew."""
        with self._lock:
            self._kept[key] = response
