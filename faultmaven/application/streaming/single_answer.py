"""A stream of one piece: an answer that came whole, behind the face of a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ...domain.errors import InvalidRequestError
from ...domain.responses import LLMResponse, StreamChunk
from ...domain.tool_calls import ToolCallDelta
from ...ports.llm import LLMStream


def whole_chunks(response: LLMResponse) -> list[StreamChunk]:
    """Return the chunks of an answer that came whole: its reasoning, its text, its tool calls and its usage."""
    chunks = []
    if response.reasoning:
        chunks.append(StreamChunk(reasoning=response.reasoning))
    if response.content:
        chunks.append(StreamChunk(text=response.content))
    for index, call in enumerate(response.tool_calls):
        chunks.append(StreamChunk(tool_call=ToolCallDelta(index, call.id, call.name, call.raw_arguments)))
    if response.usage is not None:
        chunks.append(StreamChunk(usage=response.usage))
    return chunks


class WholeAnswerStream:
    """Gives `response` at once."""

    def __init__(self, response: LLMResponse) -> None:
        self._response = response
        self._finished = False

    async def __aiter__(self) -> AsyncIterator[StreamChunk]:
        """Yield the whole answer."""
        if self._finished:
            return
        self._finished = True
        for chunk in whole_chunks(self._response):
            yield chunk

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once its chunks were read."""
        if not self._finished:
            raise InvalidRequestError("the stream has not been read to its end", advice="Iterate over it first.")
        return self._response


@asynccontextmanager
async def whole_stream(answer: Callable[[], Awaitable[LLMResponse]]) -> AsyncIterator[LLMStream]:
    """Ask for the answer on entry, and give it as a stream."""
    yield WholeAnswerStream(await answer())
