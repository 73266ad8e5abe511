"""The reply to each fault for a streaming request."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..reply import LabReply
from .streams import STREAMS, VendorStream
from .table import reply_to
from .tools import TOOL_CALLS

TOOL_CALLS_REPLY = "tool_calls"
ENDLESS_BYTES = 10**9
"""The announced content-length of a body that never ends."""

BuildReply: TypeAlias = Callable[[VendorStream], LabReply]


def stream_reply(dialect: str, fault: str) -> LabReply:
    """Return the reply to a streaming request with `fault`; a fault before the first event is as without streaming."""
    stream = STREAMS[dialect]
    if fault == "ok":
        return _reply_with(stream, stream.events)
    if fault in ALTERED_STREAMS:
        return ALTERED_STREAMS[fault](stream)
    return reply_to(dialect, fault)


def tool_calls(dialect: str, *, stream: bool) -> LabReply:
    """Return an answer that calls two tools; a dialect without tools gives its usual answer."""
    if stream:
        vendor_stream = STREAMS[dialect]
        return _reply_with(vendor_stream, vendor_stream.tools or vendor_stream.events)
    return TOOL_CALLS.get(dialect) or reply_to(dialect, "ok")


def cut_stream(dialect: str, position: int) -> LabReply:
    """Return the stream of `dialect`, cut after `position` bytes."""
    stream = STREAMS[dialect]
    return LabReply(200, b"".join(stream.events)[:position], {"content-type": stream.content_type})


def _reply_with(stream: VendorStream, events: tuple[bytes, ...]) -> LabReply:
    return LabReply(200, b"".join(events), {"content-type": stream.content_type})


def _first_half(stream: VendorStream) -> tuple[bytes, ...]:
    return stream.events[: len(stream.events) // 2]


def _without_completion(stream: VendorStream) -> tuple[bytes, ...]:
    """Return the events before the one that completes the answer."""
    completes = [b'"finish_reason":"stop"' in event for event in stream.events]
    return stream.events[: completes.index(True)] if any(completes) else stream.events[:-1]


def _endless(stream: VendorStream, events: tuple[bytes, ...], ping: bytes = b"") -> LabReply:
    reply = _reply_with(stream, events)
    if ping:
        return replace(reply, pace="pings", ping=ping, announced=ENDLESS_BYTES)
    return replace(reply, pace="stall", announced=ENDLESS_BYTES)


def _broken_connection(stream: VendorStream) -> LabReply:
    reply = _reply_with(stream, _first_half(stream))
    return replace(reply, announced=len(reply.body) + 100)


ALTERED_STREAMS: Mapping[str, BuildReply] = {
    "trickle": lambda stream: replace(_reply_with(stream, stream.events), pace="trickle"),
    "silent_body": lambda stream: replace(_reply_with(stream, stream.events), pace="silent"),
    "stream_pings_between": lambda stream: _reply_with(
        stream, tuple(piece for event in stream.events for piece in (stream.ping, event))
    ),
    "stream_duplicate_index": lambda stream: _reply_with(stream, stream.tools or stream.events),
    "stream_cut": lambda stream: _reply_with(stream, _first_half(stream)),
    "stream_broken": _broken_connection,
    "stream_error_first": lambda stream: _reply_with(stream, (stream.error,)),
    "stream_error_middle": lambda stream: _reply_with(stream, (*_first_half(stream), stream.error)),
    "stream_error_last": lambda stream: _reply_with(stream, (*_without_completion(stream), stream.error)),
    "stream_bad_event": lambda stream: _reply_with(stream, (*_first_half(stream), stream.bad)),
    "stream_stall": lambda stream: _endless(stream, _first_half(stream)),
    "stream_pings": lambda stream: _endless(stream, (), stream.ping),
}
"""The altered reply by fault. `stream_whole` is missing: its reply is the answer without streaming."""
