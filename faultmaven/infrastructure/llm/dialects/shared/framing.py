"""Framing of streams: bytes to server-sent events or JSON lines, independent of the boundaries of blocks.

Lines end at LF, CR LF or CR only. U+2028 and other Unicode line separators are text inside JSON.
Source: WHATWG HTML, 9.2.6, interpreting an event stream; wire reference, README.md, stream format, 2026-11-23.
"""

from dataclasses import dataclass
from typing import Protocol

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class ServerSentEvent:
    """One event of a stream: the name, "" where the event has none, and the data."""

    name: str
    data: bytes


class Framing(Protocol):
    """Interface of an incremental parser from bytes to events.

    Attributes:
        stray_lines: Lines that belong to no event. Some servers send an error in such lines.
    """

    stray_lines: list[bytes]

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return the events that `block` completes."""
        ...

    def close(self) -> list[ServerSentEvent]:
        """Return the events that the end of the bytes completes."""
        ...


class LineSplitter:
    """Splits blocks of bytes into lines, without the line ends."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._after_return = False
        self._at_start = True

    def feed(self, block: bytes) -> list[bytes]:
        """Return the lines that `block` completes."""
        if self._after_return and block:  # a block boundary may lie between CR and LF
            self._after_return = False
            block = block.removeprefix(b"\n")
        if not block:
            return []
        if b"\r" in block:
            self._after_return = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *others = block.split(b"\n")
        if not others:
            self._pieces.append(first)
            return []
        lines = [b"".join((*self._pieces, first)), *others[:-1]]
        self._pieces = [others[-1]] if others[-1] else []
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return lines

    def close(self) -> bytes:
        """Return the bytes after the last line end."""
        remainder = b"".join(self._pieces)
        self._pieces = []
        return remainder.removeprefix(BYTE_ORDER_MARK) if self._at_start else remainder


class ServerSentEvents:
    """Parser of server-sent events. Comments and fields other than `event` and `data` are ignored."""

    def __init__(self) -> None:
        self.stray_lines: list[bytes] = []
        self._lines = LineSplitter()
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return the events that `block` completes."""
        events: list[ServerSentEvent] = []
        lines = self._lines.feed(block)
        for line in lines:
            self._read_line(line, events)
        return events

    def close(self) -> list[ServerSentEvent]:
        """Return the last event where the server leaves out the last empty line."""
        events: list[ServerSentEvent] = []
        self._read_line(self._lines.close(), events)
        self._read_line(b"", events)
        return events

    def _read_line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                events.append(ServerSentEvent(self._name, b"\n".join(self._data)))
                self._data = []
            self._name = ""
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")
        elif not line.startswith((b":", b"id:", b"retry:")) and line != b"data":
            self.stray_lines.append(line)


class JsonLines:
    """Parser of JSON lines: one JSON value per line."""

    def __init__(self) -> None:
        self.stray_lines: list[bytes] = []
        self._lines = LineSplitter()

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return one event for each line that `block` completes, except empty lines."""
        return [ServerSentEvent("", line) for line in self._lines.feed(block) if line.strip()]

    def close(self) -> list[ServerSentEvent]:
        """Return the last line where the line end is missing."""
        line = self._lines.close()
        return [ServerSentEvent("", line)] if line.strip() else []
