"""Whether an answer will do: decided by facts of the answer, not by constants."""

from typing import Any

from faultmaven.application.plan import Route
from faultmaven.domain.chat import ChatRequest, LLMResponse, StopReason
from faultmaven.domain.errors import ContentBlockedError, EmptyAnswerError, ErrorFacts, LLMError, MalformedResponseError

_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "content": str,
    "confidence": (int, float),
    "stop_reason": StopReason,
    "attempts": tuple,
}


def checked(response: Any) -> LLMResponse:
    """Return `response` when it is one that can be judged; a provider may be anybody's code.

    Raises:
        MalformedResponseError: no LLMResponse, or one whose content, confidence or stop reason is of another type.
    """
    if not isinstance(response, LLMResponse):
        raise MalformedResponseError(f"the provider returned a {type(response).__name__}, not an LLMResponse")
    for name, expected in _FIELD_TYPES.items():
        value = getattr(response, name)
        if not isinstance(value, expected):
            raise MalformedResponseError(f"the provider's answer has a {type(value).__name__} as its {name}")
    return response


def fault(response: LLMResponse, request: ChatRequest) -> LLMError | None:
    """Return the error that `response` amounts to, or None when it will do.

    Blocked and empty answers move on, and so does one cut below `min_output_tokens`. Otherwise a cut answer is
    accepted with its stop reason, and tool calls without text are not empty.
    """
    facts = _facts(response)
    if response.stop_reason is StopReason.CONTENT_FILTER:
        return ContentBlockedError("the answer was refused or filtered", **facts)
    if not response.content.strip() and not response.tool_calls:
        why = " because max_tokens was used up" if response.stop_reason is StopReason.MAX_TOKENS else ""
        return EmptyAnswerError(f"the answer is empty{why}", **facts)
    if _cut_below_floor(response, request.min_output_tokens):
        return EmptyAnswerError(f"the answer was cut below min_output_tokens={request.min_output_tokens}", **facts)
    return None


def _facts(response: LLMResponse) -> ErrorFacts:
    facts: ErrorFacts = {"provider": response.provider, "model": response.model, "response": response}
    if response.attempts:
        facts["status"], facts["request_id"] = response.attempts[-1].status, response.attempts[-1].request_id
    return facts


def _cut_below_floor(response: LLMResponse, floor: int | None) -> bool:
    if floor is None or response.stop_reason is not StopReason.MAX_TOKENS:
        return False
    output = response.usage.output if response.usage else None
    return output is not None and output < floor


def is_confident(response: LLMResponse, route: Route, threshold: float) -> bool:
    """Return whether the answer's confidence reaches `threshold`.

    Only a confidence that a custom class computed for this answer counts; the row's weight is a constant, and no answer
    is paid for and thrown away on account of a constant.
    """
    return response.confidence >= threshold or response.confidence == route.confidence
