"""Connections that close whatever interrupts the closing: httpcore leaves three gaps here.

It closes under a shield of anyio's, which holds off no `Task.cancel`: one that comes during the closing leaves the
connection open and in the pool for good (encode/httpx#3782). A handshake that is cancelled leaves its socket to the
garbage collector. And a proxy's tunnel whose handshake fails stays in the pool.
"""

import asyncio
import ssl
import types
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from .family import HttpxFamily

if TYPE_CHECKING:
    import httpcore
    import httpx

T = TypeVar("T")


@types.coroutine
def cancelled_in_waits_only(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work` in this task; a cancellation reaches it where it waits for something, and not where it only gives
    others a turn, as all closing does. One that comes at a turn is kept for the next wait, or for the end.
    """
    kept: asyncio.CancelledError | None = None
    thrown: BaseException | None = None
    before = _requests_to_cancel()
    while True:
        try:
            waited = work.send(None) if thrown is None else work.throw(thrown)
        except StopIteration as ended:
            if kept is not None and _requests_to_cancel() > before:
                raise kept from None
            result: T = ended.value
            return result
        except Exception:
            if kept is not None and _requests_to_cancel() > before:
                raise kept from None
            raise
        thrown = None
        # anyio cancels the task too, and takes that back where its scope ends; then there is nothing to deliver.
        if kept is not None and waited is not None and (_requests_to_cancel() <= before or waited.cancel()):
            kept = None
        try:
            yield waited
        except GeneratorExit:
            work.close()
            raise
        except asyncio.CancelledError as cancelled:
            if waited is None:
                kept = cancelled
            else:
                thrown = cancelled
        except BaseException as error:  # noqa: BLE001 - what was waited for failed; it is passed on as it is
            thrown = error


def _requests_to_cancel() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


class ClosingTransport:
    """Around httpx's own: a handshake that is cut short leaves neither a connection nor an entry in the pool."""

    def __init__(
        self,
        family: HttpxFamily,
        context: ssl.SSLContext,
        limits: "httpx.Limits",
        *,
        http2: bool = False,
        proxy: "httpx.Proxy | None" = None,
    ) -> None:
        self._inner: httpx.AsyncHTTPTransport = family.httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, http2=http2, limits=limits, proxy=proxy
        )
        self._pool: Any = self._inner._pool
        self._pool._network_backend = _Backend(family)  # httpx has no argument for it; a test sees whether it is in use
        self._proxied = proxy is not None

    async def handle_async_request(self, request: "httpx.Request") -> "httpx.Response":
        """Send `request`; see httpx."""
        try:
            return await self._inner.handle_async_request(request)
        except BaseException:
            if self._proxied:
                await self._drop_broken_tunnels()
            raise

    async def aclose(self) -> None:
        """Close the pool."""
        await self._inner.aclose()

    async def _drop_broken_tunnels(self) -> None:
        """Close what looks busy and carries no request: the pool never looks at it again."""
        carrying = [request.connection for request in self._pool._requests]
        for connection in self._pool.connections:
            if not connection.is_idle() and not any(connection is other for other in carrying):
                self._pool._connections.remove(connection)
                await connection.aclose()


class _Backend:
    """What the pool opens connections with."""

    def __init__(self, family: HttpxFamily) -> None:
        self._backend: httpcore.AsyncNetworkBackend = family.network.AnyIOBackend()

    async def connect_tcp(self, **address: Any) -> "_Stream":
        return _Stream(await self._backend.connect_tcp(**address))


class _Stream:
    """A connection before its handshake."""

    def __init__(self, stream: "httpcore.AsyncNetworkStream") -> None:
        self._stream = stream
        self.read, self.write, self.aclose = stream.read, stream.write, stream.aclose
        self.get_extra_info = stream.get_extra_info

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "httpcore.AsyncNetworkStream":
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:  # httpcore closes for every other exception
            await self._stream.aclose()
            raise
