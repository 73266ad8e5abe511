"""Responses, complete and in chunks. `repr` shows no text."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .attempts import Attempt
from .messages import Message
from .replay import Replay
from .tool_calls import ToolCall, ToolCallDelta
from .usage import Usage


class StopReason(StrEnum):
    """The reason why the model stopped, with the same values for all vendors."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """One response of a provider. The first six fields are required; the others have defaults.

    Attributes:
        content: The text of the response, joined from all text blocks; "" for none.
        confidence: The `confidence_score` of the provider's row, or a value that a custom provider class computed.
        provider: The name of the provider in the registry.
        model: The requested model. If the server chooses the model, the one that the server reports, or "".
        tokens_used: All tokens of the request and the response, None when the vendor reported none.
        response_time_ms: From sending the request to the complete response, in milliseconds.
        cached: True for a response from the response cache.
        attempts: The ledger of the call, in order.
        parsed: The validated object, if the request had a `response_format`; else None.
        tool_calls: The tool calls that the model requests; the caller executes them.
        stop_reason: The reason why the model stopped; `MAX_TOKENS` marks a truncated response.
        usage: The tokens by kind, None when the vendor reported none.
        raw: The vendor's decoded reply, a JSON object; None without one, as after a stream.
        reasoning: The model's thinking, if the vendor sends it; never part of `content`.
        replay: The response in the vendor's own format, if the vendor requires it back; part of `message`.
        input_truncated: Whether the vendor counted far fewer tokens than were sent, so that the model read only a part
            of the prompt.
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
        """Return a copy with another ledger. Each field is written out for speed, since every call makes one copy."""
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
        """The response as the next message of its conversation, with the `replay` for its vendor."""
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
    """A piece of a streamed response; each field may be None.

    Not frozen, since a frozen dataclass is slower to create and every token has a chunk.

    Attributes:
        text: The next piece of the text.
        reasoning: The next piece of the model's thinking.
        tool_call: The next piece of a tool call.
        usage: The tokens counted so far; each new value replaces the earlier one.
    """

    text: str | None = field(default=None, repr=False)
    reasoning: str | None = field(default=None, repr=False)
    tool_call: ToolCallDelta | None = None
    usage: Usage | None = None
