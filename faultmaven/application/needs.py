"""What a request needs of whoever answers it, read off the request."""

from collections.abc import Iterable

from faultmaven.domain.chat import ChatRequest

HINTS = ("seed", "reasoning", "cache_prompt")

CHARACTERS_PER_TOKEN = 4
EXPECTED_ANSWER_TOKENS = 1000
IMAGE_TOKENS = 1000


def needs(request: ChatRequest) -> tuple[str, ...]:
    """Return the features without which `request` cannot be answered.

    They are "tools", "schema" and "images", and what a class that takes one prompt string would lose on the way:
    "assistant turns" and "stop".
    """
    messages = request.messages
    tools = bool(request.tools) or any(message.role == "tool" or message.tool_calls for message in messages)
    needed = {
        "tools": tools or request.tool_choice is not None,
        "schema": request.response_format is not None,
        "images": any(message.images for message in messages),
        "assistant turns": any(message.role == "assistant" for message in messages),
        "stop": bool(request.stop),
    }
    return tuple(feature for feature, is_needed in needed.items() if is_needed)


def lacking(wanted: Iterable[str], features: frozenset[str]) -> list[str]:
    """Return what of `wanted` a provider with these features does not take."""
    carried = features | {"assistant turns", "stop"} if "turns" in features else features
    return [feature for feature in wanted if feature not in carried]


def prompt_tokens(request: ChatRequest) -> int:
    """Return about how many tokens the prompt has: four characters each, as English text and most code has them."""
    characters = sum(len(message.text) for message in request.messages)
    images = sum(len(message.images) for message in request.messages)
    return -(-characters // CHARACTERS_PER_TOKEN) + images * IMAGE_TOKENS


def estimated_tokens(request: ChatRequest) -> int:
    """Return about how many tokens the whole exchange will have; the vendor's own count corrects it afterwards."""
    return prompt_tokens(request) + (request.max_tokens or EXPECTED_ANSWER_TOKENS)
