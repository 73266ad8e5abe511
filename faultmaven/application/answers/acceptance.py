"""Whether an answer will do: decided by facts of the answer, not by constants."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from ...domain.attempts import Attempt
from ...domain.errors import (
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
from ...domain.requests import ChatRequest
from ...domain.responses import LLMResponse, StopReason
from ...domain.usage import Usage
from ...ports.schemas import SchemaValidator
from ..policies.acceptance import AcceptancePolicy, Action
from .schema_paths import names_in, place_of

MOST_PROBLEMS = 5


_FENCE = re.compile(r"\s*(?P<mark>```|~~~)[^\s`{\[]*\s(?P<inside>.*)(?P=mark)\s*", re.DOTALL)


@dataclass(slots=True)
class Evaluation:
    """What an answer came to. Unfrozen, since one is made for every answer.

    Attributes:
        response: The answer, with `parsed` filled in where a schema was asked for.
        error: What is wrong with it, None when nothing is.
        action: What that leads to.
        rank: How good it is all the same; of two answers with something wrong, the higher rank is kept.
        problems: Where it is not of its schema.
    """

    response: LLMResponse
    error: LLMError | None = None
    action: Action = "accept"
    rank: int = 0
    problems: tuple[str, ...] = ()

    @property
    def is_presentable(self) -> bool:
        """Whether it may be returned when nothing better comes: whole enough to be no half answer that looks whole."""
        return isinstance(self.error, TruncatedAnswerError | LowConfidenceError)


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


def checked(response: Any) -> LLMResponse:
    """Return `response` when it is one that can be judged; a provider may be anybody's code.

    Raises:
        MalformedResponseError: no LLMResponse, or one whose content, confidence or stop reason is of another type, or
            whose tokens are no numbers.
    """
    if not isinstance(response, LLMResponse):
        raise MalformedResponseError(f"the provider returned a {type(response).__name__}, not an LLMResponse")
    for name, expected in _FIELD_TYPES.items():
        value = getattr(response, name)
        if type(value) not in expected and not isinstance(value, expected):
            raise MalformedResponseError(f"the provider's answer has a {type(value).__name__} as its {name}")
    if not _counts(response.usage):
        raise MalformedResponseError("the provider's answer has a usage that counts no tokens")
    for line in response.attempts:
        if not _is_line(line):
            raise MalformedResponseError("the provider's answer has attempts that are none")
    return response


def _is_line(line: Any) -> bool:
    return isinstance(line, Attempt) and _counts(line.usage) and isinstance(line.limited_for, _NUMBER)


def _counts(usage: Any) -> bool:
    """Return whether the tokens of `usage` can be added up."""
    if usage is None:
        return True
    if not isinstance(usage, Usage):
        return False
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)
    return all(isinstance(count, _COUNT) for count in counts)


def judge(
    response: LLMResponse,
    request: ChatRequest,
    policy: AcceptancePolicy,
    *,
    weight: float = 1.0,
    threshold: float = 0.0,
    schemas: SchemaValidator | None = None,
) -> Evaluation:
    """Return what `response` comes to, by the first fact that is wrong with it.

    A cut answer without a floor is accepted with its stop reason, and tool calls without text are not empty.

    Args:
        weight: The row's weight. Only a confidence that differs from it was computed for this answer; no answer is paid
            for and thrown away on account of a constant.
        threshold: What a computed confidence must reach.
        schemas: Checks an answer against a JSON schema.
    """
    if response.stop_reason is StopReason.CONTENT_FILTER:
        blocked = ContentBlockedError("the answer was refused or filtered", **_facts(response))
        return Evaluation(response, blocked, policy.refused, 1)
    if not response.content.strip() and not response.tool_calls:
        why = " because max_tokens was used up" if response.stop_reason is StopReason.MAX_TOKENS else ""
        return Evaluation(response, EmptyAnswerError(f"the answer is empty{why}", **_facts(response)), policy.empty, 0)
    if _cut_below_floor(response, request.min_output_tokens):
        told = f"the answer was cut below min_output_tokens={request.min_output_tokens}"
        return Evaluation(response, TruncatedAnswerError(told, **_facts(response)), policy.truncated, 3)
    if request.response_format is not None and not response.tool_calls:
        found, problems = parsed(response, request.response_format, schemas)
        if problems:
            told = f"the answer is not of the schema that was asked for ({'; '.join(problems)})"
            return Evaluation(response, InvalidAnswerError(told, **_facts(response)), policy.invalid, 2, problems)
        response = replace(response, parsed=found)
    if response.confidence < threshold and response.confidence != weight:
        told = f"the answer's confidence of {response.confidence:g} is below LLM_CONFIDENCE_THRESHOLD ({threshold:g})"
        return Evaluation(response, LowConfidenceError(told, **_facts(response)), policy.unsure, 4)
    return Evaluation(response)


def better(new: Evaluation, old: Evaluation | None) -> bool:
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


def parsed(response: LLMResponse, wanted: Any, schemas: SchemaValidator | None = None) -> tuple[Any, tuple[str, ...]]:
    """Return the validated object, and where the answer is not of what was wanted; nothing where it is.

    The text is taken as it is; only where that is wrong, a Markdown fence around it is taken off.

    Args:
        wanted: A pydantic model, a JSON schema, or "json".
    """
    if response.parsed is not None:
        return response.parsed, ()
    found, problems = _validated(response.content, wanted, schemas)
    fenced = _FENCE.fullmatch(response.content) if problems else None
    return (found, problems) if fenced is None else _validated(fenced["inside"], wanted, schemas)


def _validated(text: str, wanted: Any, schemas: SchemaValidator | None) -> tuple[Any, tuple[str, ...]]:
    validate = getattr(wanted, "model_validate_json", None)
    try:
        if validate is not None:
            return validate(text), ()
        value = json.loads(text, parse_constant=_refuse_constant)
        if isinstance(wanted, Mapping) and schemas is not None:
            return value, tuple(schemas.check_for(wanted)(value))
    except ConfigurationError:
        raise  # nothing here knows JSON Schema: that is no fault of the answer's
    except Exception as error:  # noqa: BLE001 - a validator is anybody's code, and JSON that nests too deeply is wrong as well
        return None, _problems_of(error, wanted)
    wants_object = not isinstance(wanted, Mapping) or wanted.get("type") == "object"
    return value, () if isinstance(value, dict) or not wants_object else ("$: no object",)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _problems_of(error: Exception, wanted: Any) -> tuple[str, ...]:
    """Return places and kinds of what pydantic found, never a value; what somebody else's code raised by its class."""
    listed = getattr(error, "errors", None)
    if not callable(listed):
        return ("$: no JSON",) if isinstance(error, ValueError) else (f"$: {type(error).__name__}",)
    try:
        found = listed(include_url=False, include_context=False, include_input=False)
        known = _names_of(wanted)
        return tuple(f"{place_of(each['loc'], known)}: {each['type']}" for each in found[:MOST_PROBLEMS])
    except Exception:  # noqa: BLE001 - as above
        return (f"$: {type(error).__name__}",)


def _names_of(model: Any) -> frozenset[str]:
    """Return the names of a model's fields; none where the model has no schema that could tell them."""
    try:
        return names_in(model.model_json_schema())
    except Exception:  # noqa: BLE001 - a field of a type that only its own validator knows
        return frozenset()
