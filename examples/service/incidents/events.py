"""Server-sent events of a stream."""

import json
from collections.abc import AsyncIterator

from faultmaven import LLMError, LLMStream

from .errors import described


def event(name: str, data: object) -> str:
    """Return one event in the format of server-sent events."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def events(stream: LLMStream, names_providers: bool) -> AsyncIterator[str]:
    """Yield "text" events, then one "end" or one "error". Without an "end", the answer is incomplete."""
    try:
        async for chunk in stream:
            if chunk.text:
                yield event("text", chunk.text)
    except LLMError as error:
        yield event("error", described(error, names_providers))
    else:
        yield event("end", {"stop_reason": stream.response.stop_reason.value})
