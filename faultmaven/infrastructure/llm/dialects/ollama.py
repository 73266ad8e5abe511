"""Ollama's native chat route. Source: wire reference, ollama-native.md, 2026-11-23."""

from collections.abc import Sequence
from typing import Any

from ....domain.attachments import Image
from ....domain.messages import Message
from ....domain.requests import ChatRequest
from ....domain.responses import StopReason
from ....domain.tool_calls import ToolCall
from ....domain.tools import Tool
from ....domain.usage import Usage
from ...http.types import Json, WireReply, WireRequest
from ..config import ProviderConfig
from ..reasoning import reasoning_fields
from .protocol import Answer, StreamParser
from .shared.conversation import LinkedConversation, link_calls, lost_replay_notes
from .shared.encoding import to_base64
from .shared.errors import raise_for_error_body
from .shared.framing import JsonLines
from .shared.model_lists import read_model_names
from .shared.outcomes import map_stop_reason
from .shared.reading import (
    object_at,
    object_or_empty,
    objects_in,
    parse_tool_call,
    read_object,
    string_or_empty,
    text_at,
    token_count,
    write_json,
)
from .shared.requests import bearer_headers, build_get, build_post, server_root
from .shared.schemas import ANY_JSON, json_schema_of
from .shared.streaming import EventParser

DIALECT = "ollama-native"
# "cache_prompt" is automatic: the request needs no field.
FEATURES = frozenset({"turns", "seed", "stream", "tools", "schema", "images", "reasoning", "cache_prompt"})
TAKES_MESSAGES = True
MODEL_IN_REQUEST = True

STOP_REASONS = {"stop": StopReason.STOP, "length": StopReason.MAX_TOKENS}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this route cannot serve `request`; see `Dialect.refusal`."""
    if request.tool_choice in (None, "auto", "none"):
        return ""
    return "Ollama's own route has no tool_choice, so no tool call can be forced"


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{root}/api/chat`. `stream` is always sent, since the default is true.

    `truncate` is false, so that the server refuses a prompt beyond the context instead of cutting the prompt.
    """
    target = (config.name, DIALECT, model)
    conversation = link_calls(request.messages, target)
    think, think_notes = reasoning_fields("ollama", model, request.reasoning)
    tools, tool_notes = _write_tools(request)
    body: dict[str, Any] = {
        "model": model,
        "stream": stream,
        "truncate": False,
        "messages": _write_messages(conversation),
        **tools,
        **_write_format(request),
        **think,
        **_write_options(request),
    }
    notes = (*lost_replay_notes(request.messages, target), *_message_notes(conversation), *tool_notes, *think_notes)
    return build_post(config, DIALECT, f"{_root(config)}/api/chat", bearer_headers, body, request, model, notes)


def _root(config: ProviderConfig) -> str:
    return server_root(config.base_url, "/v1", "/api")


def _write_options(request: ChatRequest) -> Json:
    settings = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stop) or None,
        "seed": request.seed,
    }
    options = {name: value for name, value in settings.items() if value is not None}
    return {"options": options} if options else {}


def _write_format(request: ChatRequest) -> Json:
    if request.response_format is None:
        return {}
    schema = json_schema_of(request.response_format)
    return {"format": ANY_JSON if schema is None else schema}


def _write_tools(request: ChatRequest) -> tuple[Json, tuple[str, ...]]:
    """Return the field of the tools. The route has no `tool_choice`: for the choice "none", no tools are sent."""
    if not request.tools:
        return {}, ()
    if request.tool_choice == "none":
        return {}, ("tools left out for tool_choice='none': Ollama's own route has no such choice",)
    return {"tools": [_write_tool(tool) for tool in request.tools]}, ()


def _write_tool(tool: Tool) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _write_messages(conversation: LinkedConversation) -> list[Json]:
    """Return the messages. Images of tool results follow in a user message, the only kind that may hold images."""
    written: list[Json] = []
    of_results: list[Image] = []
    for message, name in zip(conversation.messages, conversation.names, strict=True):
        if message.role == "tool":
            written.append(_write_tool_result(message, name))
            of_results += message.images
            continue
        written += _write_image_message(of_results)
        of_results = []
        written.append(_write_message(message))
    return written + _write_image_message(of_results)


