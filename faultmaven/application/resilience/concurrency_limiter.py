"""Limit on the number of requests in flight at one provider, with a bounded queue of waiting calls."""

import threading

from .waiters import Waiters

QUEUED_CALLS_PER_PLACE = 10


class ConcurrencyLimiter:
    """`limit` places and a first-in, first-out queue of bounded length, over all event loops of the process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiters = Waiters()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """The number of places taken now."""
        return self._taken

    @property
    def limit(self) -> int:
        """The number of places."""
        return self._limit

    @property
    def is_full(self) -> bool:
        """Whether every place is taken and the queue has no room."""
        return self._taken >= self._limit and len(self._waiters) >= self._limit * QUEUED_CALLS_PER_PLACE

    def resize(self, limit: int) -> None:
        """Change the number of places; requests in flight keep theirs."""
        with self._lock:
            self._limit = limit
        self._grant_places()

    def try_enter(self) -> bool:
        """Take a place if one is free and no call waits; return whether a place was taken. See `enter`."""
        with self._lock:
            return self._take_place()

    async def enter(self) -> bool:
        """Take a place, after waiting in the queue if necessary; return False at once when the queue is full.

        A call that got True ends with `leave`. A call that is cancelled during the wait holds no place.
        """
        with self._lock:
            if self._take_place():
                return True
            if self.is_full:
                return False
            waiter = self._waiters.join()
        try:
            await waiter
        except BaseException:
            with self._lock:
                self._waiters.leave(waiter)
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the place was granted at the moment of the cancellation
            raise
        return True

    def leave(self) -> None:
        """Give a place back; the first call of the queue gets it."""
        with self._lock:
            self._taken -= 1
        self._grant_places()

    def _take_place(self) -> bool:
        is_free = self._taken < self._limit and not self._waiters
        self._taken += is_free
        return is_free

    def _grant_places(self) -> None:
        """Grant free places to waiting calls. A place is taken before its call wakes, so that no other call gets it."""
        with self._lock:
            while self._taken < self._limit and self._waiters.wake_next(self.leave):
                self._taken += 1
