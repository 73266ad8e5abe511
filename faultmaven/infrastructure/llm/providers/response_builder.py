"""Responses and attempts, built from the request, the reply and the parsed answer of one exchange."""

from dataclasses import replace

from ....domain.attempts import Attempt
from ....domain.errors import LLMError
from ....domain.replay import Replay
from ....domain.responses import LLMResponse
from ...http.types import WireReply, WireRequest
from ..config import ProviderConfig
from ..dialects.protocol import Answer
from ..dialects.shared.outcomes import with_unique_ids
from ..dialects.shared.rate_limits import seconds_until_allowed
from ..dialects.shared.reading import read_request_id


def build_attempt(
    config: ProviderConfig,
    sent: WireRequest,
    duration: float,
    reply: WireReply | None,
    answer: Answer | None = None,
    error: LLMError | None = None,
    time_to_first_token: float | None = None,
) -> Attempt:
    """Return the attempt that records one exchange; times are in seconds."""
    return Attempt(
        provider=config.name,
        model=sent.model or (answer.model if answer else ""),
        outcome=type(error).__name__ if error else "answered",
        status=reply.status if reply else None,
        request_id=(error.request_id if error else "") or (read_request_id(reply) if reply else ""),
        time_to_headers=reply.time_to_headers if reply else None,
        time_to_first_token=time_to_first_token,
        duration=duration,
        usage=answer.usage if answer else None,
        notes=sent.notes + _tool_call_notes(answer),
        error=error.problem if error else "",
        limited_for=seconds_until_allowed(reply.headers, reply.received_at) if reply else None,
    )


def build_response(
    config: ProviderConfig,
    sent: WireRequest,
    reply: WireReply,
    answer: Answer,
    duration: float,
    time_to_first_token: float | None = None,
    error: LLMError | None = None,
) -> LLMResponse:
    """Return the response of one exchange with its attempt; times are in seconds.

    Args:
        error: The error that broke a stream off; then `answer` is the part that came before it.
    """
    model = sent.model or answer.model
    if answer.tool_calls:
        answer = replace(answer, tool_calls=with_unique_ids(answer.tool_calls))
    return LLMResponse(
        content=answer.content,
        confidence=config.confidence_score,
        provider=config.name,
        model=model,
        tokens_used=answer.usage.total if answer.usage else None,
        response_time_ms=round(duration * 1000, 3),
        tool_calls=answer.tool_calls,
        stop_reason=answer.stop_reason,
        usage=answer.usage,
        attempts=(build_attempt(config, sent, duration, reply, answer, error, time_to_first_token),),
        raw=answer.raw,
        reasoning=answer.reasoning,
        replay=_build_replay(config, sent, model, answer),
    )


def _build_replay(config: ProviderConfig, sent: WireRequest, model: str, answer: Answer) -> Replay | None:
    if answer.turn is None:
        return None
    call_ids = tuple(call.id for call in answer.tool_calls)
    return Replay(config.name, sent.origin.dialect, model, answer.turn, answer.content, call_ids)


def _tool_call_notes(answer: Answer | None) -> tuple[str, ...]:
    """Return a note for each tool call that cannot be executed."""
    calls = answer.tool_calls if answer else ()
    if not calls:
        return ()
    return tuple(f"tool call {call.name!r}: {call.problem}" for call in calls if call.problem)
