"""How many calls may be under way at one provider, and how many may wait for a place."""

import threading

from .waiters import Waiters

QUEUED_PER_PLACE = 10


class ConcurrencyLimiter:
    """`limit` places and a bounded queue before them, first come first served, over all event loops of the process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiters = Waiters()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Places that are taken now."""
        return self._taken

    @property
    def limit(self) -> int:
        """The number of places."""
        return self._limit

    @property
    def is_full(self) -> bool:
        """Whether there is neither a place nor room in the queue."""
        return self._taken >= self._limit and len(self._waiters) >= self._limit * QUEUED_PER_PLACE

    def resize(self, limit: int) -> None:
        """Change the number of places; calls that are under way keep theirs."""
        with self._lock:
            self._limit = limit
        self._let_in()

    def enter_at_once(self) -> bool:
        """Take a place if one is free and nobody waits for it; return whether it was. See `enter`."""
        with self._lock:
            return self._took_place()

    async def enter(self) -> bool:
        """Take a place, waiting for one if need be; return False at once when the queue is full.

        Whoever got True calls `leave`. A call that is cancelled while it waits has taken nothing.
        """
        with self._lock:
            if self._took_place():
                return True
            if self.is_full:
                return False
            turn = self._waiters.join()
        try:
            await turn
        except BaseException:
            with self._lock:
                self._waiters.leave(turn)
            if turn.done() and not turn.cancelled():
                self.leave()  # its turn came in the moment in which it was cancelled
            raise
        return True

    def leave(self) -> None:
        """Give a place back; the next in the queue gets it."""
        with self._lock:
            self._taken -= 1
        self._let_in()

    def _took_place(self) -> bool:
        is_free = self._taken < self._limit and not self._waiters
        self._taken += is_free
        return is_free

    def _let_in(self) -> None:
        """Give free places to those who wait; a place is taken before its owner wakes, so nobody overtakes."""
        with self._lock:
            while self._taken < self._limit and self._waiters.wake_next(self.leave):
                self._taken += 1
