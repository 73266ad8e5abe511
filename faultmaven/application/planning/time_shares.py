"""Shares of one deadline for the candidates of a plan: a provider that hangs leaves time for the others."""

import functools

RESERVE_SECONDS = 10.0
RESERVED_SUCCESSORS = 2


class TimeShares:
    """The share of each candidate of the remaining time. Time that a candidate does not use goes to the next ones.

    A candidate may use the remaining time less a reserve for each of the next two candidates: 10 s, or an equal split
    where there is less. A promised reserve is kept, so that each of the first three candidates gets at least its own.
    """

    def __init__(self, candidates: int) -> None:
        self._reserved: tuple[float | None, ...] = (None,) * candidates

    def add(self) -> None:
        """Add one candidate at the end."""
        self._reserved += (None,)

    def share_of(self, position: int, remaining: float) -> float:
        """Return the share of the candidate at `position`, counted from 0, of the `remaining` seconds.

        Called once for each candidate, in order.
        """
        own = self._reserved[position] or 0.0
        end = position + 1 + RESERVED_SUCCESSORS
        reserves = self._reserved[position + 1 : end]
        if not reserves:
            return max(0.0, remaining)
        unset = reserves.count(None)
        if unset:
            unpromised = max(0.0, remaining - own - _sum_of(reserves))
            reserve = min(RESERVE_SECONDS, unpromised / (unset + 1))
            reserves = tuple([reserve if promised is None else promised for promised in reserves])
            self._reserved = self._reserved[: position + 1] + reserves + self._reserved[end:]
        return max(0.0, remaining - _sum_of(reserves))


def _sum_of(reserves: tuple[float | None, ...]) -> float:
    return sum(promised for promised in reserves if promised)


@functools.lru_cache(maxsize=256)
def planned_time_shares(deadline: float, timeouts: tuple[float, ...]) -> tuple[float, ...]:
    """Return the seconds of each candidate in the worst case, when every one before hangs for its whole share.

    Args:
        timeouts: The seconds of one attempt at each candidate; a hanging provider gets one attempt.
    """
    shares, remaining, seconds = TimeShares(len(timeouts)), deadline, []
    for position, timeout in enumerate(timeouts):
        share = shares.share_of(position, remaining)
        seconds.append(share)
        remaining -= min(timeout, share)
    return tuple(seconds)
