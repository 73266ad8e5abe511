"""Bytes to events: server-sent events, and JSON lines. Fed, not pulled: where the bytes are cut does not matter.

Lines end at LF, CR LF or CR and at nothing else: U+2028 and its like are text inside JSON.
Source: WHATWG HTML, 9.2.6, interpreting an event stream; wire/README.md, stream format, 2026-11-23.
"""

from dataclasses import dataclass
from typing import Protocol

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Event:
    """One event of a stream: its name, "" where it has none, and its data."""

    name: str
    data: bytes


class Framing(Protocol):
    """How a dialect's stream is divided.

    Attributes:
        stray: Lines that belong to no event: some servers write their error so.
    """

    stray_lines: list[bytes]

    def feed(self, block: bytes) -> list[Event]:
        """Return the events that `block` completes."""
        ...

    def close(self) -> list[Event]:
        """Return the event that the end of the bytes completes, though its empty line is missing."""
        ...


class LineSplitter:
    """Bytes to lines, without their ends."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._after_return = False
        self._at_start = True

    def feed(self, block: bytes) -> list[bytes]:
        """Return the lines that `block` completes."""
        if self._after_return and block:  # CR LF, cut between the two
            self._after_return = False
            block = block.removeprefix(b"\n")
        if not block:
            return []
        if b"\r" in block:
            self._after_return = block.endswith(b"\r")
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = block.split(b"\n")
        if not rest:
            self._pieces.append(first)
            return []
        lines = [b"".join((*self._pieces, first)), *rest[:-1]]
        self._pieces = [rest[-1]] if rest[-1] else []
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        return lines

    def close(self) -> bytes:
        """Return what stands after the last line's end."""
        rest = b"".join(self._pieces)
        self._pieces = []
        return rest.removeprefix(BYTE_ORDER_MARK) if self._at_start else rest


class ServerSentEvents:
    """Server-sent events; comments and fields other than `event` and `data` are passed over."""

    def __init__(self) -> None:
        self.stray_lines: list[bytes] = []
        self._lines = LineSplitter()
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, block: bytes) -> list[Event]:
        """Return the events that `block` completes."""
        events: list[Event] = []
        lines = self._lines.feed(block)
        for line in lines:
            self._read(line, events)
        return events

    def close(self) -> list[Event]:
        """Return the event that the end completes: some servers leave out the last empty line."""
        events: list[Event] = []
        self._read(self._lines.close(), events)
        self._read(b"", events)
        return events

    def _read(self, line: bytes, events: list[Event]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                events.append(Event(self._name, b"\n".join(self._data)))
                self._data = []
            self._name = ""
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")
        elif not line.startswith((b":", b"id:", b"retry:")) and line != b"data":
            self.stray_lines.append(line)


class JsonLines:
    """One JSON value a line."""

    def __init__(self) -> None:
        self.stray_lines: list[bytes] = []
        self._lines = LineSplitter()

    def feed(self, block: bytes) -> list[Event]:
        """Return the lines that `block` completes; empty ones are none."""
        return [Event("", line) for line in self._lines.feed(block) if line.strip()]

    def close(self) -> list[Event]:
        """Return the last line, where its end is missing."""
        line = self._lines.close()
        return [Event("", line)] if line.strip() else []
