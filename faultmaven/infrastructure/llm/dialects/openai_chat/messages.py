"""Messages, tools and schemas in requests of OpenAI Chat. Source: openai-chat.md, sections 2 and 9.2."""

from collections.abc import Iterable, Iterator

from .....domain.attachments import Attachment, File
from .....domain.messages import Message
from .....domain.requests import ChatRequest
from .....domain.tool_calls import ToolCall
from .....domain.tools import Tool
from ....http.types import Json
from ..shared.conversation import ReplayTarget, link_calls, replayable_turn
from ..shared.encoding import attachment_uri
from ..shared.reading import write_json
from ..shared.schemas import (
    ANY_JSON,
    SchemaRefusedError,
    json_instruction,
    json_schema_of,
    schema_name,
    to_strict_schema,
)
from .vendors import ChatVendor

Notes = tuple[str, ...]
ANY_OBJECT: Json = {"type": "object"}


def write_messages(request: ChatRequest, target: ReplayTarget, vendor: ChatVendor) -> list[Json]:
    """Return the messages. Images and files of tool results follow in a user message: a result holds only text."""
    shape = request.shape
    if not (shape.has_calls or shape.has_replays or shape.attachments):
        return [{"role": message.role, "content": message.text} for message in request.messages]
    written: list[Json] = []
    of_results: list[Json] = []
    for message in link_calls(request.messages, target, vendor.call_id, vendor.call_id_length).messages:
        if message.role != "tool" and of_results:
            written.append({"role": "user", "content": of_results})
            of_results = []
        written.append(replayable_turn(message, target) or _write_message(message))
        if message.role == "tool":
            of_results += _write_result_attachments(message)
    return [*written, {"role": "user", "content": of_results}] if of_results else written


def _write_result_attachments(result: Message) -> list[Json]:
    attachments = [part for part in result.parts if isinstance(part, Attachment)]
    if not attachments:
        return []
    heading = {"type": "text", "text": f"Of the result of {result.tool_call_id}:"}
    return [heading, *map(_write_part, attachments)]


def _write_message(message: Message) -> Json:
    if message.role == "tool":
        text = f"Error: {message.text}" if message.error else message.text
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        calls = [write_call(call) for call in message.tool_calls]
        return {"role": message.role, "content": message.text or None, "tool_calls": calls}
    if message.role != "user" or all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_write_part(part) for part in message.parts if part != ""]}


def write_call(call: ToolCall) -> Json:
    """Return a tool call. The arguments are sent as the original text, or encoded where there is none."""
    function = {"name": call.name, "arguments": call.raw_arguments or write_json(dict(call.arguments)).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _write_part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, File):
        return {"type": "file", "file": {"file_data": attachment_uri(part), "filename": part.name or "file.pdf"}}
    return {"type": "image_url", "image_url": {"url": attachment_uri(part)}}


