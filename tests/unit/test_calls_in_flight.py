"""Memory of a call in flight: Python's garbage collector traverses every object that a waiting call holds."""

import asyncio
import gc
from collections.abc import Iterator
from types import CoroutineType
from typing import Any

import pytest

from faultmaven import Container, create_container
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.carrier import CarrierReply, Progress
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import WireRequest

CALLS = 50
AWAITED_COROUTINES = (
    "send_prompt",
    "ChatProvider.generate",
    "LLMRouter.answer",
    "Call.run",
    "Call._try",
    "try_candidate",
    "whole_attempt",
    "DialectProvider.answer",
    "DialectProvider.exchange",
    "HTTPTransport.send",
    "SilentCarrier.open",
)
MAX_OBJECTS_PER_CALL = 47
"""43 objects on Python 3.11; the margin is for other versions."""


class SilentCarrier:
    """A carrier whose requests get no reply."""

    def __init__(self) -> None:
        self.requests = asyncio.Semaphore(0)

    async def open(self, sent: WireRequest, timeout: float | None, progress: Progress) -> CarrierReply:
        self.requests.release()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def aclose(self) -> None: ...


async def send_prompt(container: Container) -> None:
    await container.llm().generate("ping")


def awaited_coroutines(coroutine: Any) -> Iterator[str]:
    """Yield the names of the coroutines that await one another, from the outermost."""
    while isinstance(coroutine, CoroutineType):
        yield coroutine.__qualname__
        coroutine = coroutine.cr_await


async def start_calls(container: Container, carrier: SilentCarrier, calls: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(send_prompt(container)) for _ in range(calls)]
    for _ in tasks:
        await carrier.requests.acquire()
    return tasks


async def cancel_calls(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def carrier() -> SilentCarrier:
    return SilentCarrier()


@pytest.fixture
def container(carrier: SilentCarrier, monkeypatch: pytest.MonkeyPatch) -> Container:
    transport = HTTPTransport(SystemClock())
    monkeypatch.setattr(transport, "_make_carrier", lambda: carrier)
    return create_container({"OPENAI_API_KEY": "key"}, transport=transport)


async def test_waiting_call_awaits_few_coroutines(container: Container, carrier: SilentCarrier) -> None:
    tasks = await start_calls(container, carrier, 1)
    assert tuple(awaited_coroutines(tasks[0].get_coro())) == AWAITED_COROUTINES
    await cancel_calls(tasks)


async def test_call_in_flight_holds_few_objects(container: Container, carrier: SilentCarrier) -> None:
    warm_up = await start_calls(container, carrier, 1)  # creates the objects that calls share
    gc.collect()
    before = len(gc.get_objects())
    tasks = await start_calls(container, carrier, CALLS)
    gc.collect()
    objects_per_call = (len(gc.get_objects()) - before) / CALLS
    await cancel_calls(warm_up + tasks)
    assert objects_per_call <= MAX_OBJECTS_PER_CALL
