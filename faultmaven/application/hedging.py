"""A second provider beside a slow first one: the first good answer wins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from faultmaven.application.attempt import Outcome
from faultmaven.ports.clock import Clock

Ask: TypeAlias = Callable[[], Awaitable[Outcome]]


async def hedged(first: Ask, second: Ask, delay: float, clock: Clock) -> list[Outcome]:
    """Ask `first`, and `second` beside it if there is no outcome after `delay` seconds.

    Returns:
        The outcomes in the order in which they came; the last one is good, or both are there and none is. Only the
        first's, when it came in time. Whoever is still under way when a good one comes is cancelled.
    """
    leader = asyncio.ensure_future(first())
    timer = asyncio.ensure_future(clock.sleep(delay))
    tasks: set[asyncio.Future[Outcome]] = {leader}
    outcomes: list[Outcome] = []
    try:
        await asyncio.wait({leader, timer}, return_when=asyncio.FIRST_COMPLETED)
        if leader.done():
            return [leader.result()]
        tasks.add(asyncio.ensure_future(second()))
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                outcomes.append(task.result())
                if outcomes[-1].is_good:
                    return outcomes
        return outcomes
    finally:
        unfinished: list[asyncio.Future[Any]] = [*tasks, timer]
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
