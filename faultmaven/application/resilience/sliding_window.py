"""Two counts over the last seconds, in a fixed number of buckets: memory does not grow with the number of calls."""

BUCKETS = 10


class SlidingWindow:
    """Two counts over the last `seconds`, such as successes and failures. The oldest tenth is dropped at once."""

    __slots__ = ("_counts", "_newest", "_width")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / BUCKETS
        self._counts = [[0, 0] for _ in range(BUCKETS)]
        self._newest = 0

    def add(self, kind: int, now: float) -> None:
        """Add one to the count `kind` (0 or 1) at `now` seconds."""
        self._move_to(now)
        self._counts[self._newest % BUCKETS][kind] += 1

    def totals(self, now: float) -> tuple[int, int]:
        """Return both counts at `now` seconds."""
        self._move_to(now)
        return sum(first for first, _ in self._counts), sum(second for _, second in self._counts)

    def clear(self) -> None:
        """Set both counts to 0."""
        for bucket in self._counts:
            bucket[:] = 0, 0

    def _move_to(self, now: float) -> None:
        """Empty the buckets after the newest one, up to the bucket of `now`."""
        current = int(now / self._width)
        if current <= self._newest:
            return
        for number in range(max(self._newest + 1, current - BUCKETS + 1), current + 1):
            self._counts[number % BUCKETS][:] = 0, 0
        self._newest = current
