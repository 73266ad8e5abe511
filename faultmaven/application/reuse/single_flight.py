"""Single flight: one call for many callers with the same request at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from ...domain.errors import LLMError
from ...domain.responses import LLMResponse


@dataclass(slots=True)
class _Flight:
    """A call in flight, and the number of callers that wait for it."""

    task: "asyncio.Task[LLMResponse]"
    waiting: int = 0


class SingleFlight:
    """Calls in flight by key. A caller that leaves takes the response from no other; the last to leave cancels."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def is_in_flight(self, key: str) -> bool:
        """Return whether a call of this key is in flight in the running event loop."""
        return (id(asyncio.get_running_loop()), key) in self._flights

    async def join(self, key: str, call: Callable[[], Coroutine[Any, Any, LLMResponse]]) -> LLMResponse:
        """Return the response of the call in flight, or begin `call` for all callers that join while it runs.

        Raises:
            LLMError: the call's error, a copy for each caller.
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
                self._land(place, flight.task)  # the next caller begins a new call instead of joining a cancelled one
                flight.task.cancel()

    def _land(self, place: Hashable, task: "asyncio.Task[LLMResponse]") -> None:
        flight = self._flights.get(place)
        if flight is not None and flight.task is task:
            del self._flights[place]
        if task.done() and not task.cancelled():
            task.exception()  # the callers have the exception; asyncio need not report it as never retrieved
