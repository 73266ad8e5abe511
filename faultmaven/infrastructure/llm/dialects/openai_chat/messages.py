"""A conversation, its tools and its schema as OpenAI Chat has them. Source: openai-chat.md, sections 2 and 9.2."""

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
    """Return the turns. What tool results hold beside text follows in a user turn: it has no other place here."""
    shape = request.shape
    if not (shape.has_calls or shape.has_replays or shape.attachments):
        return [{"role": message.role, "content": message.text} for message in request.messages]
    told: list[Json] = []
    of_results: list[Json] = []
    for message in link_calls(request.messages, target, vendor.call_id, vendor.call_id_length).messages:
        if message.role != "tool" and of_results:
            told.append({"role": "user", "content": of_results})
            of_results = []
        told.append(replayable_turn(message, target) or _message(message))
        attached = [part for part in message.parts if isinstance(part, Attachment)]
        if message.role == "tool" and attached:
            of_results.append({"type": "text", "text": f"Of the result of {message.tool_call_id}:"})
            of_results += [_part(part) for part in attached]
    return [*told, {"role": "user", "content": of_results}] if of_results else told


def _message(message: Message) -> Json:
    if message.role == "tool":
        text = f"Error: {message.text}" if message.error else message.text
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        calls = [write_call(call) for call in message.tool_calls]
        return {"role": message.role, "content": message.text or None, "tool_calls": calls}
    if message.role != "user" or all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_part(part) for part in message.parts if part != ""]}


def write_call(call: ToolCall) -> Json:
    """Return a tool call; its arguments go as the text that they came as, or as an empty object."""
    function = {"name": call.name, "arguments": call.raw_arguments or write_json(dict(call.arguments)).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, File):
        return {"type": "file", "file": {"file_data": attachment_uri(part), "filename": part.name or "file.pdf"}}
    return {"type": "image_url", "image_url": {"url": attachment_uri(part)}}


def write_tools(tools: Iterable[Tool]) -> list[Json]:
    """Return the tools; one without parameters takes an empty object."""
    return [{"type": "function", "function": write_function(tool)} for tool in tools]


