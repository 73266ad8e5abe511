"""Acceptance of responses: the first defect of a response decides, never a constant."""

from dataclasses import dataclass, replace
from typing import Any

from ...domain.attempts import Attempt
from ...domain.errors import (
    ContentBlockedError,
    EmptyAnswerError,
    ErrorFacts,
    InvalidAnswerError,
    LLMError,
    LowConfidenceError,
    MalformedResponseError,
    TruncatedAnswerError,
)
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse, StopReason
from ...domain.usage import Usage
from ...ports.schemas import SchemaValidator
from ..policies.acceptance import AcceptancePolicy, Action
from .structured_output import parse_answer


@dataclass(slots=True)
class Evaluation:
    """The evaluation of one response. Not frozen, since every response gets one.

    Attributes:
        response: The response, with `parsed` filled in where the caller asked for a schema.
        error: The first defect as an error, None for a response without a defect.
        action: The acceptance policy's action for that defect.
        rank: The usefulness of a response with a defect; the response of the highest rank is kept.
        problems: The paths at which the response violates its schema.
    """

    response: LLMResponse
    error: LLMError | None = None
    action: Action = "accept"
    rank: int = 0
    problems: tuple[str, ...] = ()

    @property
    def is_presentable(self) -> bool:
        """Whether the response may be returned when no candidate gives a better one.

        A response that is empty, refused or invalid may not: a caller could take it for a complete answer.
        """
        return isinstance(self.error, TruncatedAnswerError | LowConfidenceError)

    @property
    def is_returnable(self) -> bool:
        """Whether the caller gets the response when no other candidate can be tried."""
        return self.error is None or self.action == "accept" or self.is_presentable


_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "content": (str,),
    "confidence": (int, float),
    "model": (str,),
    "tool_calls": (tuple,),
    "stop_reason": (StopReason,),
    "usage": (Usage, type(None)),
    "attempts": (tuple,),
}


_COUNT, _NUMBER = (int, type(None)), (int, float, type(None))


def check_response(response: Any) -> LLMResponse:
    """Return `response` when its fields have their types; a third-party provider may return anything.

    Raises:
        MalformedResponseError: the value is no LLMResponse, a field has another type, or its tokens are no numbers.
    """
    if not isinstance(response, LLMResponse):
        raise MalformedResponseError(f"the provider returned a {type(response).__name__}, not an LLMResponse")
    for name, expected in _FIELD_TYPES.items():
        value = getattr(response, name)
        if type(value) not in expected and not isinstance(value, expected):
            raise MalformedResponseError(f"the provider's answer has a {type(value).__name__} as its {name}")
    if not _counts(response.usage):
        raise MalformedResponseError("the provider's answer has a usage without valid token counts")
    for attempt in response.attempts:
        if not _is_attempt(attempt):
            raise MalformedResponseError("the provider's answer has an invalid item in its attempts")
    return response


def _is_attempt(value: Any) -> bool:
    return isinstance(value, Attempt) and _counts(value.usage) and isinstance(value.limited_for, _NUMBER)


def _counts(usage: Any) -> bool:
    """Return whether the token counts of `usage` are numbers or None."""
    if usage is None:
        return True
    if not isinstance(usage, Usage):
        return False
    counts: tuple[Any, ...] = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)
    for count in counts:  # noqa: SIM110 - every response passes here, and a generator takes three times as long
        if not isinstance(count, _COUNT):
            return False
    return True


def evaluate(
    response: LLMResponse,
    request: ChatRequest,
    policy: AcceptancePolicy,
    *,
    weight: float = 1.0,
    threshold: float = 0.0,
    schemas: SchemaValidator | None = None,
) -> Evaluation:
    """Return the evaluation of `response` by its first defect.

    A cut response is accepted with its stop reason unless the request has `min_output_tokens`. A response with tool
    calls and no text is not empty.

    Args:
        weight: The row's weight. A confidence equal to the weight is a constant and never rejects a response; only a
            confidence that a custom class computed is compared with the threshold.
        threshold: The least computed confidence that is accepted.
        schemas: Validator of responses against a JSON schema.
    """
    if response.stop_reason is StopReason.CONTENT_FILTER:
        blocked = ContentBlockedError("the answer was refused or filtered", **_facts(response))
        return Evaluation(response, blocked, policy.refused, 1)
    if not response.content.strip() and not response.tool_calls:
        why = " because max_tokens was used up" if response.stop_reason is StopReason.MAX_TOKENS else ""
        return Evaluation(response, EmptyAnswerError(f"the answer is empty{why}", **_facts(response)), policy.empty, 0)
    if _is_cut_below(response, request.min_output_tokens):
        problem = f"the answer was cut below min_output_tokens={request.min_output_tokens}"
        return Evaluation(response, TruncatedAnswerError(problem, **_facts(response)), policy.truncated, 3)
    if request.response_format is not None and not response.tool_calls:
        value, problems = parse_answer(response, request.response_format, schemas)
        if problems:
            problem = f"the answer does not match the requested schema ({'; '.join(problems)})"
            return Evaluation(response, InvalidAnswerError(problem, **_facts(response)), policy.invalid, 2, problems)
        response = replace(response, parsed=value)
    if response.confidence < threshold and response.confidence != weight:
        problem = (
            f"the answer's confidence of {response.confidence:g} is below LLM_CONFIDENCE_THRESHOLD ({threshold:g})"
        )
        return Evaluation(response, LowConfidenceError(problem, **_facts(response)), policy.unsure, 4)
    return Evaluation(response)


def is_better(new: Evaluation, old: Evaluation | None) -> bool:
    """Return whether `new` is the more useful of two responses with a defect."""
    return old is None or (new.rank, new.response.confidence) > (old.rank, old.response.confidence)


def _facts(response: LLMResponse) -> ErrorFacts:
    facts: ErrorFacts = {"provider": response.provider, "model": response.model, "response": response}
    if response.attempts:
        facts["status"], facts["request_id"] = response.attempts[-1].status, response.attempts[-1].request_id
    return facts


def _is_cut_below(response: LLMResponse, min_tokens: int | None) -> bool:
    if min_tokens is None or response.stop_reason is not StopReason.MAX_TOKENS:
        return False
    output = response.usage.output if response.usage else None
    return output is not None and output < min_tokens
