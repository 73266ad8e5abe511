"""Repair of a response that does not validate: the request that sends the response back with its problems."""

from collections.abc import Iterable
from dataclasses import replace

from ...domain.messages import Message
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse


def repaired_request(request: ChatRequest, response: LLMResponse, problems: Iterable[str]) -> ChatRequest:
    """Return the request for a corrected answer: the conversation, the response and its problems.

    The new request is repaired no further.
    """
    listed = "\n".join(f"- {problem}" for problem in problems)
    instruction = f"Your answer is not valid:\n{listed}\nAnswer again, with nothing but the corrected JSON."
    answer = (response.message,) if response.content else ()
    return replace(request, messages=(*request.messages, *answer, Message.user(instruction)), repair=None)
