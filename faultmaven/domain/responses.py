"""Responses, whole and in chunks. `repr` shows no text."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .attempts import Attempt
from .messages import Message
from .replay import Replay
from .tool_calls import ToolCall, ToolCallDelta
from .usage import Usage


class StopReason(StrEnum):
    """Why the model stopped, in one vocabulary for all vendors."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """One answer. The first six fields are those of the provider guide; the rest have defaults.

    Attributes:
        content: The answer's text, joined from all its text blocks; "" when there is none.
        confidence: The answering provider's weight, or what a custom class computed.
        provider: The name under which the registry knows who answered.
        model: The model that was sent; where the server decides, the one it names, or "".
        tokens_used: All tokens of the exchange, None when the vendor did not count.
        response_time_ms: From sending to the whole answer, in milliseconds.
        cached: True when the answer came from a response cache.
        attempts: Every provider that was asked for this answer, in order.
        parsed: The validated object, where structured output was asked for.
        tool_calls: Calls that the model asks for; the caller carries them out.
        stop_reason: Why the model stopped; `MAX_TOKENS` is an answer that was cut.
        usage: The tokens by kind, None when the vendor did not count.
        raw: The vendor's decoded reply, a JSON object; None where there is none, as after a stream.
        reasoning: What the model thought before it answered, where the vendor tells; never part of `content`.
        replay: The answer in its vendor's own form, where the vendor wants it back; `message` carries it on.
        input_truncated: The vendor counted far fewer tokens than were sent: it answered only a part of the prompt.
    """

    content: str
    confidence: float
    provider: str
    model: str
    tokens_used: int | None
    response_time_ms: float
    tool_calls: tuple[ToolCall, ...] = ()
    stop_reason: StopReason = StopReason.UNKNOWN
    usage: Usage | None = None
    cached: bool = False
    attempts: tuple[Attempt, ...] = ()
    parsed: Any = None
    raw: Any = None
    reasoning: str = ""
    replay: Replay | None = None
    input_truncated: bool = False

    def with_attempts(self, attempts: tuple[Attempt, ...]) -> "LLMResponse":
        """Return it with another ledger. Written out, since every answer gets one."""
        return LLMResponse(
            self.content,
            self.confidence,
            self.provider,
            self.model,
            self.tokens_used,
            self.response_time_ms,
            self.tool_calls,
            self.stop_reason,
            self.usage,
            self.cached,
            attempts,
            self.parsed,
            self.raw,
            self.reasoning,
            self.replay,
            self.input_truncated,
        )

    @property
    def message(self) -> Message:
        """The answer as the next turn of its conversation, with everything that its vendor wants back."""
        parts = (self.content,) if self.content else ()
        return Message("assistant", parts, self.tool_calls, replay=self.replay)

    def __repr__(self) -> str:
        return (
            f"LLMResponse({len(self.content)} characters, provider={self.provider!r}, model={self.model!r}, "
            f"stop_reason={self.stop_reason.value!r}, tokens_used={self.tokens_used}, "
            f"response_time_ms={self.response_time_ms}, attempts={len(self.attempts)})"
        )


@dataclass(slots=True)
class StreamChunk:
    """A piece of a streamed answer; each field may be None. Unfrozen, since one is made for every token.

    Attributes:
        text: The next piece of the answer.
        reasoning: The next piece of what the model thinks.
        tool_call: The next piece of a tool call.
        usage: Tokens counted so far; the newest replaces those before it.
    """

    text: str | None = field(default=None, repr=False)
    reasoning: str | None = field(default=None, repr=False)
    tool_call: ToolCallDelta | None = None
    usage: Usage | None = None
