"""What a call holds while its vendor thinks: Python's collector walks through all of it, for every call under way."""

import asyncio
import gc
from collections.abc import Iterator
from types import CoroutineType
from typing import Any

import pytest

from faultmaven import Container, create_container
from faultmaven.infrastructure.http.types import ReplyStream, WireReply, WireRequest

CALLS = 50
WAITING = (
    "asking",
    "ChatProvider.generate",
    "LLMRouter.answer",
    "LLMRouter._carry_out",
    "ask",
    "_whole",
    "DialectProvider.exchange",
    "Silent.send",
)
MOST_OBJECTS = 40
"""36 on Python 3.11; the slack is other versions' own."""


class Silent:
    """A transport that never answers, and says that it would keep its time."""

    keeps_time = True

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        self.asked.release()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        raise AssertionError

    async def aclose(self) -> None: ...


async def asking(container: Container) -> None:
    await container.llm().generate("ping")


def waiting(coroutine: Any) -> Iterator[str]:
    """Give the names of the coroutines that wait for one another."""
    while isinstance(coroutine, CoroutineType):
        yield coroutine.__qualname__
        coroutine = coroutine.cr_await


async def under_way(container: Container, silent: Silent, calls: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(asking(container)) for _ in range(calls)]
    for _ in tasks:
        await silent.asked.acquire()
    return tasks


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture
def container(silent: Silent) -> Container:
    return create_container({"OPENAI_API_KEY": "key"}, transport=silent)


async def test_few_coroutines_wait_for_one_another(container: Container, silent: Silent) -> None:
    tasks = await under_way(container, silent, 1)
    assert tuple(waiting(tasks[0].get_coro())) == WAITING
    await ended(tasks)


async def test_a_call_under_way_holds_few_objects(container: Container, silent: Silent) -> None:
    first = await under_way(container, silent, 1)  # what is made once is there
    gc.collect()
    before = len(gc.get_objects())
    tasks = await under_way(container, silent, CALLS)
    gc.collect()
    held = (len(gc.get_objects()) - before) / CALLS
    await ended(first + tasks)
    assert held <= MOST_OBJECTS
