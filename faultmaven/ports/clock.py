"""Port for time."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Clock(Protocol):
    """The source of time for every wait and every deadline. Tests pass a clock whose time they set."""

    def monotonic(self) -> float:
        """Return the seconds since a fixed point; only differences between two values have a meaning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[Any]:
        """Return a context that raises `TimeoutError` when its body takes longer than `seconds`; None sets no limit."""
        ...
