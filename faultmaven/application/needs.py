"""What a request needs of whoever answers it, read off the request."""

from collections.abc import Iterable

from faultmaven.application.token_estimate import least_tokens, most_tokens
from faultmaven.domain.attachments import Attachment, File, Image
from faultmaven.domain.chat import ChatRequest
from faultmaven.domain.usage import Usage

HINTS = ("seed", "reasoning", "cache_prompt")

TURN_TOKENS = 4
"""What a turn costs beside its text: its role, and the marks around it."""

LARGEST_PROMPT = 10**9
ALARM_CHARACTERS = 8000
FAR_BELOW = 0.75
"""A prompt shorter than so many characters, or counted at more than this part of `least_tokens`, raises no alarm."""

EXPECTED_ANSWER_TOKENS = 1000
IMAGE_TOKENS = 1000


def needs(request: ChatRequest) -> tuple[str, ...]:
    """Return the features without which `request` cannot be answered.

    They are "tools", "schema", "images", "files" and "image addresses" (which the vendor is to fetch), and what a class
    that takes one prompt string would lose on the way: "assistant turns" and "stop".
    """
    messages = request.messages
    attachments = [part for message in messages for part in message.parts if isinstance(part, Attachment)]
    tools = bool(request.tools) or any(message.role == "tool" or message.tool_calls for message in messages)
    needed = {
        "tools": tools or request.tool_choice is not None,
        "schema": request.response_format is not None,
        "images": any(isinstance(part, Image) for part in attachments),
        "files": any(isinstance(part, File) for part in attachments),
        "image addresses": any(part.url and not part.fetch for part in attachments),
        "assistant turns": any(message.role == "assistant" for message in messages),
        "stop": bool(request.stop),
    }
    return tuple(feature for feature, is_needed in needed.items() if is_needed)


def lacking(wanted: Iterable[str], features: frozenset[str]) -> list[str]:
    """Return what of `wanted` a provider with these features does not take."""
    carried = features | {"assistant turns", "stop"} if "turns" in features else features
    return [feature for feature in wanted if feature not in carried]


def prompt_tokens(request: ChatRequest) -> int:
    """Return about how many tokens the prompt has, rather too many than too few."""
    texts = [message.text for message in request.messages]
    texts += [call.raw_arguments for message in request.messages for call in message.tool_calls]
    texts += [f"{tool.name} {tool.description} {tool.parameters}" for tool in request.tools]
    attachments = sum(len(message.images) + len(message.files) for message in request.messages)
    return sum(map(most_tokens, texts)) + len(texts) * TURN_TOKENS + attachments * IMAGE_TOKENS


def surely_fewer_tokens(request: ChatRequest) -> int:
    """Return a number that `prompt_tokens` does not reach, without looking at the text."""
    if request.tools or any(message.tool_calls or len(message.parts) > 1 for message in request.messages):
        return LARGEST_PROMPT
    return 2 * sum(len(message.text) for message in request.messages) + (len(request.messages) + 1) * TURN_TOKENS


def looks_truncated(request: ChatRequest, usage: Usage | None) -> tuple[int, int] | None:
    """Return the tokens that the prompt has at least and those that the vendor counted, where those are far fewer.

    Local servers drop the head of a long prompt and answer all the same. None says that nothing looks wrong.
    """
    if usage is None or usage.input is None:
        return None
    counted = usage.input + (usage.cache_read or 0) + (usage.cache_write or 0)
    characters = sum(len(message.text) for message in request.messages)
    if characters < ALARM_CHARACTERS or counted >= characters:
        return None
    expected = sum(least_tokens(message.text) for message in request.messages)
    return (expected, counted) if counted < expected * FAR_BELOW else None


def estimated_tokens(request: ChatRequest) -> int:
    """Return about how many tokens the whole exchange will have; the vendor's own count corrects it afterwards."""
    return prompt_tokens(request) + (request.max_tokens or EXPECTED_ANSWER_TOKENS)
