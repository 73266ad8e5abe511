"""How one deadline is shared out among the candidates of a plan, so that one that hangs leaves the others time."""

import functools

RESERVE_SECONDS = 10.0
RESERVED_SUCCESSORS = 2


class TimeShares:
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
        own = self._reserved[position] or 0.0
        end = position + 1 + RESERVED_SUCCESSORS
        behind = self._reserved[position + 1 : end]
        fresh = behind.count(None)
        if fresh:
            unpromised = max(0.0, remaining - own - _sum_of(behind))
            reserve = min(RESERVE_SECONDS, unpromised / (fresh + 1))
            behind = [reserve if promised is None else promised for promised in behind]
            self._reserved[position + 1 : end] = behind
        return max(0.0, remaining - _sum_of(behind))


def _sum_of(reserves: list[float | None]) -> float:
    return sum(promised for promised in reserves if promised)


@functools.lru_cache(maxsize=256)
def planned_time_shares(deadline: float, timeouts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the seconds that each candidate has at the worst, when every one before it hangs for its whole share.

    Args:
        timeouts: For each candidate the seconds of one attempt; a hanging provider is asked once.
    """
    shares, remaining, found = TimeShares(len(timeouts)), deadline, []
    for position, timeout in enumerate(timeouts):
        share = shares.of(position, remaining)
        found.append(share)
        remaining -= min(timeout, share)
    return tuple(found)
