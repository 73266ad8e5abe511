"""pydantic-ai's direct model requests, with openai's SDK and without retries."""

from collections.abc import AsyncIterator
from typing import Any

import openai
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def model_at(address: str) -> tuple[Any, Any]:
    """Return a model and the SDK client of the model."""
    client = openai.AsyncOpenAI(api_key="key", base_url=address, max_retries=0)
    return OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client)), client


class Direct:
    """A model that is called directly."""

    def __init__(self, address: str) -> None:
        self._model, self._client = model_at(address)

    async def complete(self, prompt: Any) -> str:
        """Return the whole answer."""
        answer = await model_request(self._model, [ModelRequest.user_text_prompt(prompt)])
        return "".join(part.content for part in answer.parts if isinstance(part, TextPart))

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Yield the texts of the stream."""
        async with model_request_stream(self._model, [ModelRequest.user_text_prompt(prompt)]) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    yield event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    yield event.delta.content_delta

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


async def open_client(address: str, fallback: str | None) -> Direct:
    """Return a client without failover, which only the agent has."""
    assert fallback is None
    return Direct(address)
