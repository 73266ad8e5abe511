"""Fake streams, which `FakeProvider` plays piece by piece."""

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self, TypeAlias

from ..domain.errors import InvalidRequestError, LLMError, ProviderTimeoutError
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse, StopReason, StreamChunk
from ..domain.tool_calls import ToolCall, ToolCallDelta
from ..infrastructure.llm.dialects.shared.reading import parse_tool_call
from ..ports.clock import Clock

BuildResponse: TypeAlias = Callable[[str], LLMResponse]
AddAttempt: TypeAlias = Callable[[LLMError], LLMError]
Piece: TypeAlias = str | StreamChunk | ToolCall | float | LLMError

ARGUMENT_CHUNK_CHARACTERS = 12
"""The size of one streamed piece of a tool call's arguments."""


class FakeStream:
    """A step of a script that is streamed piece by piece.

    ```python
    FakeProvider(FakeStream("Hel", "lo"))                                   # two chunks and a regular end
    FakeProvider(FakeStream("Hel", 5.0, "lo"))                              # five seconds on the clock between them
    FakeProvider(FakeStream("Hel", StreamInterruptedError("cut")))          # interrupted in the middle
    FakeProvider(FakeStream("Let me look.", ToolCall("1", "look", {})))      # a text, then a call in pieces
    ```
    """

    def __init__(self, *pieces: Piece, stop_reason: StopReason = StopReason.STOP) -> None:
        """Check the pieces; a request plays them.

        Args:
            pieces: Texts, `StreamChunk`s, `ToolCall`s, seconds to wait, or an error to raise.
            stop_reason: The stop reason of the response; tool calls turn STOP into TOOL_CALLS.

        Raises:
            TypeError: a piece is none of these.
        """
        for number, piece in enumerate(pieces, start=1):
            _check_piece(piece, number)
        self.pieces = pieces
        self.stop_reason = stop_reason


class PlayedStream:
    """A `FakeStream` while it is played for one request."""

    def __init__(
        self,
        step: FakeStream,
        request: ChatRequest,
        clock: Clock,
        build_response: BuildResponse,
        add_attempt: AddAttempt,
    ) -> None:
        """Play `step` for `request`.

        Args:
            build_response: Builds a response with a given text.
            add_attempt: Adds the attempt to an error and returns the error.
        """
        self._request = request
        self._clock = clock
        self._build_response = build_response
        self._add_attempt = add_attempt
        self._pieces = deque(step.pieces)
        self._stop_reason = step.stop_reason
        self._text = self._reasoning = ""
        self._calls: dict[int, tuple[str, str, str]] = {}
        self._is_over = False

    @property
    def response(self) -> LLMResponse:
        """The complete response, after the last piece was read."""
        if not self._is_over:
            raise InvalidRequestError("the stream has not been read to its end")
        return self._partial_response(self._stop_reason)

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Play the next piece.

        Raises:
            LLMError: the piece is an error, or the waits before the next chunk exceed the chunk timeout.
        """
        waited = 0.0
        while self._pieces:
            piece = self._pieces.popleft()
            if isinstance(piece, LLMError):
                error = self._add_attempt(piece.copy())
                error.response = self._partial_response(StopReason.UNKNOWN)
                raise error
            if isinstance(piece, float | int):
                waited += piece
                limit = self._request.chunk_timeout
                if limit is not None and waited > limit:
                    await self._clock.sleep(limit)
                    late = ProviderTimeoutError(f"no further chunk for {limit:.3g} s", phase="next chunk")
                    late.response = self._partial_response(StopReason.UNKNOWN)
                    raise self._add_attempt(late)
                await self._clock.sleep(piece)
                continue
            if isinstance(piece, ToolCall):
                self._pieces.extendleft(reversed([*_call_chunks(piece, max(self._calls, default=-1) + 1)]))
                continue
            return self._record(StreamChunk(text=piece) if isinstance(piece, str) else piece)
        self._is_over = True
        raise StopAsyncIteration

    def _record(self, chunk: StreamChunk) -> StreamChunk:
        self._text += chunk.text or ""
        self._reasoning += chunk.reasoning or ""
        if (delta := chunk.tool_call) is not None:
            call_id, name, arguments = self._calls.get(delta.index, ("", "", ""))
            self._calls[delta.index] = (call_id or delta.id, name or delta.name, arguments + delta.arguments)
        return chunk

    def _partial_response(self, stop_reason: StopReason) -> LLMResponse:
        response = self._build_response(self._text)
        calls = tuple(parse_tool_call(*self._calls[index]) for index in sorted(self._calls))
        reason = StopReason.TOOL_CALLS if calls and stop_reason is StopReason.STOP else stop_reason
        return replace(response, reasoning=self._reasoning, tool_calls=calls, stop_reason=reason)


def split_words(text: str) -> list[str]:
    """Split `text` into words with their surrounding white space; the joined words equal `text`."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _check_piece(piece: Any, number: int) -> None:
    if isinstance(piece, str | StreamChunk | ToolCall | LLMError):
        return
    if isinstance(piece, float | int) and math.isfinite(piece) and piece >= 0:
        return
    description = repr(piece) if isinstance(piece, float | int) else f"a {type(piece).__name__}"
    raise TypeError(
        f"piece {number} of the FakeStream is {description}; a piece is a text, a StreamChunk, a ToolCall, "
        "seconds to wait, or an LLMError to raise"
    )


def _call_chunks(call: ToolCall, index: int) -> Iterator[StreamChunk]:
    """Yield a tool call as vendors stream one: first id and name, then the text of the arguments in pieces."""
    yield StreamChunk(tool_call=ToolCallDelta(index, call.id, call.name))
    arguments = call.raw_arguments or json.dumps(dict(call.arguments), ensure_ascii=False)
    for start in range(0, len(arguments), ARGUMENT_CHUNK_CHARACTERS):
        yield StreamChunk(
            tool_call=ToolCallDelta(index, arguments=arguments[start : start + ARGUMENT_CHUNK_CHARACTERS])
        )
