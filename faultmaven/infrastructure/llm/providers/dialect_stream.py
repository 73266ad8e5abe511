"""An answer on its way over a wire: bytes to chunks, with the time that each may take."""

from collections import deque
from dataclasses import replace
from typing import Self

from ....application.streaming.single_answer import whole_chunks
from ....domain.errors import InvalidRequestError, LLMError, ProviderTimeoutError, ProviderUnavailableError
from ....domain.responses import LLMResponse, StreamChunk
from ....ports.clock import Clock
from ...http.types import ReplyStream, Transport, WireReply, WireRequest
from ..config import ProviderConfig
from ..dialects.protocol import Answer, Dialect, StreamParser
from ..dialects.shared.errors import raise_for_status
from ..dialects.shared.streaming import interrupted_error
from .response_builder import line_of, response_of

LINGER_SECONDS = 0.1
"""After the end marker, so long is waited for the end of the body: only then does the connection serve another call."""

PARSED_AT_ONCE = 1024
"""Bytes of a block that are parsed before their chunks are given out: one that holds hundreds is not waited for."""


class DialectStream:
    """One stream; an `LLMStream`. Made by `DialectProvider`, which begins and closes it."""

    def __init__(
        self, transport: Transport, clock: Clock, wire: Dialect, config: ProviderConfig, sent: WireRequest
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._wire = wire
        self._config = config
        self._sent = sent
        self._started = clock.monotonic()
        self._limit = 0.0
        self._chunk_timeout = 0.0
        self._first_token: float | None = None
        self._reply: ReplyStream | None = None
        self._parser: StreamParser | None = None
        self._block = b""
        self._parsed = 0
        self._ready: deque[StreamChunk] = deque()
        self._response: LLMResponse | None = None
        self._error: LLMError | None = None

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once the last chunk was read."""
        if self._response is None or self._ready:
            raise InvalidRequestError("the stream has not been read to its end", advice="Iterate over it first.")
        return self._response

    async def begin(self, timeout: float, chunk_timeout: float) -> None:
        """Send the request, and return once the reply has begun with a status of 200.

        Args:
            timeout: Seconds until the first chunk.
            chunk_timeout: Seconds between two chunks.
        """
        self._limit = timeout
        self._chunk_timeout = chunk_timeout
        try:
            self._reply = await self._transport.open(self._sent, timeout)
            head = self._reply.head
            if head.status != 200:
                raise_for_status(replace(head, body=await self._rest(self._reply)))
            if head.content_type.endswith("/json"):
                # It does not stream, or something between us does not let it: the answer comes whole.
                self._end(self._wire.parse_response(replace(head, body=await self._rest(self._reply))), head)
                await self.aclose()
            else:
                self._parser = self._wire.stream_parser(head)
        except LLMError as error:
            raise await self._failed(error) from error.__cause__
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> Self:
        """Return itself: it can be read once."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Return the next chunk.

        Raises:
            LLMError: what went wrong; `response` holds what came before. Asked again, it raises the same again.
        """
        if self._ready:
            return self._ready.popleft()
        if self._error is not None:
            raise self._error
        if self._response is not None:
            raise StopAsyncIteration
        try:
            await self._advance()
        except LLMError as error:
            failure = await self._failed(error)
            if not self._ready:  # else what came before it is given out first
                raise failure from error.__cause__
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Close the connection, or give it back where the body was read to its end."""
        if self._reply is not None:
            await self._reply.aclose()

    async def _advance(self) -> None:
        """Read until there is a chunk, or the answer is whole."""
        reply, parser = self._reply, self._parser
        if reply is None or parser is None:
            raise InvalidRequestError("the stream is closed")
        self._take(parser.feed(b""))  # an error that stood behind the last chunks is raised now
        await self._parse(reply, parser)
        if self._ready or self._response is not None:
            return
        limit = self._limit - (self._clock.monotonic() - self._started)
        waits_for_first = self._first_token is None
        try:
            async with self._clock.timeout(max(limit, 0.0) if waits_for_first else self._chunk_timeout):
                while not self._ready and self._response is None:
                    await self._read_block(reply, parser)
        except TimeoutError:
            if not parser.may_end:
                raise self._stalled(waits_for_first=waits_for_first) from None
            await self._finish(reply, parser)  # the answer is whole, and only the end of the body is missing

    async def _read_block(self, reply: ReplyStream, parser: StreamParser) -> None:
        try:
            self._block, self._parsed = await reply.read(), 0
        except ProviderUnavailableError as error:
            if parser.may_end:
                await self._finish(reply, parser)
                return
            raise interrupted_error(error) from error.__cause__
        if self._block:
            await self._parse(reply, parser)
        else:
            self._take(parser.flush())
            await self._finish(reply, parser)

    async def _parse(self, reply: ReplyStream, parser: StreamParser) -> None:
        """Parse of the last block what no chunk was given out of, until there is one."""
        while self._parsed < len(self._block) and not self._ready and self._response is None:
            piece = self._block[self._parsed : self._parsed + PARSED_AT_ONCE]
            self._parsed += len(piece)
            self._take(parser.feed(piece))
            if parser.has_ended:
                await self._finish(reply, parser)

    def _take(self, chunks: list[StreamChunk]) -> None:
        if chunks and self._first_token is None:
            self._first_token = self._elapsed()
        self._ready.extend(chunks)

    async def _finish(self, reply: ReplyStream, parser: StreamParser) -> None:
        answer = parser.close()
        if parser.has_ended:
            try:
                async with self._clock.timeout(LINGER_SECONDS):
                    while await reply.read():
                        pass
            except (TimeoutError, LLMError):
                pass  # the answer is whole; only this connection will not be used again
        await reply.aclose()
        self._end(answer, reply.head)

    def _end(self, answer: Answer, head: WireReply) -> None:
        came_whole = self._parser is None
        if came_whole:
            self._first_token = self._elapsed()
        first = self._first_token
        self._response = response_of(self._config, self._sent, head, answer, self._elapsed(), first)
        if came_whole:
            self._ready.extend(whole_chunks(self._response))

    async def _rest(self, reply: ReplyStream) -> bytes:
        blocks: list[bytes] = []
        try:
            async with self._clock.timeout(max(0.0, self._limit - self._elapsed())):
                while block := await reply.read():
                    blocks.append(block)
        except TimeoutError:
            raise self._stalled(waits_for_first=True) from None
        return b"".join(blocks)

    def _stalled(self, *, waits_for_first: bool) -> ProviderTimeoutError:
        seconds = self._limit if waits_for_first else self._chunk_timeout
        problem = (
            f"no first chunk within {seconds:.3g} s" if waits_for_first else f"no further chunk for {seconds:.3g} s"
        )
        phase = "first chunk" if waits_for_first else "next chunk"
        return ProviderTimeoutError(problem, provider=self._config.name, model=self._sent.model, phase=phase)

    async def _failed(self, error: LLMError) -> LLMError:
        """Close, and give the error its ledger line and what came before it."""
        await self.aclose()
        head, elapsed = self._head(), self._elapsed()
        partial = self._parser.partial() if self._parser is not None else None
        if partial is not None and head is not None and (partial.content or partial.tool_calls or partial.reasoning):
            error.response = response_of(self._config, self._sent, head, partial, elapsed, self._first_token, error)
        line = line_of(self._config, self._sent, elapsed, head, partial, error, self._first_token)
        error.attempts = (line,)
        self._error = error
        return error.with_traceback(None)  # the frames below hold the text in their locals

    def _head(self) -> WireReply | None:
        return self._reply.head if self._reply is not None else None

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started
