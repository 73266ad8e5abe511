"""The concurrency limiter: permits taken, queued for and released, in one event loop and across several."""

import asyncio
import threading

import pytest

from faultmaven.application.resilience.concurrency_limiter import QUEUED_PER_PLACE, ConcurrencyLimiter


async def run_pending_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_active_calls_never_exceed_the_limit() -> None:
    limiter, active, max_active = ConcurrencyLimiter(3), 0, 0

    async def call() -> None:
        nonlocal active, max_active
        assert await limiter.enter()
        active += 1
        max_active = max(max_active, active)
        await asyncio.sleep(0)
        active -= 1
        limiter.leave()

    await asyncio.gather(*(call() for _ in range(30)))
    assert (max_active, limiter.taken) == (3, 0)


async def test_full_queue_refuses_calls_at_once() -> None:
    limiter = ConcurrencyLimiter(1)
    assert await limiter.enter()
    waiting = [asyncio.create_task(limiter.enter()) for _ in range(QUEUED_PER_PLACE)]
    await run_pending_tasks()
    assert limiter.is_full
    assert await limiter.enter() is False
    for _ in waiting:
        limiter.leave()
    assert all(await asyncio.gather(*waiting))
    limiter.leave()
    assert limiter.taken == 0


async def test_permits_are_granted_in_request_order() -> None:
    limiter, order = ConcurrencyLimiter(1), list[int]()
    assert await limiter.enter()

    async def call(number: int) -> None:
        await limiter.enter()
        order.append(number)
        limiter.leave()

    tasks = [asyncio.create_task(call(number)) for number in range(5)]
    await run_pending_tasks()
    limiter.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_cancelled_waiter_takes_no_permit() -> None:
    limiter = ConcurrencyLimiter(1)
    assert await limiter.enter()
    waiting = asyncio.create_task(limiter.enter())
    next_waiter = asyncio.create_task(limiter.enter())
    await run_pending_tasks()
    waiting.cancel()
    await run_pending_tasks()
    limiter.leave()
    assert await next_waiter
    limiter.leave()
    assert limiter.taken == 0


async def test_permit_granted_during_cancellation_passes_on() -> None:
    limiter = ConcurrencyLimiter(1)
    assert await limiter.enter()
    waiting, next_waiter = asyncio.create_task(limiter.enter()), asyncio.create_task(limiter.enter())
    await run_pending_tasks()
    limiter.leave()  # wakes `waiting`, whose task has not run yet
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await next_waiter
    limiter.leave()
    assert limiter.taken == 0


async def test_larger_limit_admits_waiting_calls() -> None:
    limiter = ConcurrencyLimiter(1)
    assert await limiter.enter()
    waiting = [asyncio.create_task(limiter.enter()) for _ in range(2)]
    await run_pending_tasks()
    limiter.resize(3)
    assert all(await asyncio.gather(*waiting))
    assert limiter.taken == 3


def test_one_limiter_serves_several_event_loops() -> None:
    limiter, lock, active, max_active = ConcurrencyLimiter(2), threading.Lock(), 0, 0

    async def call() -> None:
        nonlocal active, max_active
        if not await limiter.enter():
            return
        with lock:
            active += 1
            max_active = max(max_active, active)
        await asyncio.sleep(0.0005)
        with lock:
            active -= 1
        limiter.leave()

    async def run_calls() -> None:
        await asyncio.gather(*(call() for _ in range(8)))

    threads = [threading.Thread(target=lambda: asyncio.run(run_calls())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert limiter.taken == 0
    assert 0 < max_active <= 2
