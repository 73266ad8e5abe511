"""One call for many callers who ask the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from ...domain.errors import LLMError
from ...domain.responses import LLMResponse


@dataclass(slots=True)
class _Flight:
    """A call under way, and how many wait for it."""

    task: "asyncio.Task[LLMResponse]"
    waiting: int = 0


class SingleFlight:
    """Calls under way by their key. A caller that leaves takes nobody else's answer away; the last one to leave cancels
    the call."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def is_under_way(self, key: str) -> bool:
        """Return whether an identical call is under way in this event loop."""
        return (id(asyncio.get_running_loop()), key) in self._flights

    async def join(self, key: str, call: Callable[[], Coroutine[Any, Any, LLMResponse]]) -> LLMResponse:
        """Return the answer of the identical call that is under way, or begin `call` for all who come while it runs.

        Raises:
            LLMError: what the call raised, a copy for each who waited.
        """
        place = (id(asyncio.get_running_loop()), key)
        flight = self._flights.get(place)
        is_first = flight is None
        if flight is None:
            flight = self._flights[place] = _Flight(asyncio.create_task(call()))
            flight.task.add_done_callback(lambda task: self._land(place, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except LLMError as error:
            if is_first:
                raise
            raise error.copy() from error.__cause__
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(place, flight.task)  # whoever comes now begins anew, and waits for no dying call
                flight.task.cancel()

    def _land(self, place: Hashable, task: "asyncio.Task[LLMResponse]") -> None:
        flight = self._flights.get(place)
        if flight is not None and flight.task is task:
            del self._flights[place]
        if task.done() and not task.cancelled():
            task.exception()  # those who waited have it; nobody else needs to hear of it
