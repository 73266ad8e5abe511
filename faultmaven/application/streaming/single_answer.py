"""A whole response as a stream of one piece."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ...domain.errors import InvalidRequestError
from ...domain.responses import LLMResponse, StreamChunk
from ...domain.tool_calls import ToolCallDelta
from ...ports.llm import LLMStream


def chunks_of(response: LLMResponse) -> list[StreamChunk]:
    """Return the chunks of a whole response: reasoning, text, tool calls and usage."""
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


class SingleAnswerStream:
    """An `LLMStream` that yields the chunks of a whole response at once."""

    def __init__(self, response: LLMResponse) -> None:
        self._response = response
        self._is_finished = False

    async def __aiter__(self) -> AsyncIterator[StreamChunk]:
        """Yield the chunks of the response."""
        if self._is_finished:
            return
        self._is_finished = True
        for chunk in chunks_of(self._response):
            yield chunk

    @property
    def response(self) -> LLMResponse:
        """The whole response, once its chunks were read."""
        if not self._is_finished:
            raise InvalidRequestError(
                "the stream has not been read to its end", advice="Iterate over the stream first."
            )
        return self._response


@asynccontextmanager
async def single_answer(answer: Callable[[], Awaitable[LLMResponse]]) -> AsyncIterator[LLMStream]:
    """Call `answer` on entry, and give its response as a stream."""
    yield SingleAnswerStream(await answer())
