"""Whether an answer will do: decided by facts of the answer, not by constants."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse, StopReason
from faultmaven.domain.errors import (
    ConfigurationError,
    ContentBlockedError,
    EmptyAnswerError,
    ErrorFacts,
    InvalidAnswerError,
    LLMError,
    LowConfidenceError,
    MalformedResponseError,
    TruncatedAnswerError,
)
from faultmaven.domain.names import did_you_mean
from faultmaven.domain.usage import Usage

Action: TypeAlias = Literal["accept", "move_on", "raise"]
ACTIONS: tuple[Action, ...] = ("accept", "move_on", "raise")


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """What each fact about an answer leads to: take it, ask the next provider, or raise at once.

    Where the next provider is asked and nothing better comes, a truncated answer and one of low confidence are returned
    all the same, with the reason in the ledger; an empty, refused or invalid one is raised as an error that holds it.

    Attributes:
        empty: No text and no tool calls.
        truncated: Cut below the caller's `min_output_tokens`.
        refused: Stopped by a filter, or by the model itself.
        invalid: Not of the schema that `response_format` asks for.
        unsure: A custom class's own confidence is below the threshold.
    """

    empty: Action = "move_on"
    truncated: Action = "move_on"
    refused: Action = "move_on"
    invalid: Action = "move_on"
    unsure: Action = "move_on"

    def __post_init__(self) -> None:
        for fact in fields(self):
            action = getattr(self, fact.name)
            if action not in ACTIONS:
                raise ConfigurationError(
                    f"AcceptancePolicy has {fact.name}={action!r}{did_you_mean(str(action), ACTIONS)}"
                )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer came to.

    Attributes:
        response: The answer, with `parsed` filled in where a schema was asked for.
        error: What is wrong with it, None when nothing is.
        action: What that leads to.
        rank: How good it is all the same; of two answers with something wrong, the higher rank is kept.
    """

    response: LLMResponse
    error: LLMError | None = None
    action: Action = "accept"
    rank: int = 0

    @property
    def is_presentable(self) -> bool:
        """Whether it may be returned when nothing better comes: whole enough to be no half answer that looks whole."""
        return isinstance(self.error, TruncatedAnswerError | LowConfidenceError)


_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "content": str,
    "confidence": (int, float),
    "model": str,
    "tool_calls": tuple,
    "stop_reason": StopReason,
    "usage": (Usage, type(None)),
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
    if not all(isinstance(line, Attempt) for line in response.attempts):
        raise MalformedResponseError("the provider's answer has attempts that are none")
    return response


def judge(
    response: LLMResponse,
    request: ChatRequest,
    policy: AcceptancePolicy,
    *,
    weight: float = 1.0,
    threshold: float = 0.0,
) -> Verdict:
    """Return what `response` comes to, by the first fact that is wrong with it.

    A cut answer without a floor is accepted with its stop reason, and tool calls without text are not empty.

    Args:
        weight: The row's weight. Only a confidence that differs from it was computed for this answer; no answer is paid
            for and thrown away on account of a constant.
        threshold: What a computed confidence must reach.
    """
    facts = _facts(response)
    if response.stop_reason is StopReason.CONTENT_FILTER:
        return Verdict(response, ContentBlockedError("the answer was refused or filtered", **facts), policy.refused, 1)
    if not response.content.strip() and not response.tool_calls:
        why = " because max_tokens was used up" if response.stop_reason is StopReason.MAX_TOKENS else ""
        return Verdict(response, EmptyAnswerError(f"the answer is empty{why}", **facts), policy.empty, 0)
    if _cut_below_floor(response, request.min_output_tokens):
        told = f"the answer was cut below min_output_tokens={request.min_output_tokens}"
        return Verdict(response, TruncatedAnswerError(told, **facts), policy.truncated, 3)
    if request.response_format is not None and not response.tool_calls:
        found, fits = parsed(response, request.response_format)
        if not fits:
            told = "the answer is not of the schema that was asked for"
            return Verdict(response, InvalidAnswerError(told, **facts), policy.invalid, 2)
        response = replace(response, parsed=found)
    if response.confidence < threshold and response.confidence != weight:
        told = f"the answer's confidence of {response.confidence:g} is below LLM_CONFIDENCE_THRESHOLD ({threshold:g})"
        return Verdict(response, LowConfidenceError(told, **facts), policy.unsure, 4)
    return Verdict(response)


def better(new: Verdict, old: Verdict | None) -> bool:
    """Return whether `new` is the better of two answers with something wrong."""
    return old is None or (new.rank, new.response.confidence) > (old.rank, old.response.confidence)


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


def parsed(response: LLMResponse, wanted: Any) -> tuple[Any, bool]:
    """Return the validated object and whether there is one. A pydantic model validates; of a JSON schema, only that the
    answer is JSON of its top type is checked."""
    if response.parsed is not None:
        return response.parsed, True
    validate = getattr(wanted, "model_validate_json", None)
    try:
        if validate is not None:
            return validate(response.content), True
        value = json.loads(response.content)
    except Exception:  # noqa: BLE001 - a validator is anybody's code, and JSON that nests too deeply is wrong as well
        return None, False
    wants_object = isinstance(wanted, Mapping) and wanted.get("type") == "object"
    return value, isinstance(value, dict) or not wants_object
