"""llama.cpp's native completion route. Source: wire reference, llamacpp-completion.md, 2026-11-23."""

from typing import Any

from ....domain.errors import ContextLengthError
from ....domain.requests import ChatRequest
from ....domain.responses import StopReason
from ....domain.usage import Usage
from ...http.types import Json, WireReply, WireRequest
from ..config import ProviderConfig
from ..models import UNKNOWN_MODEL, output_limit
from .protocol import Answer, StreamParser
from .shared.errors import raise_for_error_body
from .shared.framing import ServerSentEvent, ServerSentEvents
from .shared.model_lists import read_model_names
from .shared.outcomes import map_stop_reason
from .shared.reading import error_facts, read_object, required_text, string_or_empty, text_at, token_count
from .shared.requests import bearer_headers, build_get, build_post, server_root
from .shared.schemas import json_schema_of
from .shared.streaming import EventParser
from .shared.transcript import render_transcript, transcript_notes

DIALECT = "llamacpp-completion"
FEATURES = frozenset({"turns", "seed", "stream", "schema", "cache_prompt"})
TAKES_MESSAGES = False
MODEL_IN_REQUEST = False

ERROR_LINE = b"error:"
STOP_REASONS = {"eos": StopReason.STOP, "word": StopReason.STOP, "limit": StopReason.MAX_TOKENS}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return "": the route refuses no request; see `Dialect.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{root}/completion`. A limit is always sent: without a limit the answer may never end."""
    limit = request.max_tokens
    body: dict[str, Any] = {
        "prompt": render_transcript(request),
        "n_predict": limit if limit is not None else output_limit(config.default_max_tokens, UNKNOWN_MODEL),
        "stream": stream,
    }
    if model:
        body["model"] = model  # used in router mode only; a server with one model ignores the field
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    if request.cache_prompt is not None:
        body["cache_prompt"] = request.cache_prompt
    if request.response_format is not None:
        body["json_schema"] = json_schema_of(request.response_format) or {}  # the empty schema allows any JSON
    notes = transcript_notes(request, (config.name, DIALECT, model), unsupported=("reasoning",))
    return build_post(config, DIALECT, f"{_root(config)}/completion", bearer_headers, body, request, model, notes)


def _root(config: ProviderConfig) -> str:
    return server_root(config.base_url, "/v1")


def parse_response(reply: WireReply) -> Answer:
    """Parse a completion; see `Dialect.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    _raise_for_cut_prompt(reply, data)
    return Answer(
        content=required_text(reply, data, "content"),
        stop_reason=map_stop_reason(data.get("stop_type"), STOP_REASONS),
        usage=_read_usage(data),
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return _CompletionStream(head, _Events())


class _Events(ServerSentEvents):
    """Parser of server-sent events, and of errors that old builds send as a line `error:` with the error object."""

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return the events that `block` completes."""
        return super().feed(block) + self._take_errors()

    def close(self) -> list[ServerSentEvent]:
        """Return the events that the end of the bytes completes."""
        return super().close() + self._take_errors()

    def _take_errors(self) -> list[ServerSentEvent]:
        errors = [line for line in self.stray_lines if line.startswith(ERROR_LINE)]
        self.stray_lines = [line for line in self.stray_lines if not line.startswith(ERROR_LINE)]
        return [ServerSentEvent("error", line.removeprefix(ERROR_LINE)) for line in errors]


class _CompletionStream(EventParser):
    """Parser of events. Each event has the form of a complete reply with the next piece; the last event has `stop`."""

    stop_reasons = STOP_REASONS

    def read(self, name: str, data: Json) -> None:
        """Read one event."""
        if name == "error":
            raise_for_error_body(self.head, {"error": data})
        _raise_for_cut_prompt(self.head, data)
        self.model = string_or_empty(data.get("model")) or self.model
        self.add_text(text_at(self.head, data, "content"))
        usage = _read_usage(data)
        if data.get("stop") is True:
            self.reason = string_or_empty(data.get("stop_type"))
            self.set_usage(usage)
            self.has_ended = True
        else:
            self.usage = usage or self.usage  # without a chunk, since every event has counts


def _raise_for_cut_prompt(reply: WireReply, data: Json) -> None:
    if data.get("truncated") is True:
        problem = "the server cut the prompt to its context window, so the answer belongs to another prompt"
        raise ContextLengthError(problem, **error_facts(reply))


def _read_usage(data: Json) -> Usage | None:
    prompt, output = token_count(data.get("tokens_evaluated")), token_count(data.get("tokens_predicted"))
    return None if prompt is None and output is None else Usage.from_totals(prompt, output)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{root}/v1/models`."""
    return build_get(config, DIALECT, f"{_root(config)}/v1/models", bearer_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the models."""
    return read_model_names(reply, "data", "id")
