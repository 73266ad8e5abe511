"""Where events leave the core."""

from typing import Protocol

from ..domain.events import Event


class Observer(Protocol):
    """A function of an event: `events.append` is one. It must be quick and must not raise."""

    def __call__(self, event: Event, /) -> object:
        """Take note of `event`."""
        ...
