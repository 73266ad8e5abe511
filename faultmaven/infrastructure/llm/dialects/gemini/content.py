"""Messages, tools and schemas in requests of Gemini. Source: wire reference, gemini-generate-content.md 2.

Every function takes a list of notes and appends a sentence for each field that is left out or changed. The caller
removes duplicate notes.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pydantic_core

from .....domain.attachments import Attachment, File
from .....domain.messages import Message, Part
from .....domain.requests import ChatRequest
from .....domain.tool_calls import ToolCall
from .....domain.tools import Tool
from ....http.types import Json
from ...models import model_facts
from ..shared.conversation import ReplayTarget, link_calls, lost_replay_notes, replayable_turn
from ..shared.encoding import to_base64
from ..shared.reading import object_or_empty, objects_in, string_or_empty
from ..shared.schemas import drop_keywords, inline_references

NO_SIGNATURE = "skip_thought_signature_validator"
"""Dummy signature for a call that Gemini did not make. Source: ai.google.dev/gemini-api/docs/thought-signatures, FAQ on
history from other models, 2026-11. Of the two documented dummies, Vertex AI documents this one as well."""

Notes = list[str]

# File extension to media type of images and documents. Source: ai.google.dev image and document pages, 2026-11.
MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "xml": "text/xml",
}


def is_before_3(model: str) -> bool:
    """Return whether the model is older than Gemini 3."""
    return re.match(r"(models/)?gemini-[12](\D|$)", model) is not None


def write_contents(request: ChatRequest, target: ReplayTarget, notes: Notes) -> list[Json]:
    """Return the messages as contents; the results of one message's calls become one user content."""
    conversation = link_calls(request.turns, target)
    notes += lost_replay_notes(request.turns, target)
    if any(file.name for turn in request.turns for file in turn.files):
        notes.append("names of files left out: Gemini accepts no file names")
    contents: list[Json] = []
    pending = _PendingCalls()
    results: list[tuple[Message, str]] = []
    for message, name in zip(conversation.messages, conversation.names, strict=True):
        if message.role == "tool":
            results.append((message, name))
            continue
        contents += pending.write_results(results, notes)
        results = []
        if message.role == "assistant":
            parts = _write_model_parts(message, target, notes)
            pending = _PendingCalls(message.tool_calls, parts)
            contents.append({"role": "model", "parts": parts})
        else:
            contents.append({"role": "user", "parts": list(_write_parts(message.parts, notes)) or [{"text": ""}]})
    return contents + pending.write_results(results, notes)


def _write_model_parts(message: Message, target: ReplayTarget, notes: Notes) -> list[Json]:
    replayed = replayable_turn(message, target)
    parts = objects_in(replayed) if replayed is not None else _write_new_parts(message, notes)
    calls = [position for position, part in enumerate(parts) if "functionCall" in part]
    if (
        calls
        and model_facts("gemini", target[2]).demands_signatures
        and not any("thoughtSignature" in parts[position] for position in calls)
    ):
        # Only the first call of a message has a signature.
        parts = [*parts]
        parts[calls[0]] = {**parts[calls[0]], "thoughtSignature": NO_SIGNATURE}
        notes.append(f"tool calls that Gemini did not sign are sent with the dummy signature {NO_SIGNATURE}")
    return parts


def _write_new_parts(message: Message, notes: Notes) -> list[Json]:
    """Return the parts from text and calls. Only Gemini may give ids: without ids, the order links the results."""
    if any(call.problem for call in message.tool_calls):
        notes.append("broken arguments of an earlier tool call are sent as an empty object")
    calls = [{"functionCall": {"name": call.name, "args": dict(call.arguments)}} for call in message.tool_calls]
    return [*_write_parts(message.parts, notes), *calls] or [{"text": ""}]


