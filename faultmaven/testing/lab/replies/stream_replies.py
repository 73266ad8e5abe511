"""The reply to each fault for a request that asks for a stream."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..reply import LabReply
from .streams import STREAMS, VendorStream
from .table import reply_to
from .tools import TOOL_CALLS

TOOL_CALLS_ASKED = "tool_calls"
ENDLESS = 10**9
"""A length that is announced where the body never comes to its end."""

Spoil: TypeAlias = Callable[[VendorStream], LabReply]


def stream_reply(dialect: str, fault: str) -> LabReply:
    """Return the reply to a request for a stream that gets `fault`; one that strikes before any event is as usual."""
    stream = STREAMS[dialect]
    if fault == "ok":
        return _told(stream, stream.events)
    if fault in SPOILT_STREAMS:
        return SPOILT_STREAMS[fault](stream)
    return reply_to(dialect, fault)


def tool_calls(dialect: str, *, stream: bool) -> LabReply:
    """Return an answer that calls two tools; a dialect without tools answers as usual."""
    told = STREAMS[dialect]
    if stream:
        return _told(told, told.tools or told.events)
    return TOOL_CALLS.get(dialect) or reply_to(dialect, "ok")


def cut_stream(dialect: str, position: int) -> LabReply:
    """Return the dialect's stream, ended after `position` bytes."""
    stream = STREAMS[dialect]
    return LabReply(200, b"".join(stream.events)[:position], {"content-type": stream.content_type})


def _told(stream: VendorStream, events: tuple[bytes, ...]) -> LabReply:
    return LabReply(200, b"".join(events), {"content-type": stream.content_type})


def _half(stream: VendorStream) -> tuple[bytes, ...]:
    return stream.events[: len(stream.events) // 2]


def _before_the_end(stream: VendorStream) -> tuple[bytes, ...]:
    """Everything before the event that makes the answer whole."""
    told = [b'"finish_reason":"stop"' in event for event in stream.events]
    return stream.events[: told.index(True)] if any(told) else stream.events[:-1]


def _unending(stream: VendorStream, events: tuple[bytes, ...], ping: bytes = b"") -> LabReply:
    reply = _told(stream, events)
    if ping:
        return replace(reply, pace="pings", ping=ping, announced=ENDLESS)
    return replace(reply, pace="stall", announced=ENDLESS)


def _broken(stream: VendorStream) -> LabReply:
    reply = _told(stream, _half(stream))
    return replace(reply, announced=len(reply.body) + 100)


SPOILT_STREAMS: Mapping[str, Spoil] = {
    "trickle": lambda stream: replace(_told(stream, stream.events), pace="trickle"),
    "silent_body": lambda stream: replace(_told(stream, stream.events), pace="silent"),
    "stream_pings_between": lambda stream: _told(
        stream, tuple(piece for event in stream.events for piece in (stream.ping, event))
    ),
    "stream_duplicate_index": lambda stream: _told(stream, stream.tools or stream.events),
    "stream_cut": lambda stream: _told(stream, _half(stream)),
    "stream_broken": _broken,
    "stream_error_first": lambda stream: _told(stream, (stream.error,)),
    "stream_error_middle": lambda stream: _told(stream, (*_half(stream), stream.error)),
    "stream_error_last": lambda stream: _told(stream, (*_before_the_end(stream), stream.error)),
    "stream_bad_event": lambda stream: _told(stream, (*_half(stream), stream.bad)),
    "stream_stall": lambda stream: _unending(stream, _half(stream)),
    "stream_pings": lambda stream: _unending(stream, (), stream.ping),
}
"""By fault. `stream_whole` is not here: it is the answer as it comes without a stream."""
