"""Port for events."""

from typing import Protocol

from ..domain.events import Event


class Observer(Protocol):
    """A function that receives each event, such as `events.append`. The function must be fast and must not raise."""

    def __call__(self, event: Event, /) -> object:
        """Receive `event`."""
        ...
