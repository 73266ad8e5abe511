"""One more round for an answer that does not validate: it goes back with what is wrong with it."""

from collections.abc import Iterable
from dataclasses import replace

from ...domain.messages import Message
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse


def repaired_request(request: ChatRequest, response: LLMResponse, problems: Iterable[str]) -> ChatRequest:
    """Return the request that asks for a mended answer: the conversation, the answer, and what is wrong with it."""
    told = "\n".join(f"- {problem}" for problem in problems)
    asked = f"Your answer is not valid:\n{told}\nAnswer again, with nothing but the corrected JSON."
    turns = (*request.messages, *((response.message,) if response.content else ()), Message.user(asked))
    return replace(request, messages=turns, repair=None)
