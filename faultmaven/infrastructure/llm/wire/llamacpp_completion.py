"""llama.cpp's own completion route. Source: wire/llamacpp-completion.md, 2026-11-23."""

from typing import Any

from faultmaven.domain.chat import ChatRequest, StopReason
from faultmaven.domain.errors import ContextLengthError
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.models import UNKNOWN_MODEL, output_limit
from faultmaven.infrastructure.llm.wire.errors import raise_for_error_body
from faultmaven.infrastructure.llm.wire.model_lists import model_ids
from faultmaven.infrastructure.llm.wire.outcomes import stop_reason
from faultmaven.infrastructure.llm.wire.protocol import Answer, StreamParser
from faultmaven.infrastructure.llm.wire.reading import count, read_object, reply_facts, required_text, string_or_empty
from faultmaven.infrastructure.llm.wire.requests import bearer, get, post, root_of
from faultmaven.infrastructure.llm.wire.transcript import transcript, transcript_notes

DIALECT = "llamacpp-completion"
FEATURES = frozenset({"turns", "seed"})
TAKES_MESSAGES = False
MODEL_IN_REQUEST = False

STOP_REASONS = {"eos": StopReason.STOP, "word": StopReason.STOP, "limit": StopReason.MAX_TOKENS}


def refusal(request: ChatRequest, config: ProviderConfig, model: str) -> str:
    """Return why this cannot be carried; see `Wire.refusal`."""
    return ""


def build_request(request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False) -> WireRequest:
    """Return the POST to `{root}/completion`. A limit is always sent: without one the answer may never end."""
    limit = request.max_tokens
    body: dict[str, Any] = {
        "prompt": transcript(request),
        "n_predict": limit if limit is not None else output_limit(config.default_max_tokens, UNKNOWN_MODEL),
        "stream": False,
    }
    if model:
        body["model"] = model  # ignored by a server of one model, chosen by in router mode
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    url = f"{_root(config)}/completion"
    return post(config, DIALECT, url, bearer(config), body, request, model, transcript_notes(request))


def _root(config: ProviderConfig) -> str:
    return root_of(config.base_url, "/v1")


def parse_response(reply: WireReply) -> Answer:
    """Read a completion; see `Wire.parse_response`."""
    data = read_object(reply)
    raise_for_error_body(reply, data)
    if data.get("truncated") is True:
        problem = "the server cut the prompt to its context, so the answer is to another question"
        raise ContextLengthError(problem, **reply_facts(reply))
    prompt, output = count(data.get("tokens_evaluated")), count(data.get("tokens_predicted"))
    return Answer(
        content=required_text(reply, data, "content"),
        stop_reason=stop_reason(data.get("stop_type"), STOP_REASONS),
        usage=None if prompt is None and output is None else Usage.from_totals(prompt, output),
        model=string_or_empty(data.get("model")),
        raw=data,
    )


def stream_parser(head: WireReply) -> StreamParser:
    """Return the parser of a stream; see `Wire.stream_parser`."""
    raise NotImplementedError


def build_models_request(config: ProviderConfig) -> WireRequest:
    """Return the GET of `{root}/v1/models`."""
    return get(config, DIALECT, f"{_root(config)}/v1/models", bearer(config))


def parse_models(reply: WireReply) -> list[str]:
    """Return the ids of the list."""
    return model_ids(reply, "data", "id")
