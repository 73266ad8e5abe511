"""Tests for the in-memory response cache: limited in entries and age, with the newest response of each key."""

import asyncio
import sys
import threading

import pytest

from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.responses import LLMResponse
from faultmaven.infrastructure.optional.memory_cache import MemoryCache
from faultmaven.infrastructure.optional.optional_dependencies import build_response_cache
from faultmaven.testing import FakeClock


def response(text: str) -> LLMResponse:
    return LLMResponse(text, 1.0, "acme", "acme-1", None, 0.0)


async def test_cached_response_is_found_by_key() -> None:
    cache = MemoryCache(2, 60, FakeClock())
    await cache.put("a", response("one"))
    assert await cache.get("a") == response("one")
    assert await cache.get("b") is None


async def test_full_cache_evicts_least_recently_used_response() -> None:
    """`get` counts as a use."""
    cache = MemoryCache(2, 60, FakeClock())
    await cache.put("a", response("one"))
    await cache.put("b", response("two"))
    assert await cache.get("a") is not None
    await cache.put("c", response("three"))
    assert await cache.get("b") is None
    assert [await cache.get(key) for key in "ac"] == [response("one"), response("three")]


async def test_cached_response_expires_by_given_clock() -> None:
    clock = FakeClock()
    cache = MemoryCache(2, 60, clock)
    await cache.put("a", response("one"))
    clock.advance(59)
    assert await cache.get("a") is not None
    clock.advance(1)
    assert await cache.get("a") is None


async def test_newer_response_replaces_older_and_resets_age() -> None:
    clock = FakeClock()
    cache = MemoryCache(2, 60, clock)
    await cache.put("a", response("one"))
    clock.advance(59)
    await cache.put("a", response("two"))
    clock.advance(59)
    assert await cache.get("a") == response("two")


async def test_event_loops_and_threads_share_cache() -> None:
    cache = MemoryCache(50, 60, FakeClock())
    failures: list[BaseException] = []

    async def use(thread: int) -> None:
        for number in range(2000):
            await cache.put(f"{thread} {number}", response("x"))
            await cache.get(f"{thread - 1} {number}")

    def run(thread: int) -> None:
        try:
            asyncio.run(use(thread))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failures == []


async def test_cache_extra_builds_cache_on_given_clock() -> None:
    clock = FakeClock()
    cache = build_response_cache(1, 10, clock)
    await cache.put("a", response("one"))
    assert await cache.get("a") == response("one")
    clock.advance(10)
    assert await cache.get("a") is None


def test_missing_cache_extra_is_named_in_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cachetools", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.memory_cache")
    with pytest.raises(ConfigurationError, match=r'LLM_CACHE_SECONDS.*pip install "faultmaven\[cache\]"'):
        build_response_cache(1, 1, FakeClock())
