"""Answers kept in memory: so many, so long, the newest for each key."""

import asyncio
import sys
import threading

import pytest

from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.responses import LLMResponse
from faultmaven.infrastructure.optional.memory_cache import MemoryCache
from faultmaven.infrastructure.optional.optional_dependencies import build_response_cache
from faultmaven.testing import FakeClock


def answer(text: str) -> LLMResponse:
    return LLMResponse(text, 1.0, "acme", "acme-1", None, 0.0)


async def test_an_answer_is_found_under_its_key_alone() -> None:
    cache = MemoryCache(2, 60, FakeClock())
    await cache.put("a", answer("one"))
    assert await cache.get("a") == answer("one")
    assert await cache.get("b") is None


async def test_no_more_answers_are_kept_than_there_are_places() -> None:
    """The one unused for longest makes room."""
    cache = MemoryCache(2, 60, FakeClock())
    await cache.put("a", answer("one"))
    await cache.put("b", answer("two"))
    assert await cache.get("a") is not None
    await cache.put("c", answer("three"))
    assert await cache.get("b") is None
    assert [await cache.get(key) for key in "ac"] == [answer("one"), answer("three")]


async def test_an_answer_grows_too_old_by_our_clock() -> None:
    clock = FakeClock()
    cache = MemoryCache(2, 60, clock)
    await cache.put("a", answer("one"))
    clock.advance(59)
    assert await cache.get("a") is not None
    clock.advance(1)
    assert await cache.get("a") is None


async def test_a_newer_answer_replaces_the_older_and_its_age() -> None:
    clock = FakeClock()
    cache = MemoryCache(2, 60, clock)
    await cache.put("a", answer("one"))
    clock.advance(59)
    await cache.put("a", answer("two"))
    clock.advance(59)
    assert await cache.get("a") == answer("two")


async def test_several_loops_and_threads_share_it() -> None:
    cache = MemoryCache(50, 60, FakeClock())
    failures: list[BaseException] = []

    async def use(thread: int) -> None:
        for number in range(2000):
            await cache.put(f"{thread} {number}", answer("x"))
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


async def test_the_extra_builds_a_cache_on_our_clock() -> None:
    clock = FakeClock()
    cache = build_response_cache(1, 10, clock)
    await cache.put("a", answer("one"))
    assert await cache.get("a") == answer("one")
    clock.advance(10)
    assert await cache.get("a") is None


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cachetools", None)
    monkeypatch.delitem(sys.modules, "faultmaven.infrastructure.optional.memory_cache")
    with pytest.raises(ConfigurationError, match=r'LLM_CACHE_SECONDS.*pip install "faultmaven\[cache\]"'):
        build_response_cache(1, 1, FakeClock())