def _write_message(message: Message) -> Json:
    fields: Json = {"role": message.role, "content": message.text}
    if message.images:
        fields["images"] = [to_base64(image) for image in message.images]
    if message.tool_calls:
        fields["tool_calls"] = [_write_call(index, call) for index, call in enumerate(message.tool_calls)]
    return fields


def _write_call(index: int, call: ToolCall) -> Json:
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": dict(call.arguments)}}


def _write_tool_result(message: Message, name: str) -> Json:
    """Return a tool result with the call id and the tool name, since older servers use only the name."""
    return {"role": "tool", "tool_name": name, "tool_call_id": message.tool_call_id, "content": message.text}


def _write_image_message(images: Sequence[Image]) -> list[Json]:
    return [{"role": "user", "content": "", "images": [to_base64(image) for image in images]}] if images else []


def _message_notes(conversation: LinkedConversation) -> tuple[str, ...]:
    """Return the notes on parts of the messages that are left out or changed."""
    messages = conversation.messages
    results = [message for message in messages if message.role == "tool"]
    broken = [call for message in messages for call in message.tool_calls if call.problem]
    conditions = {
        "Ollama sends the images of a turn apart from the text: the positions of the images are left out": any(
            map(_is_mixed, messages)
        ),
        "images of tool results are sent in a separate turn: results accept only text": any(
            result.images for result in results
        ),
        "a failed tool call is marked in the text only: this route has no field for failures": any(
            result.error for result in results
        ),
        "broken arguments of an earlier tool call are sent as an empty object": bool(broken),
    }
    return tuple(note for note, is_true in conditions.items() if is_true)


def _is_mixed(message: Message) -> bool:
    """Return whether an image comes before any of the texts."""
    are_texts = [isinstance(part, str) for part in message.parts]
    are_sorted = are_texts == sorted(are_texts, reverse=True)
    return message.role != "tool" and any(are_texts) and not all(are_texts) and not are_sorted


def parse_response(reply: WireReply) -> Answer:
    """Parse a chat reply; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    message = object_at(reply, data, "message")
    calls = tuple(parse_tool_call(*parts) for parts in _read_calls(message))
    return Answer(
        content=text_at(reply, message, "content"),
        stop_reason=map_stop_reason(data.get("done_reason"), STOP_REASONS, has_calls=bool(calls)),
        usage=_read_usage(data),
        tool_calls=calls,
        model=string_or_empty(data.get("model")),
        raw=data,
        reasoning=string_or_empty(message.get("thinking")),
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return _ChatStream(head, JsonLines())


class _ChatStream(EventParser):
    """Parser of JSON lines. Each line has the form of a complete reply with the next piece; the last has `done`."""

    stop_reasons = STOP_REASONS
    _call_count = 0

    def read(self, name: str, data: Json) -> None:
        """Read one line."""
        message = object_or_empty(data.get("message"))
        self.model = string_or_empty(data.get("model")) or self.model
        self.add_reasoning(string_or_empty(message.get("thinking")))
        self.add_text(text_at(self.head, message, "content"))
        for call in _read_calls(message):
            # Each call is complete. The vendor's `index` may restart in each line and is ignored.
            self.add_call(self._call_count, *call)
            self._call_count += 1
        if data.get("done") is True:
            self.reason = string_or_empty(data.get("done_reason"))
            self.set_usage(_read_usage(data))
            self.has_ended = True


def _read_calls(message: Json) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each tool call in a message; older servers send no id."""
    return [
        (
            string_or_empty(call.get("id")),
            string_or_empty(function.get("name")),
            _to_text(function.get("arguments")),
        )
        for call in objects_in(message.get("tool_calls"))
        if (function := object_or_empty(call.get("function")))
    ]


def _to_text(arguments: Any) -> str:
    """Return arguments as JSON text. Ollama sends an object; some compatible servers send text."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return write_json(arguments).decode()


def _read_usage(data: dict[str, Any]) -> Usage | None:
    """Return the token counts. A missing count is unknown, since Ollama omits zeros. The output includes thinking."""
    prompt, output = token_count(data.get("prompt_eval_count")), token_count(data.get("eval_count"))
    return None if prompt is None and output is None else Usage.from_totals(prompt, output)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{root}/api/tags`."""
    return build_get(config, DIALECT, f"{_root(config)}/api/tags", bearer_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the names of the installed models."""
    return read_model_names(reply, "models", "name")
