"""A stream of one chunk: an answer that came whole, behind the face of a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from faultmaven.domain.chat import LLMResponse, StreamChunk
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.ports.llm import LLMStream


class WholeAnswerStream:
    """Gives `response` as its only chunk."""

    def __init__(self, response: LLMResponse) -> None:
        self._response = response
        self._finished = False

    async def __aiter__(self) -> AsyncIterator[StreamChunk]:
        """Yield the whole answer."""
        if self._finished:
            return
        self._finished = True
        yield StreamChunk(text=self._response.content, usage=self._response.usage)

    @property
    def response(self) -> LLMResponse:
        """The whole answer, once its chunk was read."""
        if not self._finished:
            raise InvalidRequestError("the stream has not been read to its end", advice="Iterate over it first.")
        return self._response


@asynccontextmanager
async def whole_stream(answer: Callable[[], Awaitable[LLMResponse]]) -> AsyncIterator[LLMStream]:
    """Ask for the answer on entry, and give it as a stream."""
    yield WholeAnswerStream(await answer())