def write_function(tool: Tool) -> Json:
    """Return a tool's name, description and parameters."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": parameters}


def tool_fields(request: ChatRequest, vendor: ChatVendor) -> tuple[Json, Notes]:
    """Return `tools` and `tool_choice`, and a note where the choice is said in another way."""
    tools, choice = request.tools, request.tool_choice
    if not tools:
        return {}, ()
    if choice == "none" and "none" not in vendor.choices:
        return {}, ("tools left out: their choice is 'none', and tool_choice is ignored here",)
    if choice is None:
        return {"tools": write_tools(tools)}, ()
    if kind_of_choice(choice) == "named" and "named" not in vendor.choices:
        only = write_tools(tool for tool in tools if tool.name == choice)
        note = f"{choice!r} is the only tool offered, and a call required: no tool can be chosen by its name here"
        return {"tools": only, "tool_choice": "required"}, (note,)
    return {"tools": write_tools(tools), "tool_choice": write_tool_choice(choice)}, ()


def kind_of_choice(choice: str) -> str:
    """Return "named" for the name of a tool, else the word itself."""
    return choice if choice in ("auto", "none", "required") else "named"


def write_tool_choice(choice: str) -> str | Json:
    """Return a `tool_choice`: one of the three words, or the tool of that name."""
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


SCHEMA_KEYS = {"llamacpp": "schema", "tgi": "value"}
"""Where the JSON mode of these servers holds a schema (openai-chat.md 9.2); llama-cpp-python 0.3.36 takes it so too."""


def write_response_format(request: ChatRequest, vendor: ChatVendor) -> tuple[Json, str, Notes]:
    """Return the `response_format`, an instruction that must stand in the prompt ("" for none), and notes."""
    wanted = request.response_format
    if wanted is None:
        return {}, "", ()
    schema = json_schema_of(wanted)
    if schema is None and vendor.has_json_mode:
        sentence = json_instruction(request, request.messages)
        note = "the system text asks for JSON too: JSON mode demands that the messages say the word"
        return {"type": "json_object"}, sentence, (note,) if sentence else ()
    schema = ANY_OBJECT if schema is None else schema
    if vendor.schema in SCHEMA_KEYS:
        return {"type": "json_object", SCHEMA_KEYS[vendor.schema]: schema}, "", ()
    if vendor.schema == "instruction":
        note = "the schema is an instruction: there is no schema mode"
        return {"type": "json_object"}, schema_instruction(schema), (note,)
    described, notes = _schema_object(schema, schema_name("" if wanted == ANY_JSON else wanted), vendor)
    return {"type": "json_schema", "json_schema": described}, "", notes


def _schema_object(schema: Json, name: str, vendor: ChatVendor) -> tuple[Json, Notes]:
    if vendor.schema != "strict":
        return {"name": name, "schema": schema}, ()
    try:
        return {"name": name, "strict": True, "schema": to_strict_schema(with_object_root(schema))}, ()
    except SchemaRefusedError as refused:
        return {"name": name, "strict": False, "schema": schema}, (
            f"the schema is sent without strict mode: {refused}",
        )


def with_object_root(schema: Json) -> Json:
    """Return the schema with an object at its root, as strict mode demands: a model that holds itself refers to one.

    Raises:
        SchemaRefusedError: its root is none.
    """
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        found = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    if schema.get("type") != "object":
        raise SchemaRefusedError("its root is not an object")
    return schema


def schema_instruction(schema: Json) -> str:
    """Return the sentence that asks for an answer of `schema` where a vendor has no mode for it."""
    return f"Answer with one JSON object of this JSON schema, and with nothing else: {write_json(schema).decode()}"


def with_instruction(turns: list[Json], sentence: str) -> list[Json]:
    """Return the turns with a further sentence in the system turn."""
    if not sentence:
        return turns
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']}\n\n{sentence}"}, *turns[1:]]
    return [{"role": "system", "content": sentence}, *turns]


def unsupported_attachments(request: ChatRequest, lacks: frozenset[str]) -> Iterator[str]:
    """Give what of the request's attachments a vendor without `lacks` does not take, as clauses."""
    attachments = request.shape.attachments
    if "files" in lacks and any(isinstance(part, File) for part in attachments):
        yield "it takes no files"
    addressed = [part for part in attachments if part.data is None and part.url and not part.fetch]
    if any(isinstance(part, File) for part in addressed):
        yield "it takes no addresses of files, only bytes (File.from_url(..., fetch=True) makes us fetch them)"
    if "image addresses" in lacks and addressed:
        yield "it takes no image addresses, only bytes (Image.from_url(..., fetch=True) makes us fetch them)"


def result_attachment_notes(turns: Iterable[Message]) -> Notes:
    """Return the note for results with images or files."""
    return ("images of tool results are sent in a user turn behind them",) if "tool" in _attaching(turns) else ()


def dropped_attachment_notes(turns: Iterable[Message]) -> Notes:
    """Return the notes for images and files where only text has a place."""
    left = sorted(_attaching(turns) & {"system", "assistant"})
    return tuple(f"images and files of {role} turns left out: only a user's turn holds them" for role in left)


def _attaching(turns: Iterable[Message]) -> set[str]:
    return {turn.role for turn in turns if any(isinstance(part, Attachment) for part in turn.parts)}


def lacks_required_reasoning(request: ChatRequest, target: ReplayTarget, vendor: ChatVendor) -> bool:
    """Return whether an answer cannot go back with the reasoning that DeepSeek demands of all in a tool conversation.

    Its thinking is turned off then: the demand is one of the thinking mode (9.2, resending history).
    """
    if "reasoning_content" not in vendor.returned or not (request.tools or request.shape.has_calls):
        return False
    answers = [turn for turn in request.messages if turn.role == "assistant"]
    return any(replayable_turn(turn, target) is None for turn in answers)
