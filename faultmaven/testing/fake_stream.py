"""Streams of a script: what `FakeProvider` plays piece by piece."""

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

Respond: TypeAlias = Callable[[str], LLMResponse]
Note: TypeAlias = Callable[[LLMError], LLMError]
Piece: TypeAlias = str | StreamChunk | ToolCall | float | LLMError

ARGUMENT_CHARACTERS = 12
"""How much of a call's arguments is streamed at once."""


class FakeStream:
    """A step of a script that is streamed piece by piece.

    ```python
    FakeProvider(FakeStream("Hel", "lo"))                                   # two chunks, and a real end
    FakeProvider(FakeStream("Hel", 5.0, "lo"))                              # five seconds on the clock between them
    FakeProvider(FakeStream("Hel", StreamInterruptedError("cut")))          # breaks off in the middle
    FakeProvider(FakeStream("Let me look.", ToolCall("1", "look", {})))      # a text, then a call in pieces
    ```
    """

    def __init__(self, *pieces: Piece, stop_reason: StopReason = StopReason.STOP) -> None:
        """Keep the pieces; nothing is played yet.

        Args:
            pieces: Texts, whole `StreamChunk`s, `ToolCall`s, seconds to wait, or an error to raise.

        Raises:
            TypeError: a piece is none of these.
        """
        for number, piece in enumerate(pieces, start=1):
            _check_piece(piece, number)
        self.pieces = pieces
        self.stop_reason = stop_reason


class PlayedStream:
    """A `FakeStream` that is being played for one request."""

    def __init__(self, step: FakeStream, request: ChatRequest, clock: Clock, respond: Respond, note: Note) -> None:
        """Args:
        respond: Makes a response of a text.
        note: Gives an error its ledger line.
        """
        self._request = request
        self._clock = clock
        self._respond = respond
        self._note = note
        self._left = deque(step.pieces)
        self._stop_reason = step.stop_reason
        self._text = self._reasoning = ""
        self._calls: dict[int, tuple[str, str, str]] = {}
        self._is_over = False

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once the last piece was read."""
        if not self._is_over:
            raise InvalidRequestError("the stream has not been read to its end")
        return self._so_far(self._stop_reason)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> StreamChunk:
        """Play the next piece."""
        waited = 0.0
        while self._left:
            piece = self._left.popleft()
            if isinstance(piece, LLMError):
                error = self._note(piece.copy())
                error.response = self._so_far(StopReason.UNKNOWN)
                raise error
            if isinstance(piece, float | int):
                waited += piece
                limit = self._request.chunk_timeout
                if limit is not None and waited > limit:
                    await self._clock.sleep(limit)
                    late = ProviderTimeoutError(f"no further chunk for {limit:.3g} s", phase="next chunk")
                    late.response = self._so_far(StopReason.UNKNOWN)
                    raise self._note(late)
                await self._clock.sleep(piece)
                continue
            if isinstance(piece, ToolCall):
                self._left.extendleft(reversed([*_deltas(piece, max(self._calls, default=-1) + 1)]))
                continue
            return self._taken(StreamChunk(text=piece) if isinstance(piece, str) else piece)
        self._is_over = True
        raise StopAsyncIteration

    def _taken(self, chunk: StreamChunk) -> StreamChunk:
        self._text += chunk.text or ""
        self._reasoning += chunk.reasoning or ""
        if (delta := chunk.tool_call) is not None:
            call_id, name, arguments = self._calls.get(delta.index, ("", "", ""))
            self._calls[delta.index] = (call_id or delta.id, name or delta.name, arguments + delta.arguments)
        return chunk

    def _so_far(self, stop_reason: StopReason) -> LLMResponse:
        response = self._respond(self._text)
        calls = tuple(parse_tool_call(*self._calls[index]) for index in sorted(self._calls))
        reason = StopReason.TOOL_CALLS if calls and stop_reason is StopReason.STOP else stop_reason
        return replace(response, reasoning=self._reasoning, tool_calls=calls, stop_reason=reason)


def words(text: str) -> list[str]:
    """Return the words of `text` with the white space around them: joined, they are the text."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _check_piece(piece: Any, number: int) -> None:
    if isinstance(piece, str | StreamChunk | ToolCall | LLMError):
        return
    if isinstance(piece, float | int) and math.isfinite(piece) and piece >= 0:
        return
    told = repr(piece) if isinstance(piece, float | int) else f"a {type(piece).__name__}"
    raise TypeError(
        f"piece {number} of the FakeStream is {told}; a piece is a text, a StreamChunk, a ToolCall, "
        "seconds to wait, or an LLMError to raise"
    )


def _deltas(call: ToolCall, index: int) -> Iterator[StreamChunk]:
    """Give a call as vendors stream one: first who is called, then the arguments' text bit by bit."""
    yield StreamChunk(tool_call=ToolCallDelta(index, call.id, call.name))
    raw = call.raw_arguments or json.dumps(dict(call.arguments), ensure_ascii=False)
    for start in range(0, len(raw), ARGUMENT_CHARACTERS):
        yield StreamChunk(tool_call=ToolCallDelta(index, arguments=raw[start : start + ARGUMENT_CHARACTERS]))
