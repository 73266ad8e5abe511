"""Port for counting requests and tokens per minute, in this process or in a store that many processes share."""

from typing import Protocol


class RateCounter(Protocol):
    """Counts amounts over a sliding minute. `key` names the counted quantity, `per_minute` is the limit.

    An implementation that cannot reach its store chooses whether to allow the call, and raises no error. An
    implementation that never waits, because it counts in this process, may set `is_immediate = True`; the rate limiter
    then calls it without a timeout.
    """

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        """Count `amount` and return 0.0, or count nothing and return the seconds until `amount` may fit."""
        ...

    def peek(self, key: str, amount: int, per_minute: int) -> float:
        """Return the value that `take` would return, as far as this process knows. Counts nothing and does no I/O."""
        ...

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        """Subtract `amount`, which was taken `age` seconds ago and not used."""
        ...

    async def charge(self, key: str, amount: int, per_minute: int) -> None:
        """Add `amount`, which was used without `take`; the count may exceed the limit."""
        ...
