"""Things that belong to one event loop: HTTP clients, locks."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value per running event loop, made on first use and closed when its loop or its owner ends.

    The value's closing is an asynchronous generator of that loop: `asyncio.run` (and pytest-asyncio, and uvloop) close
    those before they close the loop, so connections end inside the loop that opened them and nothing is left to the
    garbage collector. A loop that was closed otherwise is noticed on the next use, and its value is dropped.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> None:
        self._make = make
        self._close = close
        self._values: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}
        self._ending: dict[asyncio.Task[None], AsyncGenerator[None, None]] = {}

    async def get(self) -> T:
        """Return the running loop's value."""
        loop = asyncio.get_running_loop()
        found = self._values.get(loop)
        if found is not None:
            return found[0]
        self._drop_closed()
        value = self._make()
        closing = self._closing(loop, value)
        self._values[loop] = (value, closing)
        await anext(closing)  # suspends nowhere: the generator yields at once
        return value

    def here(self) -> T | None:
        """Return the running loop's value, None when there is none yet."""
        found = self._values.get(asyncio.get_running_loop())
        return found[0] if found else None

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the loops that have a value or are still closing one."""
        self._drop_closed()
        return [*self._values, *(task.get_loop() for task in list(self._ending))]

    def close_soon(self) -> None:
        """Close the running loop's value in a task of its own; from here on, `get` makes a new one."""
        found = self._values.pop(asyncio.get_running_loop(), None)
        if found is not None:
            task = asyncio.get_running_loop().create_task(_ended(found[1]))
            self._ending[task] = found[1]
            task.add_done_callback(self._forget)

    async def aclose(self) -> None:
        """Close the running loop's value; values of other loops close with their loops."""
        loop = asyncio.get_running_loop()
        found = self._values.get(loop)
        if found is not None:
            await found[1].aclose()
        self._drop_closed()
        ending = [task for task in list(self._ending) if task.get_loop() is loop]
        if ending:
            await asyncio.wait(ending)

    async def _closing(self, loop: asyncio.AbstractEventLoop, value: T) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            found = self._values.get(loop)
            if found is not None and found[0] is value:  # a later value of this loop is not ours to drop
                self._values.pop(loop, None)
            if self._close is not None:
                await self._close(value)

    def _forget(self, task: asyncio.Task[None]) -> None:
        # One that was cancelled may not have begun: kept alive, its generator is closed with the loop.
        if not task.cancelled():
            self._ending.pop(task, None)

    def _drop_closed(self) -> None:
        for loop in [loop for loop in list(self._values) if loop.is_closed()]:
            self._values.pop(loop, None)
        for task in [task for task in list(self._ending) if task.get_loop().is_closed()]:
            self._ending.pop(task, None)


async def _ended(closing: AsyncGenerator[None, None]) -> None:
    await closing.aclose()
