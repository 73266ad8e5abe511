"""Requirements of a request on the model that answers: features, and an estimate of tokens."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...domain.attachments import Attachment, File, Image
from ...domain.messages import Message
from ...domain.requests import ChatRequest
from ...domain.usage import Usage
from .token_estimate import max_tokens_bound, max_tokens_of, min_tokens_bound, min_tokens_of

HINTS = ("seed", "reasoning", "cache_prompt")

EXPECTED_ANSWER_TOKENS = 1000
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 1000
FILE_TOKENS = 3000
"""The estimate for a file whose bytes were not read: about two pages of a PDF."""
FILE_BYTES_PER_TOKEN = 40
TEXT_BYTES_PER_TOKEN = 3

TRUNCATED_SHARE = 0.6
MIN_TRUNCATED_TOKENS = 500
"""The least prompt, in tokens, that is checked for truncation: a smaller one fits every model."""


def required_features(request: ChatRequest) -> tuple[str, ...]:
    """Return the features that a model needs to answer `request`, named as in `domain.capabilities`.

    "assistant turns" and "stop" are two more features, which a provider class that takes one prompt string lacks.
    """
    shape = request.shape
    features = []
    if request.tools or shape.has_calls or request.tool_choice is not None:
        features.append("tools")
    if request.response_format is not None:
        features.append("schema")
    if shape.attachments:
        features += _attachment_features(shape.attachments)
    if shape.has_answers:
        features.append("assistant turns")
    if request.stop:
        features.append("stop")
    return tuple(features)


def _attachment_features(attachments: Sequence[Attachment]) -> Iterator[str]:
    if any(isinstance(part, Image) for part in attachments):
        yield "images"
    if any(isinstance(part, File) for part in attachments):
        yield "files"
    if any(part.url and part.data is None and not part.fetch for part in attachments):
        yield "image addresses"


def missing_features(required: Iterable[str], features: frozenset[str]) -> list[str]:
    """Return the required features that are not among `features`."""
    available = features | {"assistant turns", "stop"} if "turns" in features else features
    return [feature for feature in required if feature not in available]


def needs_vendor_check(request: ChatRequest) -> bool:
    """Return whether a vendor or a model with the required features may still refuse `request`.

    Only then is the dialect's own check worth its time.
    """
    messages = request.messages
    ends_with_answer = bool(messages) and messages[-1].role == "assistant"
    is_structured = bool(request.tools) or request.tool_choice is not None or request.response_format is not None
    return is_structured or ends_with_answer or bool(request.shape.attachments)


def prompt_tokens(request: ChatRequest) -> int:
    """Return an upper estimate of the prompt's tokens: messages, attachments, tools and schema. Computed once."""
    shape = request.shape
    if shape.tokens is None:
        texts = "\n".join([*map(_text_of, request.messages), *_schemas(request)])
        attached = sum(map(_attachment_tokens, shape.attachments))
        shape.tokens = max_tokens_of(texts) + attached + MESSAGE_TOKENS * len(request.messages)
    return shape.tokens


def certainly_fits(request: ChatRequest, limit: int) -> bool:
    """Return whether lengths alone show that `prompt_tokens` is at most `limit`; False where counting is necessary."""
    shape, messages = request.shape, len(request.messages)
    if request.tools or request.response_format is not None or shape.attachments or shape.has_calls:
        return False
    texts = max_tokens_bound(shape.characters + messages, is_ascii=shape.is_ascii)  # with a line end for each message
    return texts + MESSAGE_TOKENS * messages <= limit


def answer_tokens(request: ChatRequest) -> int:
    """Return an estimate of the answer's tokens: `max_tokens`, or else `EXPECTED_ANSWER_TOKENS`."""
    return request.max_tokens or EXPECTED_ANSWER_TOKENS


def looks_truncated(request: ChatRequest, usage: Usage | None) -> bool:
    """Return whether the vendor counted far fewer input tokens than `request` has, and so read only a part."""
    reported = reported_input(usage)
    return reported is not None and unread_input(request, reported) is not None


def unread_input(request: ChatRequest, reported: int) -> int | None:
    """Return the lower estimate of the prompt's tokens where the vendor counted far fewer, else None."""
    shape = request.shape
    bound = min_tokens_bound(shape.characters + len(request.messages), is_ascii=shape.is_ascii)
    if bound < MIN_TRUNCATED_TOKENS or reported >= TRUNCATED_SHARE * bound:
        return None  # lengths alone decide, which is cheap
    # Attachments, tools and schemas do not count here: vendors rewrite them and count them differently.
    expected = min_tokens_of("\n".join([message.text for message in request.messages]))
    return expected if expected >= MIN_TRUNCATED_TOKENS and reported < TRUNCATED_SHARE * expected else None


def reported_input(usage: Usage | None) -> int | None:
    """Return the input tokens that the vendor counted, cached ones included; None where the vendor did not say."""
    if usage is None or usage.input is None:
        return None
    return usage.input + (usage.cache_read or 0) + (usage.cache_write or 0)


def _text_of(message: Message) -> str:
    if not message.tool_calls:
        return message.text
    calls = (f"{call.id} {call.name} {call.raw_arguments or _as_json(call.arguments)}" for call in message.tool_calls)
    return "\n".join((message.text, *calls))


def _schemas(request: ChatRequest) -> Iterator[str]:
    for tool in request.tools:
        yield f"{tool.name} {tool.description} {_as_json(tool.parameters)}"
    if request.response_format is not None:
        model_schema = getattr(request.response_format, "model_json_schema", None)
        yield _as_json(model_schema() if model_schema else request.response_format)


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)  # an estimate accepts any value in a schema


def _attachment_tokens(part: Attachment) -> int:
    if isinstance(part, Image):
        return IMAGE_TOKENS
    if part.data is None:
        return FILE_TOKENS
    if part.media_type.startswith("text/"):
        return len(part.data) // TEXT_BYTES_PER_TOKEN
    return max(FILE_TOKENS, len(part.data) // FILE_BYTES_PER_TOKEN)
