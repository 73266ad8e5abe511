"""Connections that close even when the closing is cancelled. httpcore has three gaps here.

httpcore closes in a shielded scope of anyio, which does not shield from `Task.cancel`: a cancellation during the
closing leaves the connection open and in the pool forever (encode/httpx#3782). A cancelled handshake leaves its socket
to the garbage collector. A proxy's tunnel whose handshake fails stays in the pool.
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
def defer_cancellation(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work` in this task, and cancel it only where it awaits a future.

    A cancellation at a bare yield to the event loop, as in all closing, is deferred to the next awaited future or to
    the end of `work`.
    """
    deferred: asyncio.CancelledError | None = None
    thrown: BaseException | None = None
    earlier = _cancel_requests()
    while True:
        try:
            future = work.send(None) if thrown is None else work.throw(thrown)
        except StopIteration as end:
            _raise_deferred(deferred, earlier)
            result: T = end.value
            return result
        except Exception:
            _raise_deferred(deferred, earlier)
            raise
        thrown = None
        if deferred is not None and _settle_deferred(future, earlier):
            deferred = None
        try:
            yield future
        except GeneratorExit:
            work.close()
            raise
        except asyncio.CancelledError as cancelled:
            if future is None:
                deferred = cancelled
            else:
                thrown = cancelled
        except BaseException as error:  # noqa: BLE001 - the awaited future failed: `work` receives its error
            thrown = error


def _raise_deferred(deferred: asyncio.CancelledError | None, earlier: int) -> None:
    """Raise a deferred cancellation at the end of the work, unless its request has been withdrawn."""
    if deferred is not None and _cancel_requests() > earlier:
        raise deferred from None


def _settle_deferred(future: Any, earlier: int) -> bool:
    """Deliver a deferred cancellation to the awaited `future`; return whether no cancellation is left to deliver.

    A scope of anyio cancels the task, too, and withdraws the request where the scope ends.
    """
    return future is not None and (_cancel_requests() <= earlier or future.cancel())


def _cancel_requests() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


class ClosingTransport:
    """A transport around httpx's own that leaves no connection open and no entry in the pool after a broken
    handshake."""

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
        # httpx has no argument for the backend; a test checks that this one is used.
        self._pool._network_backend = _Backend(family)
        self._has_proxy = proxy is not None

    async def handle_async_request(self, request: "httpx.Request") -> "httpx.Response":
        """Send `request`; see httpx."""
        try:
            return await self._inner.handle_async_request(request)
        except BaseException:
            if self._has_proxy:
                await self._drop_broken_tunnels()
            raise

    async def aclose(self) -> None:
        """Close the pool."""
        await self._inner.aclose()

    async def _drop_broken_tunnels(self) -> None:
        """Close connections that are not idle and serve no request: the pool never closes or reuses them."""
        in_use = [request.connection for request in self._pool._requests]
        for connection in self._pool.connections:
            if not connection.is_idle() and not any(connection is other for other in in_use):
                self._pool._connections.remove(connection)
                await connection.aclose()


class _Backend:
    """The network backend with which the pool opens connections."""

    def __init__(self, family: HttpxFamily) -> None:
        self._backend: httpcore.AsyncNetworkBackend = family.network.AnyIOBackend()

    async def connect_tcp(self, **address: Any) -> "_Stream":
        return _Stream(await self._backend.connect_tcp(**address))


class _Stream:
    """A connection before its TLS handshake."""

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
