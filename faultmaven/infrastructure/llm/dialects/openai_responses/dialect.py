"""OpenAI Responses, for models and features that require this API.

Source: wire reference, openai-responses.md, 2026-11-23.
"""

from typing import Any

from .....domain.attachments import File
from .....domain.requests import ChatRequest
from ....http.types import Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import model_facts
from ...reasoning import reasoning_fields
from ..openai_chat import dialect as openai_chat
from ..protocol import Answer, StreamParser
from ..shared.conversation import lost_replay_notes
from ..shared.errors import raise_for_error_body
from ..shared.reading import malformed_error, objects_in, read_object
from ..shared.requests import allowed_temperature, build_post
from ..shared.schemas import SchemaRefusedError, json_instruction, json_schema_of, schema_name, to_strict_schema
from .items import write_flat_tool_choice, write_flat_tools, write_items
from .response import read_answer
from .stream import ResponseStream

DIALECT = "openai-responses"
FEATURES = frozenset({"turns", "stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

build_models_request = openai_chat.build_models_request
parse_models = openai_chat.parse_models


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this API cannot serve `request`; see `Dialect.refusal`."""
    has_files = any(isinstance(part, File) for message in request.messages for part in message.parts)
    return "the Responses route accepts no files" if has_files else ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/responses`. `store` is false, or else the vendor would keep prompts for 30 days."""
    target = (config.name, DIALECT, model)
    family = openai_chat.vendor_of(config).facts if config.dialect.startswith(openai_chat.DIALECT) else "openai"
    facts = model_facts(family, model)
    temperature, notes = allowed_temperature(request, facts, model)
    thinking, thinking_notes = _write_reasoning(request, family, model)
    text_format, format_notes = _write_format(request)
    body: dict[str, Any] = {"model": model, "store": False}
    body |= {"instructions": request.system} if request.system else {}
    body["input"] = _write_json_instruction(request) + write_items(request, target)
    body |= {"max_output_tokens": request.max_tokens} if request.max_tokens is not None else {}
    body |= {"temperature": temperature} if temperature is not None else {}
    body |= _write_tools(request) | thinking | text_format
    body |= {"include": ["reasoning.encrypted_content"]} if facts.reasons else {}
    body |= {"stream": True} if stream else {}
    notes += thinking_notes + format_notes + lost_replay_notes(request.messages, target)
    if request.stop:
        notes += ("stop left out: the Responses route has none",)
    url = f"{config.base_url}/responses"
    return build_post(config, DIALECT, url, openai_chat.auth_headers, body, request, model, notes)


def _write_tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    choice = {} if request.tool_choice is None else {"tool_choice": write_flat_tool_choice(request.tool_choice)}
    return {"tools": write_flat_tools(request.tools), **choice}


def _write_reasoning(request: ChatRequest, family: str, model: str) -> tuple[Json, tuple[str, ...]]:
    """Return the `reasoning` field: the effort, and the request for a summary unless the effort is "none"."""
    fields, notes = reasoning_fields(family, model, request.reasoning)
    effort = fields.get("reasoning_effort")
    if effort is None:
        return {}, notes
    return {"reasoning": {"effort": effort, **({} if effort == "none" else {"summary": "auto"})}}, notes


def _write_format(request: ChatRequest) -> tuple[Json, tuple[str, ...]]:
    if request.response_format is None:
        return {}, ()
    schema = json_schema_of(request.response_format)
    if schema is None:
        return {"text": {"format": {"type": "json_object"}}}, ()
    form: Json = {"type": "json_schema", "name": schema_name(request.response_format)}
    try:
        return {"text": {"format": {**form, "strict": True, "schema": to_strict_schema(schema)}}}, ()
    except SchemaRefusedError as refused:
        lenient = {**form, "strict": False, "schema": schema}
        return {"text": {"format": lenient}}, (f"the schema is sent without strict mode: {refused}",)


def _write_json_instruction(request: ChatRequest) -> list[Json]:
    """Return a message with the word "JSON", which the JSON mode requires in the input (openai-chat.md 2 (6)).

    The vendor may not search `instructions` for the word.
    """
    instruction = json_instruction(request, request.turns)
    return [{"role": "developer", "content": instruction}] if instruction else []


def parse_response(reply: WireReply) -> Answer:
    """Parse a response object; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data if data.get("status") != "failed" else {})
    if not isinstance(data.get("output"), list) and data.get("status") != "failed":
        raise malformed_error(reply, "'output' is missing or not a list")
    return read_answer(reply, data, objects_in(data.get("output")), raw=data)


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return ResponseStream(head)
