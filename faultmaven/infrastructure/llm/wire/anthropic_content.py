"""A conversation as Anthropic Messages has it. Source: anthropic-messages.md, sections 2 and 7, 2026-11-23."""

from collections.abc import Iterable
from typing import Any

from faultmaven.domain.attachments import Attachment, File
from faultmaven.domain.chat import ChatRequest, Message
from faultmaven.domain.tools import Tool
from faultmaven.infrastructure.http.types import Json
from faultmaven.infrastructure.llm.wire.conversation import Home, linked, own_turn
from faultmaven.infrastructure.llm.wire.encoding import base64_of

MARK: Json = {"type": "ephemeral"}


def turns(request: ChatRequest, home: Home) -> list[Json]:
    """Return user and assistant turns in alternation: results of tools are one user turn, and stand first in it."""
    told: list[Json] = []
    for message in linked(request.turns, home).messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = own_turn(message, home) or _blocks(message)
        if not blocks:
            continue  # an empty turn is refused by the vendor (trap 7), and says nothing
        if told and told[-1]["role"] == role:
            told[-1]["content"] = _results_first([*told[-1]["content"], *blocks])
        else:
            told.append({"role": role, "content": blocks})
    return [_plain(turn) for turn in told]


def _plain(turn: Json) -> Json:
    """Return a turn of one text as a string, which is its shortest form."""
    blocks = turn["content"]
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return {**turn, "content": blocks[0]["text"]}
    return turn


def _results_first(blocks: list[Json]) -> list[Json]:
    return sorted(blocks, key=lambda block: block.get("type") != "tool_result")


def _blocks(message: Message) -> list[Json]:
    parts = [_part(part) for part in message.parts if part != ""]
    if message.role == "tool":
        result: Json = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        result["content"] = message.text if not (message.images or message.files) else parts
        return [{**result, "is_error": True} if message.error else result]
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
        for call in message.tool_calls
    ]
    return [*parts, *calls]


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind = "document" if isinstance(part, File) else "image"
    if part.data is None:
        return {"type": kind, "source": {"type": "url", "url": part.url}}
    source = {"type": "base64", "media_type": part.media_type, "data": base64_of(part)}
    return {"type": kind, "source": source}


def tool_objects(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools; one without parameters takes an empty object."""
    return [
        {
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            "input_schema": dict(tool.parameters) or {"type": "object", "properties": {}},
        }
        for tool in tools
    ]


def choice_object(choice: str) -> Json:
    """Return a `tool_choice`, which is always an object here."""
    words = {"auto": "auto", "none": "none", "required": "any"}
    return {"type": words[choice]} if choice in words else {"type": "tool", "name": choice}


def marked(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with marks for the prompt cache: behind the system text, else the tools, and the last turn."""
    body = dict(body)
    if body.get("system"):
        body["system"] = [{"type": "text", "text": body["system"], "cache_control": MARK}]
    elif body.get("tools"):
        body["tools"] = [*body["tools"][:-1], {**body["tools"][-1], "cache_control": MARK}]
    last = body["messages"][-1]
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    blocks = [*blocks[:-1], {**blocks[-1], "cache_control": MARK}]
    body["messages"] = [*body["messages"][:-1], {**last, "content": blocks}]
    return body
