"""Text Generation Inference's native generate route. Source: wire reference, huggingface.md section 4, 2026-11-23."""

from dataclasses import replace
from typing import Any

from ....domain.requests import ChatRequest
from ....domain.responses import StopReason
from ....domain.usage import Usage
from ...http.types import Json, WireReply, WireRequest
from ..config import ProviderConfig
from .protocol import Answer, StreamParser
from .shared.errors import raise_for_error_body
from .shared.framing import ServerSentEvents
from .shared.outcomes import map_stop_reason
from .shared.reading import (
    object_or_empty,
    objects_in,
    read_object,
    required_text,
    string_or_empty,
    text_at,
    token_count,
)
from .shared.requests import bearer_headers, build_get, build_post, server_root
from .shared.schemas import json_schema_of
from .shared.streaming import EventParser
from .shared.transcript import render_transcript, transcript_notes

DIALECT = "tgi-generate"
FEATURES = frozenset({"turns", "seed", "stream", "schema"})
TAKES_MESSAGES = False
MODEL_IN_REQUEST = False

STOP_REASONS = {
    "eos_token": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "length": StopReason.MAX_TOKENS,
}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return the reason why this route cannot serve `request`; see `Dialect.refusal`.

    TGI 3 returns status 422 for a grammar without `properties`, unlike the reference (public servers, 2026-11).
    """
    if request.response_format is None or "properties" in (json_schema_of(request.response_format) or {}):
        return ""
    return "TGI's grammar supports only a schema that names properties"


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{root}/generate` or `/generate_stream`. A temperature of 0 is sent as greedy decoding."""
    parameters: dict[str, Any] = {"return_full_text": False, "details": True}
    if request.max_tokens is not None:
        parameters["max_new_tokens"] = request.max_tokens
    if request.temperature == 0:
        parameters["do_sample"] = False
    elif request.temperature is not None:
        parameters["do_sample"] = True
        parameters["temperature"] = request.temperature
    if request.stop:
        parameters["stop"] = list(request.stop)
    if request.seed is not None:
        parameters["seed"] = request.seed
    if request.response_format is not None:
        parameters["grammar"] = {"type": "json", "value": json_schema_of(request.response_format)}
    body = {"inputs": render_transcript(request), "parameters": parameters}
    url = f"{_root(config)}/{'generate_stream' if stream else 'generate'}"
    notes = transcript_notes(request, (config.name, DIALECT, model), unsupported=("reasoning", "cache_prompt"))
    return build_post(config, DIALECT, url, bearer_headers, body, request, model, notes)


def _root(config: ProviderConfig) -> str:
    return server_root(config.base_url, "/v1")


def parse_response(reply: WireReply) -> Answer:
    """Parse a reply, which some routes wrap in a list of one; see `Dialect.parse_response`."""
    data = _unwrap(reply)
    raise_for_error_body(reply, data)
    details = object_or_empty(data.get("details"))
    return Answer(
        content=required_text(reply, data, "generated_text"),
        stop_reason=map_stop_reason(details.get("finish_reason"), STOP_REASONS),
        usage=_read_usage(details),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the stream parser; see `Dialect.stream_parser`."""
    return _TokenStream(head, ServerSentEvents())


class _TokenStream(EventParser):
    """Parser of events with one token each. The last event also has the complete text and the details; no `[DONE]`."""

    stop_reasons = STOP_REASONS
    _has_complete_text = False

    @property
    def may_end(self) -> bool:
        """Whether the last token has arrived with the complete text. The server may omit the requested details."""
        return self.has_ended or self._has_complete_text

    def read(self, name: str, data: Json) -> None:
        """Read one event."""
        token, details = object_or_empty(data.get("token")), data.get("details")
        if token.get("special") is not True:
            self.add_text(text_at(self.head, token, "text"))
        text = data.get("generated_text")
        if isinstance(text, str):
            self._has_complete_text = True
            if text.startswith(self.text):
                self.add_text(text[len(self.text) :])  # such as a letter that two tokens split
        if isinstance(details, dict):
            self.reason = string_or_empty(details.get("finish_reason"))
            self.set_usage(_read_usage(details))
            self.has_ended = True


def _read_usage(details: Json) -> Usage | None:
    output, prompt = token_count(details.get("generated_tokens")), token_count(details.get("input_length"))
    if prompt is None and objects_in(details.get("prefill")):
        prompt = len(objects_in(details["prefill"]))
    return None if prompt is None and output is None else Usage.from_totals(prompt, output)


def _unwrap(reply: WireReply) -> dict[str, Any]:
    body = reply.body.strip()
    if body.startswith(b"[") and body.endswith(b"]"):
        return read_object(replace(reply, body=body[1:-1]))
    return read_object(reply)


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{root}/info`, which names the model."""
    return build_get(config, DIALECT, f"{_root(config)}/info", bearer_headers)


def parse_models(reply: WireReply) -> list[str]:
    """Return the name of the server's only model."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    model = string_or_empty(data.get("model_id"))
    return [model] if model else []
