"""Port for random numbers."""

from typing import Protocol


class Randomness(Protocol):
    """A function without arguments, such as `random.random`. Tests pass a constant, such as `lambda: 0.5`."""

    def __call__(self) -> float:
        """Return a number from 0 up to, but not including, 1."""
        ...
