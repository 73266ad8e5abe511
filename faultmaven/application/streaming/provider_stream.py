"""A provider's stream while it is open: the held-back chunks, the observed usage, and the closing."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from ...domain.errors import MalformedResponseError
from ...domain.responses import LLMResponse, StreamChunk
from ...domain.usage import Usage
from ...ports.clock import Clock
from ...ports.llm import LLMStream
from ..emitting import report
from .commit_point import CommitPoint

Chunks: TypeAlias = AsyncIterator[StreamChunk]


class ProviderStream:
    """One provider's stream, opened by the router. The provider may be third-party code.

    Attributes:
        is_over: The stream was read to its end; `response` is available.
        first_token: Seconds from the opening to the first piece of text, reasoning or a tool call; None before.
    """

    def __init__(self, context: AbstractAsyncContextManager[LLMStream], clock: Clock) -> None:
        self.is_over = False
        self.first_token: float | None = None
        self._usage: Usage | None = None
        self._context = context
        self._clock = clock
        self._started = clock.monotonic()
        self._stream: LLMStream | None = None
        self._chunks: Chunks | None = None
        self._held_back: deque[StreamChunk] = deque()
        self._is_closed = False

    async def open_until(self, point: CommitPoint) -> None:
        """Open the stream and read until `point` or the end; the chunks up to there are held back for `next`."""
        self._stream = await self._context.__aenter__()
        self._chunks = aiter(self._stream)
        if point.is_at_the_beginning:
            return
        while (chunk := await self._read()) is not None:
            self._held_back.append(chunk)
            if point.is_reached_by(chunk):
                return

    @property
    def usage(self) -> Usage | None:
        """The newest usage that the stream sent."""
        return self._usage

    @property
    def has_held_back(self) -> bool:
        """Whether `next` returns a chunk without waiting."""
        return bool(self._held_back)

    async def next(self) -> StreamChunk | None:
        """Return the next chunk, None at the end."""
        if self._held_back:
            return self._held_back.popleft()
        return await self._read()

    @property
    def response(self) -> LLMResponse:
        """The whole response, once the stream is over."""
        if self._stream is None:
            raise MalformedResponseError("the provider's stream was never opened")
        return self._stream.response

    async def aclose(self) -> None:
        """Close the stream and its connection to the vendor. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._stream is None:
            return  # the context was never entered, or closed itself on entry
        try:
            await self._context.__aexit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - a provider may be third-party code; the response is not lost by this
            report(error, "faultmaven: a provider's stream raised when it was closed")

    async def _read(self) -> StreamChunk | None:
        if self.is_over or self._chunks is None:
            return None
        try:
            chunk: Any = await self._chunks.__anext__()
        except StopAsyncIteration:
            chunk = None
        if chunk is None:
            self.is_over = True
            return None
        if not isinstance(chunk, StreamChunk):
            raise MalformedResponseError(f"the provider's stream yielded a {type(chunk).__name__}, not a StreamChunk")
        if self.first_token is None and (chunk.text or chunk.reasoning or chunk.tool_call):
            self.first_token = self._clock.monotonic() - self._started
        if chunk.usage is not None:
            self._usage = chunk.usage
        return chunk
