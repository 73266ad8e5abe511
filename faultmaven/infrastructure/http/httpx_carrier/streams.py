"""HTTP/2 streams that are left before their end: httpcore forgets them, and tells neither the server nor its own h2.

The server would go on writing what nobody reads, and each such stream would count among those that a connection may
have at once, until it refuses every other (encode/httpcore#943 and #1022).
"""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from .family import HttpxFamily

CANCEL = 8  # RFC 9113, section 7
LOW_WINDOW = 2**23  # httpcore opens with twice that; what it drops unread is never given back


class LeftStreams:
    """Those of one client."""

    def __init__(self, family: HttpxFamily, client: Any) -> None:
        self._client = client
        self._broken: type[Exception] = family.network.NetworkError
        self._telling: set[asyncio.Task[None]] = set()

    def reset(self) -> None:
        """Cancel, on every connection, the streams of which nobody waits for anything; HTTP/1.1 has none."""
        mounts: dict[Any, Any] = getattr(self._client, "_mounts", {})
        for transport in (getattr(self._client, "_transport", None), *mounts.values()):
            pool: Any = getattr(transport, "_pool", None)
            if getattr(pool, "_http2", False):
                for connection in pool.connections:
                    self._reset_on(getattr(connection, "_connection", None))

    def _reset_on(self, connection: Any) -> None:
        state = getattr(connection, "_h2_state", None)
        if state is None or not connection.is_available():
            return
        for stream_id, stream in list(state.streams.items()):
            if stream.open and stream_id not in connection._events:
                state.reset_stream(stream_id, CANCEL)
        if state.inbound_flow_control_window < LOW_WINDOW:
            state.increment_flow_control_window(LOW_WINDOW)
        # In a task of its own: whoever gives a call up waits for no room on the line, and a write that is cut short
        # would break it for all others.
        task = asyncio.ensure_future(self._tell(connection))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, connection: Any) -> None:
        with contextlib.suppress(self._broken):  # there is no server left to tell
            await connection._write_outgoing_data(SimpleNamespace(extensions={}))
