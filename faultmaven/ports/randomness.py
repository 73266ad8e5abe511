"""Chance, as the core asks for it."""

from typing import Protocol


class Randomness(Protocol):
    """A function without arguments: `random.random` is one, and `lambda: 0.5` makes a test exact."""

    def __call__(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        ...
