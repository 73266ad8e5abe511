"""A hedge: a second candidate is tried beside a slow first one, and the first accepted outcome wins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ...ports.clock import Clock
from .outcome import Outcome

Try: TypeAlias = Callable[[], Awaitable[Outcome]]


async def hedged(
    first: Try, second: Try, delay: float, clock: Clock, ends_call: Callable[[Outcome], bool]
) -> list[Outcome]:
    """Run `first`, and `second` beside it when `first` has no outcome after `delay` seconds.

    Args:
        ends_call: Whether an outcome ends the call: then the other candidate is cancelled.

    Returns:
        The outcomes in the order in which they came, up to one that ends the call. Where `first` came in time, its
        outcome alone.
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
                if ends_call(outcomes[-1]):
                    return outcomes
        return outcomes
    finally:
        unfinished: list[asyncio.Future[Any]] = [*tasks, timer]
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
