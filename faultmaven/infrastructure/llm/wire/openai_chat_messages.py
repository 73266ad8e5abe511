"""A conversation, its tools and its schema as OpenAI Chat has them. Source: openai-chat.md, sections 2 and 9.2."""

from collections.abc import Iterable, Iterator

from faultmaven.domain.attachments import Attachment, File
from faultmaven.domain.chat import ChatRequest, Message
from faultmaven.domain.tools import Tool, ToolCall
from faultmaven.infrastructure.http.types import Json
from faultmaven.infrastructure.llm.wire.conversation import Home, linked, own_turn
from faultmaven.infrastructure.llm.wire.encoding import data_uri
from faultmaven.infrastructure.llm.wire.openai_chat_vendors import ChatVendor
from faultmaven.infrastructure.llm.wire.reading import write_json
from faultmaven.infrastructure.llm.wire.schemas import ANY_JSON, SchemaRefusedError, schema_name, schema_of, strict

Notes = tuple[str, ...]
ANY_OBJECT: Json = {"type": "object"}


def messages(request: ChatRequest, home: Home, form: ChatVendor) -> list[Json]:
    """Return the turns. Images of tool results follow in a user turn: this dialect has no other place for them."""
    told: list[Json] = []
    of_results: list[Json] = []
    for message in linked(request.messages, home, form.call_id, form.call_id_length).messages:
        if message.role != "tool" and of_results:
            told.append({"role": "user", "content": of_results})
            of_results = []
        told.append(own_turn(message, home) or _message(message))
        if message.role == "tool" and message.images:
            of_results.append({"type": "text", "text": f"Images of the result of {message.tool_call_id}:"})
            of_results += [_part(image) for image in message.images]
    return [*told, {"role": "user", "content": of_results}] if of_results else told


def _message(message: Message) -> Json:
    if message.role == "tool":
        text = f"Error: {message.text}" if message.error else message.text
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        calls = [call_object(call) for call in message.tool_calls]
        return {"role": message.role, "content": message.text or None, "tool_calls": calls}
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_part(part) for part in message.parts]}


def call_object(call: ToolCall) -> Json:
    """Return a tool call; its arguments go as the text that they came as, or as an empty object."""
    function = {"name": call.name, "arguments": call.raw_arguments or write_json(dict(call.arguments)).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, File):
        return {"type": "file", "file": {"file_data": data_uri(part), "filename": part.name or "file.pdf"}}
    return {"type": "image_url", "image_url": {"url": data_uri(part)}}


def tool_objects(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools; one without parameters takes an empty object."""
    return [{"type": "function", "function": function_object(tool)} for tool in tools]


def function_object(tool: Tool) -> Json:
    """Return a tool's name, description and parameters."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": parameters}


def choice_object(choice: str) -> str | Json:
    """Return a `tool_choice`: one of the three words, or the tool of that name."""
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def format_object(request: ChatRequest, form: ChatVendor) -> tuple[Json, str, Notes]:
    """Return the `response_format`, an instruction that must stand in the prompt ("" for none), and notes."""
    wanted = request.response_format
    schema = schema_of(wanted)
    if wanted is None:
        return {}, "", ()
    if schema is None and form.has_json_mode:
        says_json = any("json" in message.text.lower() for message in request.messages)
        return {"type": "json_object"}, "" if says_json else "Answer with a JSON object.", ()
    schema = ANY_OBJECT if schema is None else schema
    if form.schema == "tgi":
        return {"type": "json_object", "value": schema}, "", ()
    if form.schema == "instruction":
        return {"type": "json_object"}, instruction(schema), ("the schema is an instruction: there is no schema mode",)
    described, notes = _schema_object(schema, schema_name("" if wanted == ANY_JSON else wanted), form)
    return {"type": "json_schema", "json_schema": described}, "", notes


def _schema_object(schema: Json, name: str, form: ChatVendor) -> tuple[Json, Notes]:
    if form.schema != "strict":
        return {"name": name, "schema": schema}, ()
    try:
        return {"name": name, "strict": True, "schema": strict(schema)}, ()
    except SchemaRefusedError as refused:
        return {"name": name, "strict": False, "schema": schema}, (
            f"the schema is sent without strict mode: {refused}",
        )


def instruction(schema: Json) -> str:
    """Return the sentence that asks for an answer of `schema` where a vendor has no mode for it."""
    return f"Answer with one JSON object of this JSON schema, and with nothing else: {write_json(schema).decode()}"


def instructed(turns: list[Json], sentence: str) -> list[Json]:
    """Return the turns with a further sentence in the system turn."""
    if not sentence:
        return turns
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']}\n\n{sentence}"}, *turns[1:]]
    return [{"role": "system", "content": sentence}, *turns]


def lacking(request: ChatRequest, lacks: frozenset[str]) -> Iterator[str]:
    """Give what of the request's attachments a vendor without `lacks` does not take, as clauses."""
    attachments = [part for message in request.messages for part in message.parts if isinstance(part, Attachment)]
    if "files" in lacks and any(isinstance(part, File) for part in attachments):
        yield "it takes no files"
    if "image addresses" in lacks and any(part.data is None and part.url for part in attachments):
        yield "it takes no image addresses, only bytes (Image.from_url(..., fetch=True) makes us fetch them)"


def notes_on_results(turns: Iterable[Message]) -> Notes:
    """Return the note for results with images."""
    has_images = any(message.role == "tool" and message.images for message in turns)
    return ("images of tool results are sent in a user turn behind them",) if has_images else ()
