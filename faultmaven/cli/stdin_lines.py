"""Standard input a line at a time, and Ctrl-C as a call, in a loop that goes on meanwhile."""

import asyncio
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Lines:
    """The lines of standard input. A wait that is given up loses none: the next wait gets it.

    They are read in a daemon thread, from the descriptor: an executor's thread that waits for a line would keep the
    program from ending, and a buffered reader's lock would break Python's own end.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._coming: asyncio.Future[bytes] | None = None

    async def next(self) -> str | None:
        """Return the next line without its end, None when there are no more; bytes that are no UTF-8 are replaced."""
        if self._coming is None:
            self._coming = _in_thread(self._read)
        line = await asyncio.shield(self._coming)
        self._coming = None
        return line.decode("utf-8-sig", "replace").rstrip("\r\n") if line else None

    def _read(self) -> bytes:
        try:
            descriptor = sys.stdin.fileno()
        except (AttributeError, io.UnsupportedOperation):
            stream = getattr(sys.stdin, "buffer", None)
            return bytes(stream.readline()) if stream else b""
        more = b"-"
        while b"\n" not in self._kept and more:
            more = os.read(descriptor, 65536)
            self._kept += more
        line, end, self._kept = self._kept.partition(b"\n")
        return line + end


def _in_thread(read: Callable[[], bytes]) -> "asyncio.Future[bytes]":
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def tell(act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(act)

    def run() -> None:
        try:
            line = read()
        except OSError as error:
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(line))

    threading.Thread(target=run, daemon=True).start()
    return done


@contextmanager
def interrupts_call(act: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C call `act` in the running loop, and do nothing else, for the length of the body."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, act)
    except NotImplementedError:  # Windows' loops
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(act))
    except (RuntimeError, ValueError):  # no main thread: Ctrl-C is somebody else's
        yield
        return
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
