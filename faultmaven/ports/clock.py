"""Time, as the core asks for it."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Clock(Protocol):
    """Every wait and every deadline goes through here, so that tests decide what time it is."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        """Return a context that raises `TimeoutError` when its body takes longer; None never does."""
        ...
