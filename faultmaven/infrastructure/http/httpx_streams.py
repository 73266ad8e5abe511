"""HTTP/2 streams that are left before their end: httpcore forgets them, and tells neither the server nor its own h2.

The server would go on writing what nobody reads, and each such stream would count among those that a connection may
have at once, until it refuses every other (encode/httpcore#943 and #1022).
"""

import contextlib
from types import SimpleNamespace
from typing import Any

from faultmaven.infrastructure.http.httpx_family import HttpxFamily

CANCEL = 8  # RFC 9113, section 7
LOW_WINDOW = 2**23  # httpcore opens with twice that; what it drops unread is never given back


async def reset_left_streams(family: HttpxFamily, client: Any) -> None:
    """Cancel, on every connection of `client`, the streams of which nobody waits for anything; HTTP/1.1 has none."""
    mounts: dict[Any, Any] = getattr(client, "_mounts", {})
    for transport in (getattr(client, "_transport", None), *mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        if getattr(pool, "_http2", False):
            for connection in pool.connections:
                await _reset_on(family, getattr(connection, "_connection", None))


async def _reset_on(family: HttpxFamily, connection: Any) -> None:
    state = getattr(connection, "_h2_state", None)
    if state is None or not connection.is_available():
        return
    for stream_id, stream in list(state.streams.items()):
        if stream.open and stream_id not in connection._events:
            state.reset_stream(stream_id, CANCEL)
    if state.inbound_flow_control_window < LOW_WINDOW:
        state.increment_flow_control_window(LOW_WINDOW)
    with contextlib.suppress(family.network.NetworkError):  # there is no server left to tell
        await connection._write_outgoing_data(SimpleNamespace(extensions={}))
