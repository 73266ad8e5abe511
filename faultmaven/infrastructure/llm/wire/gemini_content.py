"""A conversation as Gemini has it. Source: gemini-generate-content.md, section 2, 2026-11-23."""

import mimetypes
from collections.abc import Iterable
from typing import Any

from faultmaven.domain.attachments import Attachment
from faultmaven.domain.chat import ChatRequest, Message
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.http.types import Json
from faultmaven.infrastructure.llm.wire.conversation import Home, Linked, linked, own_turn
from faultmaven.infrastructure.llm.wire.encoding import base64_of
from faultmaven.infrastructure.llm.wire.reading import NOT_JSON, parse_json
from faultmaven.infrastructure.llm.wire.schemas import inlined, without

BYPASS = "skip_thought_signature_validator"
"""What stands in for the signature of a call that another model made (ai.google.dev, thought signatures, 2026)."""

BYPASS_NOTE = "calls that another model made carry Google's documented stand-in for a thought signature"
UNKNOWN_KEYWORDS = ("additionalProperties", "$schema", "$id")
"""Older API versions refuse these (section 2 (4)); nothing depends on them."""


def contents(request: ChatRequest, home: Home, *, signs: bool) -> list[Json]:
    """Return the turns: the assistant is "model", and the results of parallel calls are one user turn.

    Args:
        signs: The model demands a signature on the first call of each turn.
    """
    told: list[Json] = []
    conversation = linked(request.turns, home)
    given = _given_ids(request.turns)
    for message in conversation.messages:
        role = "model" if message.role == "assistant" else "user"
        parts = own_turn(message, home) or _parts(message, conversation, given, signs=signs)
        if told and told[-1]["role"] == role == "user" and message.role == "tool":
            told[-1]["parts"] += parts
        elif parts:
            told.append({"role": role, "parts": list(parts)})
    return told


def needs_bypass(request: ChatRequest, home: Home) -> bool:
    """Return whether some calls of the conversation have no signature of this model."""
    return any(message.tool_calls and own_turn(message, home) is None for message in request.turns)


def _given_ids(turns: Iterable[Message]) -> frozenset[str]:
    """Return the ids that vendors gave; the others are ours, and a vendor that gave none wants none back."""
    return frozenset(call.id for turn in turns for call in turn.tool_calls if not call.id.startswith("call_"))


def _parts(message: Message, conversation: Linked, given: frozenset[str], *, signs: bool) -> list[Json]:
    if message.role == "tool":
        return [_response(message, conversation, given), *(_part(image) for image in message.images)]
    parts = [_part(part) for part in message.parts if part != ""]
    calls = [_call(call, given) for call in message.tool_calls]
    if calls and signs:
        calls[0]["thoughtSignature"] = BYPASS
    return [*parts, *calls]


def _call(call: ToolCall, given: frozenset[str]) -> Json:
    identified = {"id": call.id} if call.id in given else {}
    return {"functionCall": {**identified, "name": call.name, "args": dict(call.arguments)}}


def _response(message: Message, conversation: Linked, given: frozenset[str]) -> Json:
    """A result is an object: under `output` its JSON, or its text; under `error` what went wrong."""
    value: Any = parse_json(message.text)
    response = {"error": message.text} if message.error else {"output": message.text if value is NOT_JSON else value}
    identified = {"id": message.tool_call_id} if message.tool_call_id in given else {}
    name = conversation.names.get(message.tool_call_id, message.tool_call_id)
    return {"functionResponse": {**identified, "name": name, "response": response}}


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"text": part}
    if part.data is None:
        kind = part.media_type or mimetypes.guess_type(part.url.partition("?")[0])[0] or "image/png"
        return {"fileData": {"mimeType": kind, "fileUri": part.url}}
    return {"inlineData": {"mimeType": part.media_type, "data": base64_of(part)}}


def tool_objects(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools; one without parameters says nothing of them."""
    declared = []
    for tool in tools:
        described = {"description": tool.description} if tool.description else {}
        parameters = {"parametersJsonSchema": plain_schema(dict(tool.parameters))} if tool.parameters else {}
        declared.append({"name": tool.name, **described, **parameters})
    return [{"functionDeclarations": declared}]


def plain_schema(schema: Json) -> Json:
    """Return the schema without references and without what Gemini does not know; SchemaRefusedError as `inlined`."""
    return without(inlined(schema), *UNKNOWN_KEYWORDS)


def choice_object(choice: str) -> Json:
    """Return a `toolConfig`."""
    words = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
    if choice in words:
        return {"functionCallingConfig": {"mode": words[choice]}}
    return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice]}}
