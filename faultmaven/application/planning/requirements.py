"""What a request needs of whoever answers it, read off the request, and how large it is."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...domain.attachments import Attachment, File, Image
from ...domain.messages import Message
from ...domain.requests import ChatRequest
from ...domain.usage import Usage
from .token_estimate import least_tokens, least_tokens_at_most, most_tokens, most_tokens_at_most

HINTS = ("seed", "reasoning", "cache_prompt")

EXPECTED_ANSWER_TOKENS = 1000
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 1000
FILE_TOKENS = 3000
"""What a file counts whose bytes are not at hand: about two pages of a PDF."""
FILE_BYTES_PER_TOKEN = 40
TEXT_BYTES_PER_TOKEN = 3

TRUNCATED_SHARE = 0.6
SHORTEST_ALARM_TOKENS = 500
"""A prompt of fewer tokens than this fits everywhere."""


def needs(request: ChatRequest) -> tuple[str, ...]:
    """Return the features without which `request` cannot be answered, in the words of `domain.capabilities`.

    Beside those it names what a class that takes one prompt string would lose on the way: "assistant turns", "stop".
    """
    shape = request.shape
    attached = shape.attachments
    needed = []
    if request.tools or shape.has_calls or request.tool_choice is not None:
        needed.append("tools")
    if request.response_format is not None:
        needed.append("schema")
    if attached:
        needed += _needs_of(attached)
    if shape.has_answers:
        needed.append("assistant turns")
    if request.stop:
        needed.append("stop")
    return tuple(needed)


def _needs_of(attached: Sequence[Attachment]) -> Iterator[str]:
    if any(isinstance(part, Image) for part in attached):
        yield "images"
    if any(isinstance(part, File) for part in attached):
        yield "files"
    if any(part.url and part.data is None and not part.fetch for part in attached):
        yield "image addresses"


def lacking(wanted: Iterable[str], features: frozenset[str]) -> list[str]:
    """Return what of `wanted` a provider with these features does not take."""
    carried = features | {"assistant turns", "stop"} if "turns" in features else features
    return [feature for feature in wanted if feature not in carried]


def may_be_refused(request: ChatRequest) -> bool:
    """Return whether `request` has anything that a vendor or a model may refuse although it takes its kind."""
    messages = request.messages
    ends_with_answer = bool(messages) and messages[-1].role == "assistant"
    structured = bool(request.tools) or request.tool_choice is not None or request.response_format is not None
    return structured or ends_with_answer or bool(request.shape.attachments)


def prompt_tokens(request: ChatRequest) -> int:
    """Return how many tokens the prompt hardly exceeds: its turns, attachments, tools and schema; counted once."""
    shape = request.shape
    if shape.tokens is None:
        texts = "\n".join([*map(_text_of, request.messages), *_schemas(request)])
        attached = sum(map(_attachment_tokens, shape.attachments))
        shape.tokens = most_tokens(texts) + attached + MESSAGE_TOKENS * len(request.messages)
    return shape.tokens


def surely_fits(request: ChatRequest, limit: int) -> bool:
    """Return whether `prompt_tokens` is at most `limit`, told from lengths; False where that takes counting."""
    shape, turns = request.shape, len(request.messages)
    if request.tools or request.response_format is not None or shape.attachments or shape.has_calls:
        return False
    texts = most_tokens_at_most(shape.characters + turns, is_ascii=shape.is_ascii)  # with the ends of their lines
    return texts + MESSAGE_TOKENS * turns <= limit


def answer_tokens(request: ChatRequest) -> int:
    """Return how many tokens the answer is expected to have at most."""
    return request.max_tokens or EXPECTED_ANSWER_TOKENS


def looks_truncated(request: ChatRequest, usage: Usage | None) -> bool:
    """Return whether the vendor counted far fewer tokens of input than `request` has: it read only a part of it."""
    reported = reported_input(usage)
    return reported is not None and unread_input(request, reported) is not None


def unread_input(request: ChatRequest, reported: int) -> int | None:
    """Return the least tokens that `request` has, where the vendor counted far fewer; else None."""
    shape = request.shape
    longest = least_tokens_at_most(shape.characters + len(request.messages), is_ascii=shape.is_ascii)
    if longest < SHORTEST_ALARM_TOKENS or reported >= TRUNCATED_SHARE * longest:
        return None  # without counting
    # Attachments, tools and schemas are left out: vendors rewrite them, and count them in ways of their own.
    expected = least_tokens("\n".join([message.text for message in request.messages]))
    return expected if expected >= SHORTEST_ALARM_TOKENS and reported < TRUNCATED_SHARE * expected else None


def reported_input(usage: Usage | None) -> int | None:
    """Return the tokens of input that the vendor counted, cached ones too; None when it did not say."""
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
    return json.dumps(value, default=str, ensure_ascii=False)  # an estimate takes whatever a schema holds


def _attachment_tokens(part: Attachment) -> int:
    if isinstance(part, Image):
        return IMAGE_TOKENS
    if part.data is None:
        return FILE_TOKENS
    if part.media_type.startswith("text/"):
        return len(part.data) // TEXT_BYTES_PER_TOKEN
    return max(FILE_TOKENS, len(part.data) // FILE_BYTES_PER_TOKEN)
