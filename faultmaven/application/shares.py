"""How one deadline is shared out among the candidates of a plan, so that one that hangs leaves the others time."""

import functools

RESERVE_SECONDS = 10.0
RESERVED_SUCCESSORS = 2


class Shares:
    """Gives each candidate its share of the time that remains when its turn comes; unused time flows on.

    A candidate may use what remains, less a reserve for each of the next two: 10 s, or an equal split where there is
    less. A reserve that was once promised is kept, so that each of the first three gets at least its own.
    """

    def __init__(self, candidates: int) -> None:
        self._reserved: list[float | None] = [None] * candidates

    def add(self) -> None:
        """Make room for one more candidate at the end."""
        self._reserved.append(None)

    def of(self, position: int, remaining: float) -> float:
        """Return how many of the `remaining` seconds the candidate at `position`, counted from 0, may use.

        Asked once for each candidate, in their order.
        """
        if len(self._reserved) == position + 1:
            return max(0.0, remaining)  # the last one: nobody is left to reserve anything for
        own = self._reserved[position] or 0.0
        behind = range(position + 1, min(position + 1 + RESERVED_SUCCESSORS, len(self._reserved)))
        fresh = [place for place in behind if self._reserved[place] is None]
        unpromised = max(0.0, remaining - own - self._promised(behind))
        for place in fresh:
            self._reserved[place] = min(RESERVE_SECONDS, unpromised / (len(fresh) + 1))
        return max(0.0, remaining - self._promised(behind))

    def _promised(self, places: range) -> float:
        return sum(self._reserved[place] or 0.0 for place in places)


@functools.lru_cache(maxsize=256)
def planned_shares(deadline: float, timeouts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the seconds that each candidate has at the worst, when every one before it hangs for its whole share.

    Args:
        timeouts: For each candidate the seconds of one attempt; a hanging provider is asked once.
    """
    shares, remaining, found = Shares(len(timeouts)), deadline, []
    for position, timeout in enumerate(timeouts):
        share = shares.of(position, remaining)
        found.append(share)
        remaining -= min(timeout, share)
    return tuple(found)