class _PendingCalls:
    """The calls of the newest model content, whose results come next."""

    def __init__(self, calls: Sequence[ToolCall] = (), parts: Sequence[Json] = ()) -> None:
        self._order = {call.id: position for position, call in enumerate(calls)}
        function_calls = (object_or_empty(part.get("functionCall")) for part in parts)
        self._vendor_ids = {string_or_empty(call.get("id")) for call in function_calls} - {""}

    def write_results(self, results: list[tuple[Message, str]], notes: Notes) -> list[Json]:
        """Return a user content with the results in the order of their calls, which links results without ids."""
        if not results:
            return []
        last = len(self._order)
        in_order = sorted(results, key=lambda result: self._order.get(result[0].tool_call_id, last))
        parts = [part for result, name in in_order for part in self._write_result(result, name, notes)]
        return [{"role": "user", "parts": parts}]

    def _write_result(self, result: Message, name: str, notes: Notes) -> Iterator[Json]:
        call_id = result.tool_call_id
        content: Any = {"error": result.text} if result.error else {"output": _decode_json(result.text)}
        response = {"name": name, "response": content}
        yield {"functionResponse": {"id": call_id, **response} if call_id in self._vendor_ids else response}
        yield from _write_parts([part for part in result.parts if not isinstance(part, str)], notes)


def _decode_json(text: str) -> Any:
    """Return the JSON object or list in `text`; return any other text unchanged."""
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _write_parts(parts: Sequence[Part], notes: Notes) -> Iterator[Json]:
    for part in parts:
        if isinstance(part, str):
            yield {"text": part}
        elif part.data is None:
            yield {"fileData": {"mimeType": _require_media_type(part, notes), "fileUri": part.url}}
        else:
            yield {"inlineData": {"mimeType": _require_media_type(part, notes), "data": to_base64(part)}}


def find_media_type(attachment: Attachment) -> str:
    """Return the media type of the attachment, or the one of the URL's file extension; "" when both are unknown."""
    if attachment.media_type:
        return attachment.media_type
    try:
        path = urlsplit(attachment.url).path
    except ValueError:
        return ""
    return MEDIA_TYPES.get(path.rpartition(".")[2].lower(), "")


def _require_media_type(attachment: Attachment, notes: Notes) -> str:
    media_type = find_media_type(attachment)
    if media_type:
        return media_type
    guess = "application/pdf" if isinstance(attachment, File) else "image/jpeg"
    notes.append(f"an attachment of unknown media type is sent as {guess}: Gemini requires a media type")
    return guess


def write_tool_config(request: ChatRequest, notes: Notes) -> Json:
    """Return the fields of the body for the tools and the tool choice.

    Raises:
        SchemaRefusedError: Gemini does not support the schema of a tool's parameters.
    """
    if not request.tools:
        return {}
    fields: Json = {"tools": [{"functionDeclarations": [_write_declaration(tool, notes) for tool in request.tools]}]}
    if request.tool_choice is not None:
        fields["toolConfig"] = {"functionCallingConfig": _write_calling_config(request.tool_choice)}
    return fields


def _write_declaration(tool: Tool, notes: Notes) -> Json:
    declaration: Json = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if _has_parameters(tool):
        declaration["parametersJsonSchema"] = to_gemini_schema(dict(tool.parameters), notes)
    return declaration


def _has_parameters(tool: Tool) -> bool:
    """Return whether the tool has parameters. Some models refuse a schema of an object without properties."""
    keywords = {key for key, value in tool.parameters.items() if value}
    return bool(keywords - {"type", "title", "description", "$schema", "additionalProperties"})


_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def _write_calling_config(choice: str) -> Json:
    if choice in _MODES:
        return {"mode": _MODES[choice]}
    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def to_gemini_schema(schema: Json, notes: Notes) -> Json:
    """Return the schema without references and without `additionalProperties`, for which Gemini returns status 400.

    Raises:
        SchemaRefusedError: the schema is recursive.
    """
    complete = inline_references(schema)
    supported = drop_keywords(complete, "additionalProperties")
    if supported != complete:
        notes.append("additionalProperties left out of the schema: Gemini refuses that keyword")
    return drop_keywords(supported, "$schema")