def write_tools(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools; a tool without parameters gets a schema for an empty object."""
    return [{"type": "function", "function": write_function(tool)} for tool in tools]


def write_function(tool: Tool) -> Json:
    """Return the name, description and parameters of a tool."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    description = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **description, "parameters": parameters}


def write_tool_fields(request: ChatRequest, vendor: ChatVendor) -> tuple[Json, Notes]:
    """Return the fields `tools` and `tool_choice`, and a note where the vendor needs another form of the choice."""
    tools, choice = request.tools, request.tool_choice
    if not tools:
        return {}, ()
    if choice == "none" and "none" not in vendor.choices:
        return {}, ("tools left out for tool_choice='none': the vendor ignores tool_choice",)
    if choice is None:
        return {"tools": write_tools(tools)}, ()
    if classify_choice(choice) == "named" and "named" not in vendor.choices:
        only = write_tools(tool for tool in tools if tool.name == choice)
        note = f"tool_choice={choice!r} sent as 'required' with this tool alone: the vendor has no choice by name"
        return {"tools": only, "tool_choice": "required"}, (note,)
    return {"tools": write_tools(tools), "tool_choice": write_tool_choice(choice)}, ()


def classify_choice(choice: str) -> str:
    """Return "named" for the name of a tool, else `choice` unchanged."""
    return choice if choice in ("auto", "none", "required") else "named"


def write_tool_choice(choice: str) -> str | Json:
    """Return the value of `tool_choice`: "auto", "none", "required", or the tool with the name `choice`."""
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


SCHEMA_KEYS = {"llamacpp": "schema", "tgi": "value"}
"""Key of the schema inside the JSON mode of these servers (openai-chat.md 9.2); also in llama-cpp-python 0.3.36."""


def write_response_format(request: ChatRequest, vendor: ChatVendor) -> tuple[Json, str, Notes]:
    """Return the `response_format`, an instruction for the system message ("" for none), and notes."""
    response_format = request.response_format
    if response_format is None:
        return {}, "", ()
    schema = json_schema_of(response_format)
    if schema is None and vendor.has_json_mode:
        sentence = json_instruction(request, request.messages)
        note = "the system text requests JSON, too: JSON mode requires the word in the messages"
        return {"type": "json_object"}, sentence, (note,) if sentence else ()
    schema = ANY_OBJECT if schema is None else schema
    if vendor.schema in SCHEMA_KEYS:
        return {"type": "json_object", SCHEMA_KEYS[vendor.schema]: schema}, "", ()
    if vendor.schema == "instruction":
        note = "the schema is sent as an instruction: the vendor has no schema mode"
        return {"type": "json_object"}, schema_instruction(schema), (note,)
    name = schema_name("" if response_format == ANY_JSON else response_format)
    json_schema, notes = _write_schema(schema, name, vendor)
    return {"type": "json_schema", "json_schema": json_schema}, "", notes


def _write_schema(schema: Json, name: str, vendor: ChatVendor) -> tuple[Json, Notes]:
    if vendor.schema != "strict":
        return {"name": name, "schema": schema}, ()
    try:
        return {"name": name, "strict": True, "schema": to_strict_schema(with_object_root(schema))}, ()
    except SchemaRefusedError as refused:
        return {"name": name, "strict": False, "schema": schema}, (
            f"the schema is sent without strict mode: {refused}",
        )


def with_object_root(schema: Json) -> Json:
    """Return the schema with an object at the root, which strict mode requires. Recursive models have a `$ref` there.

    Raises:
        SchemaRefusedError: the root is not an object.
    """
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        definition = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
        schema = {**definition, **{key: value for key, value in schema.items() if key != "$ref"}}
    if schema.get("type") != "object":
        raise SchemaRefusedError("the root of the schema is not an object")
    return schema


def schema_instruction(schema: Json) -> str:
    """Return the instruction to answer with JSON of `schema`, for vendors without a schema mode."""
    return f"Answer with one JSON object of this JSON schema, and with nothing else: {write_json(schema).decode()}"


def with_instruction(messages: list[Json], sentence: str) -> list[Json]:
    """Return the messages with `sentence` added to the system message."""
    if not sentence:
        return messages
    if messages and messages[0]["role"] == "system":
        return [{**messages[0], "content": f"{messages[0]['content']}\n\n{sentence}"}, *messages[1:]]
    return [{"role": "system", "content": sentence}, *messages]


def unsupported_attachments(request: ChatRequest, lacks: frozenset[str]) -> Iterator[str]:
    """Yield the reasons, as clauses, why a vendor that lacks the features `lacks` cannot take the attachments."""
    attachments = request.shape.attachments
    if "files" in lacks and any(isinstance(part, File) for part in attachments):
        yield "the vendor accepts no files"
    with_url = [part for part in attachments if part.data is None and part.url and not part.fetch]
    if any(isinstance(part, File) for part in with_url):
        yield "the vendor accepts no file addresses, only bytes (File.from_url(..., fetch=True) fetches the bytes)"
    if "image addresses" in lacks and with_url:
        yield "the vendor accepts no image addresses, only bytes (Image.from_url(..., fetch=True) fetches the bytes)"


def result_attachment_notes(messages: Iterable[Message]) -> Notes:
    """Return the note for tool results with images or files."""
    has_attachments = "tool" in _roles_with_attachments(messages)
    return ("images of tool results are sent in a user turn after the results",) if has_attachments else ()


def dropped_attachment_notes(messages: Iterable[Message]) -> Notes:
    """Return the notes for images and files in system and assistant messages, which hold only text."""
    roles = sorted(_roles_with_attachments(messages) & {"system", "assistant"})
    return tuple(f"images and files of {role} turns left out: only user turns hold images and files" for role in roles)


def _roles_with_attachments(messages: Iterable[Message]) -> set[str]:
    return {message.role for message in messages if any(isinstance(part, Attachment) for part in message.parts)}


def lacks_required_reasoning(request: ChatRequest, target: ReplayTarget, vendor: ChatVendor) -> bool:
    """Return whether an earlier answer lacks the reasoning that DeepSeek requires in conversations with tools.

    The caller then turns off the thinking mode, which alone has this requirement (9.2, resending history).
    """
    if "reasoning_content" not in vendor.returned or not (request.tools or request.shape.has_calls):
        return False
    answers = [message for message in request.messages if message.role == "assistant"]
    return any(replayable_turn(message, target) is None for message in answers)
