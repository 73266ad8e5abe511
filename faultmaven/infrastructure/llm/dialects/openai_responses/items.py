"""Messages and tools in requests of OpenAI Responses. Source: openai-responses.md, section 2, 2026-11-23."""

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
    """Return the messages as items. Messages from this vendor are replayed as their original items, in order."""
    written: list[Json] = []
    for message in link_calls(request.turns, target).messages:
        written += replayable_turn(message, target) or _write_message(message)
    return written


def _write_message(message: Message) -> list[Json]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": _write_output(message)}]
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
    return [{"role": message.role, "content": [_write_part(part) for part in message.parts]}, *calls]


def _write_output(message: Message) -> str | list[Json]:
    prefix = "Error: " if message.error else ""
    if not message.images:
        return prefix + message.text
    return [*([_write_part(prefix)] if prefix else []), *(_write_part(part) for part in message.parts)]


def _write_part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    return {"type": "input_image", "image_url": attachment_uri(part), "detail": "auto"}


def write_flat_tools(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools without a nested `function` object. The key `strict` is required, and null is the default."""
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
    """Return the value of `tool_choice`: "auto", "none", "required", or the function with the name `choice`."""
    return choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}
