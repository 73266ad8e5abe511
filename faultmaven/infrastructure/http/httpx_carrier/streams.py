"""HTTP/2 streams that are abandoned before their end: httpcore drops them and resets them neither at the server nor in
its own h2 state.

The server would continue to send, and each abandoned stream would count against the connection's limit of concurrent
streams, until the connection refuses new ones (encode/httpcore#943 and #1022).
"""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from .family import HttpxFamily

CANCEL = 8  # RFC 9113, section 7
MIN_WINDOW_BYTES = 2**23  # httpcore opens with twice that, and never returns the bytes that it drops unread


class AbandonedStreams:
    """The abandoned HTTP/2 streams of one client."""

    def __init__(self, family: HttpxFamily, client: Any) -> None:
        self._client = client
        self._network_error: type[Exception] = family.network.NetworkError
        self._writing: set[asyncio.Task[None]] = set()

    def reset(self) -> None:
        """Cancel the abandoned streams on every connection; HTTP/1.1 has none."""
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
        if state.inbound_flow_control_window < MIN_WINDOW_BYTES:
            state.increment_flow_control_window(MIN_WINDOW_BYTES)
        # In a separate task: a cancelled call must not wait for the write, and an interrupted write would break the
        # connection for all other calls.
        task = asyncio.ensure_future(self._write(connection))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, connection: Any) -> None:
        with contextlib.suppress(self._network_error):  # the connection is closed already
            await connection._write_outgoing_data(SimpleNamespace(extensions={}))
