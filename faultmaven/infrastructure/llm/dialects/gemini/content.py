"""How a conversation, its tools and its schema are written for Gemini. Source: wire/gemini-generate-content.md 2.

Every function is given the notes to add to: what is left out or changed, each as one sentence. Whoever sends them drops
those that stand twice.
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
"""Stands for the signature of a call that Gemini did not make: ai.google.dev/gemini-api/docs/thought-signatures, FAQ
on history from other models, 2026-11. Vertex AI documents this one of the two dummies as well."""

Notes = list[str]

# Image and document types by the ending of their address. Source: ai.google.dev image and document pages, 2026-11.
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
    """Return whether it is of Gemini's first two generations."""
    return re.match(r"(models/)?gemini-[12](\D|$)", model) is not None


def write_contents(request: ChatRequest, target: ReplayTarget, notes: Notes) -> list[Json]:
    """Return the turns as contents; the results of one turn's calls become one user turn."""
    told = link_calls(request.turns, target)
    notes += lost_replay_notes(request.turns, target)
    if any(file.name for turn in request.turns for file in turn.files):
        notes.append("names of files left out: Gemini takes none")
    found: list[Json] = []
    asked = _Asked()
    results: list[tuple[Message, str]] = []
    for message, name in zip(told.messages, told.names, strict=True):
        if message.role == "tool":
            results.append((message, name))
            continue
        found += asked.answered(results, notes)
        results = []
        if message.role == "assistant":
            parts = _model_parts(message, target, notes)
            asked = _Asked(message.tool_calls, parts)
            found.append({"role": "model", "parts": parts})
        else:
            found.append({"role": "user", "parts": list(_parts(message.parts, notes)) or [{"text": ""}]})
    return found + asked.answered(results, notes)


def _model_parts(message: Message, target: ReplayTarget, notes: Notes) -> list[Json]:
    own = replayable_turn(message, target)
    parts = objects_in(own) if own is not None else _rebuilt(message, notes)
    calls = [place for place, part in enumerate(parts) if "functionCall" in part]
    if (
        calls
        and model_facts("gemini", target[2]).demands_signatures
        and not any("thoughtSignature" in parts[place] for place in calls)
    ):
        parts = [*parts]
        parts[calls[0]] = {**parts[calls[0]], "thoughtSignature": NO_SIGNATURE}  # only the first call of a turn has one
        notes.append(f"tool calls that Gemini did not sign are sent with the dummy signature {NO_SIGNATURE}")
    return parts


def _rebuilt(message: Message, notes: Notes) -> list[Json]:
    """Text and calls. The calls have no ids: those are the vendor's own to give, and their order tells them apart."""
    if any(call.problem for call in message.tool_calls):
        notes.append("the broken arguments of an earlier tool call are sent as none")
    calls = [{"functionCall": {"name": call.name, "args": dict(call.arguments)}} for call in message.tool_calls]
    return [*_parts(message.parts, notes), *calls] or [{"text": ""}]


class _Asked:
    """The calls of the newest model turn, whose results come next."""

    def __init__(self, calls: Sequence[ToolCall] = (), parts: Sequence[Json] = ()) -> None:
        self._order = {call.id: place for place, call in enumerate(calls)}
        self._given = {string_or_empty(object_or_empty(part.get("functionCall")).get("id")) for part in parts} - {""}

    def answered(self, results: list[tuple[Message, str]], notes: Notes) -> list[Json]:
        """Return the user turn of the results, each with its tool's name, in the order of their calls.

        Without ids they are matched by that order.
        """
        if not results:
            return []
        last = len(self._order)
        in_order = sorted(results, key=lambda result: self._order.get(result[0].tool_call_id, last))
        parts = [part for result, name in in_order for part in self._result(result, name, notes)]
        return [{"role": "user", "parts": parts}]

    def _result(self, result: Message, name: str, notes: Notes) -> Iterator[Json]:
        call_id = result.tool_call_id
        told: Any = {"error": result.text} if result.error else {"output": _parsed(result.text)}
        response = {"name": name, "response": told}
        yield {"functionResponse": {"id": call_id, **response} if call_id in self._given else response}
        yield from _parts([part for part in result.parts if not isinstance(part, str)], notes)


def _parsed(text: str) -> Any:
    """Return the JSON object or list that the text is; any other text as it is."""
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _parts(parts: Sequence[Part], notes: Notes) -> Iterator[Json]:
    for part in parts:
        if isinstance(part, str):
            yield {"text": part}
        elif part.data is None:
            yield {"fileData": {"mimeType": _media_type(part, notes), "fileUri": part.url}}
        else:
            yield {"inlineData": {"mimeType": _media_type(part, notes), "data": to_base64(part)}}


def find_media_type(attachment: Attachment) -> str:
    """Return the media type as it was given, or by the ending of the address; "" when neither tells."""
    if attachment.media_type:
        return attachment.media_type
    try:
        path = urlsplit(attachment.url).path
    except ValueError:
        return ""
    return MEDIA_TYPES.get(path.rpartition(".")[2].lower(), "")


def _media_type(attachment: Attachment, notes: Notes) -> str:
    known = find_media_type(attachment)
    if known:
        return known
    guess = "application/pdf" if isinstance(attachment, File) else "image/jpeg"
    notes.append(f"an attachment of unknown media type is sent as {guess}: Gemini wants one")
    return guess


def write_tool_fields(request: ChatRequest, notes: Notes) -> Json:
    """Return the body's fields for tools and which of them may be called.

    Raises:
        SchemaRefusedError: a tool's parameters have no form that Gemini takes.
    """
    if not request.tools:
        return {}
    fields: Json = {"tools": [{"functionDeclarations": [_declaration(tool, notes) for tool in request.tools]}]}
    if request.tool_choice is not None:
        fields["toolConfig"] = {"functionCallingConfig": _calling(request.tool_choice)}
    return fields


def _declaration(tool: Tool, notes: Notes) -> Json:
    declaration: Json = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if _has_parameters(tool):
        declaration["parametersJsonSchema"] = to_gemini_schema(dict(tool.parameters), notes)
    return declaration


def _has_parameters(tool: Tool) -> bool:
    """An object without properties says nothing, and is refused by some models."""
    told = {key for key, value in tool.parameters.items() if value}
    return bool(told - {"type", "title", "description", "$schema", "additionalProperties"})


_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def _calling(choice: str) -> Json:
    if choice in _MODES:
        return {"mode": _MODES[choice]}
    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def to_gemini_schema(schema: Json, notes: Notes) -> Json:
    """Return the schema without references and without `additionalProperties`, which Gemini answers with 400.

    Raises:
        SchemaRefusedError: it holds itself.
    """
    whole = inline_references(schema)
    taken = drop_keywords(whole, "additionalProperties")
    if taken != whole:
        notes.append("additionalProperties left out of the schema: Gemini refuses it")
    return drop_keywords(taken, "$schema")
