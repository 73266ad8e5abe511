"""Values that belong to one event loop, such as HTTP clients and locks."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value per running event loop, made on first use and closed when its loop or its owner ends.

    An asynchronous generator of the loop closes the value: `asyncio.run` (and pytest-asyncio, and uvloop) close such
    generators before they close the loop, so connections end inside the loop that opened them and none is left to the
    garbage collector. A loop that was closed without that is noticed on the next use, and its value is dropped.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> None:
        self._make = make
        self._close = close
        self._values: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}
        self._closing: dict[asyncio.Task[None], AsyncGenerator[None, None]] = {}

    async def get(self) -> T:
        """Return the running loop's value."""
        loop = asyncio.get_running_loop()
        entry = self._values.get(loop)
        if entry is not None:
            return entry[0]
        self._drop_closed()
        value = self._make()
        closer = self._close_at_end(loop, value)
        self._values[loop] = (value, closer)
        await anext(closer)  # never suspends: the generator yields at once
        return value

    def get_existing(self) -> T | None:
        """Return the running loop's value, None when there is none yet."""
        entry = self._values.get(asyncio.get_running_loop())
        return entry[0] if entry else None

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the loops that have a value or are still closing one."""
        self._drop_closed()
        return [*self._values, *(task.get_loop() for task in list(self._closing))]

    def close_soon(self) -> None:
        """Close the running loop's value in a task of its own; from here on, `get` makes a new one."""
        entry = self._values.pop(asyncio.get_running_loop(), None)
        if entry is not None:
            task = asyncio.get_running_loop().create_task(_close_generator(entry[1]))
            self._closing[task] = entry[1]
            task.add_done_callback(self._forget)

    async def aclose(self) -> None:
        """Close the running loop's value; values of other loops close with their loops."""
        loop = asyncio.get_running_loop()
        entry = self._values.get(loop)
        if entry is not None:
            await entry[1].aclose()
        self._drop_closed()
        closing = [task for task in list(self._closing) if task.get_loop() is loop]
        if closing:
            await asyncio.wait(closing)

    async def _close_at_end(self, loop: asyncio.AbstractEventLoop, value: T) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            entry = self._values.get(loop)
            if entry is not None and entry[0] is value:  # a later value of this loop stays
                self._values.pop(loop, None)
            if self._close is not None:
                await self._close(value)

    def _forget(self, task: asyncio.Task[None]) -> None:
        # A cancelled task may never have started: while referenced here, its generator is closed with the loop.
        if not task.cancelled():
            self._closing.pop(task, None)

    def _drop_closed(self) -> None:
        for loop in [loop for loop in list(self._values) if loop.is_closed()]:
            self._values.pop(loop, None)
        for task in [task for task in list(self._closing) if task.get_loop().is_closed()]:
            self._closing.pop(task, None)


async def _close_generator(closer: AsyncGenerator[None, None]) -> None:
    await closer.aclose()
