"""Lines of standard input, and a callback for Ctrl-C, in an event loop that keeps running."""

import asyncio
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class StdinLines:
    """Reads standard input line by line. A cancelled wait loses no line: the next wait returns the line.

    A daemon thread reads from the descriptor. An executor's thread that waits for a line would keep the process from
    ending, and the lock of a buffered reader would abort Python at exit.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._pending_line: asyncio.Future[bytes] | None = None

    async def next_line(self) -> str | None:
        """Return the next line without its end, None at the end of input; bytes that are no UTF-8 are replaced."""
        if self._pending_line is None:
            self._pending_line = _run_in_daemon_thread(self._read_line)
        line = await asyncio.shield(self._pending_line)
        self._pending_line = None
        return line.decode("utf-8-sig", "replace").rstrip("\r\n") if line else None

    def _read_line(self) -> bytes:
        """Read one line with its end, b"" at the end of input. This call blocks."""
        try:
            descriptor = sys.stdin.fileno()
        except (AttributeError, io.UnsupportedOperation):
            stream = getattr(sys.stdin, "buffer", None)
            return bytes(stream.readline()) if stream else b""
        chunk = b"-"
        while b"\n" not in self._buffer and chunk:
            chunk = os.read(descriptor, 65536)
            self._buffer += chunk
        line, end, self._buffer = self._buffer.partition(b"\n")
        return line + end


def _run_in_daemon_thread(read: Callable[[], bytes]) -> "asyncio.Future[bytes]":
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes] = loop.create_future()

    def call_in_loop(action: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and no task waits for the line
            loop.call_soon_threadsafe(action)

    def run() -> None:
        try:
            line = read()
        except OSError as error:
            failure = error
            call_in_loop(lambda: future.set_exception(failure))
        else:
            call_in_loop(lambda: future.set_result(line))

    threading.Thread(target=run, daemon=True).start()
    return future


@contextmanager
def call_on_interrupt(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` in the running loop at each Ctrl-C within the body; Ctrl-C has no other effect there."""
    loop, previous_handler = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, action)
    except NotImplementedError:  # the event loops of Windows
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(action))
    except (RuntimeError, ValueError):  # not the main thread, which alone receives Ctrl-C
        yield
        return
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, previous_handler)
