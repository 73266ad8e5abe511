"""Where use per minute is counted: in this process, or in one place for many processes."""

from typing import Protocol


class RateCounter(Protocol):
    """Counts amounts over a sliding minute. `key` names what is counted, `per_minute` is its limit.

    An implementation that cannot reach its store decides for itself whether to let calls through; it raises nothing.
    One that never waits, because it counts in this process, may say so with `is_immediate = True`: then nobody stands
    beside it with a clock.
    """

    async def take(self, key: str, amount: int, per_minute: int) -> float:
        """Count `amount` and return 0.0; or count nothing and return the seconds after which it may fit."""
        ...

    def peek(self, key: str, amount: int, per_minute: int) -> float:
        """Return what `take` would now, as far as this process knows; counts nothing and waits for nobody."""
        ...

    async def give_back(self, key: str, amount: int, per_minute: int, age: float) -> None:
        """Count `amount` less: it was taken `age` seconds ago and not used."""
        ...

    async def charge(self, key: str, amount: int, per_minute: int) -> None:
        """Count `amount` more, over the limit if need be: it was used without having been reserved."""
        ...
