"""A second provider beside a slow first one: the first good answer wins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ...ports.clock import Clock
from .outcome import Outcome

Ask: TypeAlias = Callable[[], Awaitable[Outcome]]


async def hedged(first: Ask, second: Ask, delay: float, clock: Clock, ends: Callable[[Outcome], bool]) -> list[Outcome]:
    """Ask `first`, and `second` beside it if there is no outcome after `delay` seconds.

    Args:
        ends: Whether an outcome ends the call: whoever is still under way then is cancelled.

    Returns:
        The outcomes in the order in which they came: up to the one that ends the call, or both. Only the first's, when
        it came in time.
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
                if ends(outcomes[-1]):
                    return outcomes
        return outcomes
    finally:
        unfinished: list[asyncio.Future[Any]] = [*tasks, timer]
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
