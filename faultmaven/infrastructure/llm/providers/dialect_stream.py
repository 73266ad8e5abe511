"""DialectStream: the stream of an answer, from bytes to chunks, with a timeout for each chunk."""

from collections import deque
from dataclasses import replace
from typing import Self

from ....application.streaming.single_answer import chunks_of
from ....domain.errors import InvalidRequestError, LLMError, ProviderTimeoutError, ProviderUnavailableError
from ....domain.responses import LLMResponse, StreamChunk
from ....ports.clock import Clock
from ...http.types import ReplyStream, Transport, WireReply, WireRequest
from ..config import ProviderConfig
from ..dialects.protocol import Answer, Dialect, StreamParser
from ..dialects.shared.errors import raise_for_status
from ..dialects.shared.streaming import interrupted_error
from .response_builder import build_attempt, build_response

END_OF_BODY_SECONDS = 0.1
"""The wait for the end of the body after the end marker. Only a body read to its end leaves the connection reusable."""

MAX_PARSED_BYTES = 1024
"""Bytes of a block that are parsed before their chunks are returned, so that a block of hundreds of chunks does not
delay the first of them."""


class DialectStream:
    """The `LLMStream` of a dialect, made, begun and closed by `DialectProvider`."""

    def __init__(
        self, transport: Transport, clock: Clock, dialect: Dialect, config: ProviderConfig, sent: WireRequest
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._dialect = dialect
        self._config = config
        self._sent = sent
        self._started = clock.monotonic()
        self._timeout = 0.0
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
        """The whole answer, available after the last chunk.

        Raises:
            InvalidRequestError: the stream was not read to its end.
        """
        if self._response is None or self._ready:
            raise InvalidRequestError(
                "the stream has not been read to its end", advice="Iterate over the stream first."
            )
        return self._response

    async def begin(self, timeout: float, chunk_timeout: float) -> None:
        """Send the request, and return once the reply has begun with status 200.

        Args:
            timeout: Seconds until the first chunk.
            chunk_timeout: Seconds between two chunks.

        Raises:
            LLMError: with the attempt in `attempts`.
        """
        self._timeout = timeout
        self._chunk_timeout = chunk_timeout
        try:
            self._reply = await self._transport.open(self._sent, timeout)
            head = self._reply.head
            if head.status != 200:
                raise_for_status(replace(head, body=await self._read_body(self._reply)))
            if head.content_type.endswith("/json"):
                # The server, or a proxy in front of it, does not stream: the answer comes in one piece.
                reply = replace(head, body=await self._read_body(self._reply))
                self._complete(self._dialect.parse_response(reply), head)
                await self.aclose()
            else:
                self._parser = self._dialect.stream_parser(head)
        except LLMError as error:
            raise await self._fail(error) from error.__cause__
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> Self:
        """Return this stream, which can be read once."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Return the next chunk.

        Raises:
            LLMError: the stream broke off; `error.response` holds the part that came before. Later calls raise the same
                error again.
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
            failure = await self._fail(error)
            if not self._ready:  # otherwise the chunks before the error are returned first
                raise failure from error.__cause__
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Close the connection, or release it for reuse when the body was read to its end."""
        if self._reply is not None:
            await self._reply.aclose()

    async def _advance(self) -> None:
        """Read until a chunk is ready or the answer is complete."""
        reply, parser = self._reply, self._parser
        if reply is None or parser is None:
            raise InvalidRequestError("the stream is closed")
        self._add_chunks(parser.feed(b""))  # raises an error that came after the chunks of the previous call
        await self._parse_block(reply, parser)
        if self._ready or self._response is not None:
            return
        remaining = self._timeout - self._elapsed()
        is_first = self._first_token is None
        try:
            async with self._clock.timeout(max(remaining, 0.0) if is_first else self._chunk_timeout):
                while not self._ready and self._response is None:
                    await self._read_block(reply, parser)
        except TimeoutError:
            if not parser.may_end:
                raise self._timeout_error(is_first=is_first) from None
            await self._finish(reply, parser)  # the answer is complete, and only the end of the body is missing

    async def _read_block(self, reply: ReplyStream, parser: StreamParser) -> None:
        try:
            self._block, self._parsed = await reply.read(), 0
        except ProviderUnavailableError as error:
            if parser.may_end:
                await self._finish(reply, parser)
                return
            raise interrupted_error(error) from error.__cause__
        if self._block:
            await self._parse_block(reply, parser)
        else:
            self._add_chunks(parser.flush())
            await self._finish(reply, parser)

    async def _parse_block(self, reply: ReplyStream, parser: StreamParser) -> None:
        """Parse the unparsed rest of the last block until a chunk is ready."""
        while self._parsed < len(self._block) and not self._ready and self._response is None:
            piece = self._block[self._parsed : self._parsed + MAX_PARSED_BYTES]
            self._parsed += len(piece)
            self._add_chunks(parser.feed(piece))
            if parser.has_ended:
                await self._finish(reply, parser)

    def _add_chunks(self, chunks: list[StreamChunk]) -> None:
        if chunks and self._first_token is None:
            self._first_token = self._elapsed()
        self._ready.extend(chunks)

    async def _finish(self, reply: ReplyStream, parser: StreamParser) -> None:
        answer = parser.close()
        if parser.has_ended:
            try:
                async with self._clock.timeout(END_OF_BODY_SECONDS):
                    while await reply.read():
                        pass
            except (TimeoutError, LLMError):
                pass  # the answer is complete; only the connection cannot be reused
        await reply.aclose()
        self._complete(answer, reply.head)

    def _complete(self, answer: Answer, head: WireReply) -> None:
        is_unstreamed = self._parser is None
        if is_unstreamed:
            self._first_token = self._elapsed()
        first_token = self._first_token
        self._response = build_response(self._config, self._sent, head, answer, self._elapsed(), first_token)
        if is_unstreamed:
            self._ready.extend(chunks_of(self._response))

    async def _read_body(self, reply: ReplyStream) -> bytes:
        blocks: list[bytes] = []
        try:
            async with self._clock.timeout(max(0.0, self._timeout - self._elapsed())):
                while block := await reply.read():
                    blocks.append(block)
        except TimeoutError:
            raise self._timeout_error(is_first=True) from None
        return b"".join(blocks)

    def _timeout_error(self, *, is_first: bool) -> ProviderTimeoutError:
        seconds = self._timeout if is_first else self._chunk_timeout
        problem = f"no first chunk within {seconds:.3g} s" if is_first else f"no further chunk for {seconds:.3g} s"
        phase = "first chunk" if is_first else "next chunk"
        return ProviderTimeoutError(problem, provider=self._config.name, model=self._sent.model, phase=phase)

    async def _fail(self, error: LLMError) -> LLMError:
        """Close the stream, and return `error` with its attempt and with the partial answer, if there is one."""
        await self.aclose()
        head, elapsed = self._head(), self._elapsed()
        partial = self._parser.partial() if self._parser is not None else None
        config, sent, first_token = self._config, self._sent, self._first_token
        if partial is not None and head is not None and (partial.content or partial.tool_calls or partial.reasoning):
            error.response = build_response(config, sent, head, partial, elapsed, first_token, error)
        error.attempts = (build_attempt(config, sent, elapsed, head, partial, error, first_token),)
        self._error = error
        return error.with_traceback(None)  # local variables of the traceback's frames hold the text

    def _head(self) -> WireReply | None:
        return self._reply.head if self._reply is not None else None

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started
