"""Cohere v2 Chat. Source: wire/cohere-v2-chat.md, 2026-11-23."""

from typing import Any

from .....domain.attachments import Attachment
from .....domain.messages import Message
from .....domain.requests import ChatRequest
from ....http.types import Json, WireReply, WireRequest
from ...config import ProviderConfig
from ...models import model_facts
from ...reasoning import reasoning_fields
from ..openai_chat.messages import result_attachment_notes, unsupported_attachments, write_call, write_tools
from ..protocol import Answer, StreamParser
from ..shared.conversation import ReplayTarget, link_calls, lost_replay_notes, replayable_turn
from ..shared.encoding import attachment_uri
from ..shared.errors import raise_for_error_body
from ..shared.model_lists import read_model_names
from ..shared.outcomes import failed_answer_error, map_stop_reason, parse_function_calls
from ..shared.reading import join_texts, object_at, objects_in, read_object, string_or_empty
from ..shared.requests import allowed_temperature, bearer_headers, build_get, build_post, server_root
from ..shared.schemas import json_instruction, json_schema_of
from .response import FAILED_REASONS, STOP_REASONS, read_usage, replay_message
from .stream import CohereStream

DIALECT = "cohere-v2-chat"
FEATURES = frozenset(
    {"turns", "seed", "stream", "tools", "schema", "images", "image addresses", "reasoning", "cache_prompt"}
)
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this API cannot serve `request`; see `Dialect.refusal`."""
    if request.tools and request.response_format is not None:
        return "the vendor supports no schema together with tools"
    return next(unsupported_attachments(request, frozenset({"files"})), "")


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{base}/chat`; the system message comes first."""
    target = (config.name, DIALECT, model)
    temperature, notes = allowed_temperature(request, model_facts("cohere", model), model)
    thinking, thinking_notes = reasoning_fields("cohere", model, request.reasoning)
    tools, tool_notes = _write_tools(request)
    body: dict[str, Any] = {"model": model, "messages": _write_messages(request, target)}
    settings = {
        "max_tokens": request.max_tokens,
        "temperature": temperature,
        "stop_sequences": list(request.stop) or None,
        "seed": request.seed,
        "stream": stream or None,
    }
    body |= {name: value for name, value in settings.items() if value is not None}
    body |= tools | dict(thinking) | _write_format(request)
    notes += thinking_notes + tool_notes + result_attachment_notes(request.messages)
    notes += lost_replay_notes(request.messages, target)
    return build_post(config, DIALECT, f"{config.base_url}/chat", bearer_headers, body, request, model, notes)


def _write_messages(request: ChatRequest, target: ReplayTarget) -> list[Json]:
    # Without a schema, the prompt must contain an instruction to answer with JSON (section 2 (6)).
    system = "\n\n".join(filter(None, (request.system, json_instruction(request, request.messages))))
    written: list[Json] = [{"role": "system", "content": system}] if system else []
    of_results: list[Json] = []
    for message in link_calls(request.turns, target).messages:
        if message.role != "tool" and of_results:
            written.append({"role": "user", "content": of_results})
            of_results = []
        written.append(replayable_turn(message, target) or _write_message(message))
        of_results += [_write_part(image) for image in message.images] if message.role == "tool" else []
    return [*written, {"role": "user", "content": of_results}] if of_results else written


def _write_message(message: Message) -> Json:
    if message.role == "tool":
        text = f"Error: {message.text}" if message.error else message.text
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        # The API has a field of its own for text before tool calls.
        tool_plan = {"tool_plan": message.text} if message.text else {}
        return {"role": "assistant", **tool_plan, "tool_calls": [write_call(call) for call in message.tool_calls]}
    if all(isinstance(part, str) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_write_part(part) for part in message.parts]}


def _write_part(part: str | Attachment) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": attachment_uri(part)}}


def _write_tools(request: ChatRequest) -> tuple[Json, tuple[str, ...]]:
    """Return the fields of the tools. To force one tool, only this tool is sent: the API has no choice by name."""
    choice = request.tool_choice
    if not request.tools:
        return {}, ()
    if choice in (None, "auto"):
        return {"tools": write_tools(request.tools)}, ()
    if choice in ("none", "required"):
        return {"tools": write_tools(request.tools), "tool_choice": str(choice).upper()}, ()
    chosen = [tool for tool in request.tools if tool.name == choice]
    note = f"tool_choice={choice!r} sent as REQUIRED with this tool alone: the vendor has no choice by name"
    return {"tools": write_tools(chosen), "tool_choice": "REQUIRED"}, (note,)


def _write_format(request: ChatRequest) -> Json:
    if request.response_format is None:
        return {}
    schema = json_schema_of(request.response_format)
    return {"response_format": {"type": "json_object", **({} if schema is None else {"json_schema": schema})}}


def parse_response(reply: WireReply) -> Answer:
    """Parse a chat reply; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    message = object_at(reply, data, "message")
    finish_reason = string_or_empty(data.get("finish_reason"))
    if finish_reason in FAILED_REASONS:
        raise failed_answer_error(reply, finish_reason, FAILED_REASONS[finish_reason])
    blocks = objects_in(message.get("content"))
    calls = parse_function_calls(message.get("tool_calls"))
    plain = string_or_empty(message.get("content"))
    return Answer(
        content=plain or join_texts((block for block in blocks if block.get("type") == "text"), "text"),
        stop_reason=map_stop_reason(finish_reason, STOP_REASONS, has_calls=bool(calls)),
        usage=read_usage(data.get("usage")),
        tool_calls=calls,
        raw=data,
        reasoning=join_texts((block for block in blocks if block.get("type") == "thinking"), "thinking"),
        turn=replay_message(message),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return CohereStream(head)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of the list route, which is in version 1 of the API, while chat is in version 2."""
    url = f"{server_root(config.base_url, '/v2', '/v1')}/v1/models?page_size=1000&endpoint=chat"
    return build_get(config, DIALECT, url, bearer_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the models."""
    return read_model_names(reply, "models", "name")
