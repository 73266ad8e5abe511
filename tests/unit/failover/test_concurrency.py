"""Places at a provider: taken, waited for, given back, over one event loop and several."""

import asyncio
import threading

import pytest

from faultmaven.application.resilience.concurrency_limiter import QUEUED_PER_PLACE, ConcurrencyLimiter


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_are_inside() -> None:
    gate, inside, most = ConcurrencyLimiter(3), 0, 0

    async def call() -> None:
        nonlocal inside, most
        assert await gate.enter()
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        gate.leave()

    await asyncio.gather(*(call() for _ in range(30)))
    assert (most, gate.taken) == (3, 0)


async def test_the_queue_is_bounded_and_says_no_at_once() -> None:
    gate = ConcurrencyLimiter(1)
    assert await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(QUEUED_PER_PLACE)]
    await settle()
    assert gate.is_full
    assert await gate.enter() is False
    for _ in waiting:
        gate.leave()
    assert all(await asyncio.gather(*waiting))
    gate.leave()
    assert gate.taken == 0


async def test_places_are_given_in_the_order_of_asking() -> None:
    gate, order = ConcurrencyLimiter(1), list[int]()
    assert await gate.enter()

    async def call(number: int) -> None:
        await gate.enter()
        order.append(number)
        gate.leave()

    tasks = [asyncio.create_task(call(number)) for number in range(5)]
    await settle()
    gate.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_whoever_is_cancelled_while_waiting_took_nothing() -> None:
    gate = ConcurrencyLimiter(1)
    assert await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    behind = asyncio.create_task(gate.enter())
    await settle()
    waiting.cancel()
    await settle()
    gate.leave()
    assert await behind
    gate.leave()
    assert gate.taken == 0


async def test_a_place_that_comes_in_the_moment_of_cancelling_goes_to_the_next() -> None:
    gate = ConcurrencyLimiter(1)
    assert await gate.enter()
    waiting, behind = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
    await settle()
    gate.leave()  # wakes `waiting`, which has not run yet
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await behind
    gate.leave()
    assert gate.taken == 0


async def test_a_larger_limit_lets_those_in_who_wait() -> None:
    gate = ConcurrencyLimiter(1)
    assert await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await settle()
    gate.resize(3)
    assert all(await asyncio.gather(*waiting))
    assert gate.taken == 3


def test_one_gate_serves_several_event_loops() -> None:
    gate, lock, inside, most = ConcurrencyLimiter(2), threading.Lock(), 0, 0

    async def call() -> None:
        nonlocal inside, most
        if not await gate.enter():
            return
        with lock:
            inside += 1
            most = max(most, inside)
        await asyncio.sleep(0.0005)
        with lock:
            inside -= 1
        gate.leave()

    async def many() -> None:
        await asyncio.gather(*(call() for _ in range(8)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert gate.taken == 0
    assert 0 < most <= 2
