"""pydantic-ai's direct requests to a model; openai's SDK beneath, without retries."""

from collections.abc import AsyncIterator
from typing import Any

import openai
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def model_at(address: str) -> tuple[Any, Any]:
    """Return a model and the SDK's client beneath it."""
    client = openai.AsyncOpenAI(api_key="key", base_url=address, max_retries=0)
    return OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client)), client


class Direct:
    """A model, asked directly."""

    def __init__(self, address: str) -> None:
        self._model, self._client = model_at(address)

    async def ask(self, prompt: Any) -> str:
        """Return the whole answer."""
        answer = await model_request(self._model, [ModelRequest.user_text_prompt(prompt)])
        return "".join(part.content for part in answer.parts if isinstance(part, TextPart))

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the pieces."""
        async with model_request_stream(self._model, [ModelRequest.user_text_prompt(prompt)]) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    yield event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    yield event.delta.content_delta

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


async def opened(address: str, fallback: str | None) -> Direct:
    """Return a client; the agent is what fails over."""
    assert fallback is None
    return Direct(address)
