"""Cohere v2 Chat. Source: wire/cohere-v2-chat.md, 2026-11-23."""

from typing import Any

from .....domain.attachments import Attachment
from .....domain.messages import Message
from .....domain.requests import ChatRequest
from ....http.types import Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import model_facts
from ...reasoning import reasoning_fields
from ..openai_chat.messages import call_object, lacking, notes_on_results, tool_objects
from ..protocol import Answer, StreamParser
from ..shared.conversation import ReplayTarget, foreign_turn_notes, linked, own_turn
from ..shared.encoding import data_uri
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import model_ids
from ..shared.outcomes import failed_answer, function_calls, stop_reason
from ..shared.reading import joined, object_at, objects, read_object, string_or_empty
from ..shared.requests import allowed_temperature, bearer, get, post, root_of
from ..shared.schemas import json_instruction, schema_of
from .response import FAILED_REASONS, STOP_REASONS, kept_turn, read_usage
from .stream import ChatStream

DIALECT = "cohere-v2-chat"
FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Dialect.refusal`."""
    if request.tools and request.response_format is not None:
        return "it takes no schema together with tools"
    return next(lacking(request, frozenset({"files"})), "")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat`; the system turn comes first there."""
    home = (config.name, DIALECT, model)
    temperature, notes = allowed_temperature(request, model_facts("cohere", model), model)
    thinking, thinking_notes = reasoning_fields("cohere", model, request.reasoning)
    tools, tool_notes = _tools(request)
    body: dict[str, Any] = {"model": model, "messages": _messages(request, home)}
    settings = {
        "max_tokens": request.max_tokens,
        "temperature": temperature,
        "stop_sequences": list(request.stop) or None,
        "seed": request.seed,
        "stream": stream or None,
    }
    body |= {name: value for name, value in settings.items() if value is not None}
    body |= tools | dict(thinking) | _format(request)
    notes += thinking_notes + tool_notes + notes_on_results(request.messages)
    notes += foreign_turn_notes(request.messages, home)
    return post(config, DIALECT, f"{config.base_url}/chat", bearer, body, request, model, notes)


def _messages(request: ChatRequest, home: ReplayTarget) -> list[Json]:
    # Without a schema, the prompt has to ask for JSON in words (section 2 (6)).
    system = "\n\n".join(filter(None, (request.system, json_instruction(request, request.messages))))
    told: list[Json] = [{"role": "system", "content": system}] if system else []
    of_results: list[Json] = []
    for message in linked(request.turns, home).messages:
        if message.role != "tool" and of_results:
            told.append({"role": "user", "content": of_results})
            of_results = []
        told.append(own_turn(message, home) or _message(message))
        of_results += [_part(image) for image in message.images] if message.role == "tool" else []
    return [*told, {"role": "user", "content": of_results}] if of_results else told


def _message(message: Message) -> Json:
    if message.role == "tool":
        text = f"Error: {message.text}" if message.error else message.text
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        plan = {"tool_plan": message.text} if message.text else {}  # what is said before calls has its own place here
        return {"role": "assistant", **plan, "tool_calls": [call_object(call) for call in message.tool_calls]}
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_part(part) for part in message.parts]}


def _part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": data_uri(part)}}


def _tools(request: ChatRequest) -> tuple[Json, tuple[str, ...]]:
    """A single tool is forced by sending it alone: there is no form for its name."""
    choice = request.tool_choice
    if not request.tools:
        return {}, ()
    if choice in (None, "auto"):
        return {"tools": tool_objects(request.tools)}, ()
    if choice in ("none", "required"):
        return {"tools": tool_objects(request.tools), "tool_choice": str(choice).upper()}, ()
    chosen = [tool for tool in request.tools if tool.name == choice]
    note = f"tool_choice={choice!r} sent as REQUIRED with this tool alone: there is no form for a name"
    return {"tools": tool_objects(chosen), "tool_choice": "REQUIRED"}, (note,)


def _format(request: ChatRequest) -> Json:
    if request.response_format is None:
        return {}
    schema = schema_of(request.response_format)
    return {"response_format": {"type": "json_object", **({} if schema is None else {"json_schema": schema})}}


def parse_response(reply: WireReply) -> Answer:
    """Read a chat reply; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    message = object_at(reply, data, "message")
    finish = string_or_empty(data.get("finish_reason"))
    if finish in FAILED_REASONS:
        raise failed_answer(reply, finish, FAILED_REASONS[finish])
    blocks = objects(message.get("content"))
    calls = function_calls(message.get("tool_calls"))
    plain = string_or_empty(message.get("content"))
    return Answer(
        content=plain or joined((block for block in blocks if block.get("type") == "text"), "text"),
        stop_reason=stop_reason(finish, STOP_REASONS, has_calls=bool(calls)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        raw=data,
        reasoning=joined((block for block in blocks if block.get("type") == "thinking"), "thinking"),
        turn=kept_turn(message),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Dialect.stream_parser`."""
    return ChatStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of the list route, which is v1 while chat is v2."""
    url = f"{root_of(config.base_url, '/v2', '/v1')}/v1/models?page_size=1000&endpoint=chat"
    return get(config, DIALECT, url, bearer)


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the list."""
    return model_ids(reply, "models", "name")
