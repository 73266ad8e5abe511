"""A conversation as items of OpenAI Responses. Source: openai-responses.md, section 2, 2026-11-23."""

from collections.abc import Iterable

from .....domain.attachments import Attachment
from .....domain.messages import Message
from .....domain.requests import ChatRequest
from .....domain.tools import Tool
from ....http.types import Json
from ..shared.conversation import ReplayTarget, link_calls, replayable_turn
from ..shared.encoding import attachment_uri
from ..shared.reading import write_json


def write_items(request: ChatRequest, target: ReplayTarget) -> list[Json]:
    """Return the turns as items; a turn that came from here goes back item by item, unchanged and in order."""
    told: list[Json] = []
    for message in link_calls(request.turns, target).messages:
        told += replayable_turn(message, target) or _items(message)
    return told


def _items(message: Message) -> list[Json]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": _output(message)}]
    calls: list[Json] = [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.raw_arguments or write_json(dict(call.arguments)).decode(),
        }
        for call in message.tool_calls
    ]
    if not message.parts:
        return calls
    if message.role == "assistant" or all(isinstance(part, str) for part in message.parts):
        return [{"role": message.role, "content": message.text}, *calls]
    return [{"role": message.role, "content": [_part(part) for part in message.parts]}, *calls]


def _output(message: Message) -> str | list[Json]:
    failed = "Error: " if message.error else ""
    if not message.images:
        return failed + message.text
    return [*([_part(failed)] if failed else []), *(_part(part) for part in message.parts)]


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    return {"type": "input_image", "image_url": attachment_uri(part), "detail": "auto"}


def write_flat_tools(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools, which are flat here; `strict` is a required key, and null is its default."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
            "strict": None,
        }
        for tool in tools
    ]


def write_flat_tool_choice(choice: str) -> str | Json:
    """Return a `tool_choice`: one of the three words, or the function of that name."""
    return choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}
