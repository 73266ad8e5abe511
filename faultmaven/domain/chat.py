"""What is asked and what is answered. No value here shows its text in `repr`: prompts end up in no log by accident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

from faultmaven.domain.attachments import Attachment, File, Image
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.replay import Replay
from faultmaven.domain.tools import Tool, ToolCall, ToolCallDelta
from faultmaven.domain.usage import Usage

Role = Literal["system", "user", "assistant", "tool"]

NOTHING: Mapping[str, Any] = MappingProxyType({})


class StopReason(StrEnum):
    """Why the model stopped, in one vocabulary for all vendors."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"
    UNKNOWN = "unknown"


Part: TypeAlias = str | Attachment


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Build it with `system`, `user`, `assistant` or `tool`, or take `response.message`.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        parts: Texts, images and files, in their order.
        tool_calls: What the model asked for, in an assistant turn.
        tool_call_id: The call that a tool turn is the result of.
        error: Whether that call failed.
        replay: The turn in the form of the vendor whose answer it was; only `response.message` has it.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    error: bool = False
    replay: Replay | None = field(default=None, repr=False)

    @classmethod
    def system(cls, text: str) -> Self:
        """Return instructions that stand above the conversation."""
        return cls("system", (text,))

    @classmethod
    def user(cls, *parts: Part) -> Self:
        """Return a user's turn of texts, images and files, in their order."""
        return cls("user", parts)

    @classmethod
    def assistant(cls, text: str = "", *, tool_calls: Sequence[ToolCall] = ()) -> Self:
        """Return an earlier answer of the model; `response.message` also holds what its vendor wants back."""
        return cls("assistant", (text,) if text else (), tuple(tool_calls))

    @classmethod
    def tool(cls, call_id: str, *result: Part, error: bool = False) -> Self:
        """Return the result of the tool call `call_id`: text, and images where the provider takes them there.

        Args:
            error: The call failed, and the text says why.
        """
        return cls("tool", result, tool_call_id=call_id, error=error)

    @property
    def text(self) -> str:
        """The turn's texts, joined."""
        if len(self.parts) == 1 and type(self.parts[0]) is str:
            return self.parts[0]
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The turn's images, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def files(self) -> tuple[File, ...]:
        """The turn's files, in their order."""
        return tuple(part for part in self.parts if isinstance(part, File))

    def __repr__(self) -> str:
        counts = {"images": len(self.images), "files": len(self.files), "tool calls": len(self.tool_calls)}
        told = "".join(f", {count} {what}" for what, count in counts.items() if count)
        return f"Message({self.role!r}, {len(self.text)} characters{told})"


Prompt: TypeAlias = str | Sequence[Message]
"""What is asked: a text, which is one user turn, or the turns of a conversation."""


@dataclass(slots=True)
class Shape:
    """What a conversation holds beside plain text, told by one look at every turn. Unfrozen, since one is made for
    every request.

    Attributes:
        attachments: Its images and files, in their order.
        has_calls: A turn asks for tool calls, or is the result of one.
        has_answers: A turn is the assistant's.
        has_replays: A turn holds what its vendor wants back.
        characters: Of all texts.
        is_ascii: All of them are.
        read: Attachments whose bytes were read or fetched for one attempt, by turn and part; the next attempt has them.
        tokens: About how many tokens the whole prompt has, once it was counted; see `application.needs`.
    """

    attachments: tuple[Attachment, ...]
    has_calls: bool
    has_answers: bool
    has_replays: bool
    characters: int
    is_ascii: bool
    read: dict[tuple[int, int], Attachment] = field(default_factory=dict, repr=False)
    tokens: int | None = None

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """Look at `messages`."""
        attachments: list[Attachment] = []
        has_calls = has_answers = has_replays = False
        characters, is_ascii = 0, True
        for message in messages:
            has_answers = has_answers or message.role == "assistant"
            has_calls = has_calls or message.role == "tool" or bool(message.tool_calls)
            has_replays = has_replays or message.replay is not None
            for part in message.parts:
                if isinstance(part, str):
                    characters += len(part)
                    is_ascii = is_ascii and part.isascii()
                else:
                    attachments.append(part)
        return cls(tuple(attachments), has_calls, has_answers, has_replays, characters, is_ascii)


class _Shaped:
    """Keeps the shape once it was looked at. It is no field: the messages say it."""

    __slots__ = ("_shape",)
    _shape: Shape


@dataclass(frozen=True, slots=True)
class ChatRequest(_Shaped):
    """One question, as it travels from the door to a provider. None means unset: the vendor's default.

    Attributes:
        messages: The turns, system turns included.
        model: The model to send; None lets the provider use its own.
        max_tokens: Upper limit of the answer, in tokens.
        temperature: 0 or more; how high it may be is for the vendor to say.
        stop: Texts at which the answer ends; they are not part of it.
        seed: For answers that can be repeated, where the vendor has it.
        tools: What the model may call.
        cache_prompt: Whether to mark what stands before the last turn for the vendor's prompt cache.
        min_output_tokens: An answer that is cut below it is not accepted.
        metadata: The caller's own facts, for a provider's class to read; never sent.
        deadline: Seconds for the whole call, all providers and waits together.
        timeout: Seconds for one attempt at one provider, set by the router; the provider must keep it. In a stream, for
            its first chunk.
        chunk_timeout: Seconds between two chunks of a stream, set by the router likewise.
        tool_choice: "auto", "none", "required", or the name of the one tool that must be called.
        response_format: A pydantic model, a JSON schema, or "json" for any JSON object.
        reasoning: "off", "low", "medium", "high", or a budget in tokens.
        commit: How much of a stream is held back, see `Options`.
        repair: Whether an answer that does not validate is sent back once to be mended.
        hedge_after: Seconds after which a second provider is asked beside a slow first one.
        cache: False leaves the response cache out, True demands one, None does as configured.
        deduplicate: Whether to share the answer of an identical call under way, None as configured.
        extra: Vendor fields, keyed by the provider's name; merged into that provider's request body.
    """

    messages: tuple[Message, ...] = field(repr=False)
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = field(default=(), repr=False)
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    response_format: Any = field(default=None, repr=False)
    reasoning: str | int | None = None
    cache_prompt: bool | None = None
    min_output_tokens: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING, repr=False)
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: NOTHING, repr=False)
    deadline: float | None = None
    timeout: float | None = None
    chunk_timeout: float | None = None
    commit: str | int | None = None
    repair: bool | None = None
    hedge_after: float | None = None
    cache: bool | None = None
    deduplicate: bool | None = None

    @property
    def shape(self) -> Shape:
        """What the messages hold beside plain text."""
        try:
            return self._shape
        except AttributeError:
            shape = Shape.of(self.messages)
            object.__setattr__(self, "_shape", shape)
            return shape

    def for_attempt(self, model: str | None, timeout: float, chunk_timeout: float) -> "ChatRequest":
        """Return it as one provider gets it: what was decided for the whole call is not in it.

        Written out, since it is made for every attempt: `dataclasses.replace` takes twice as long.
        """
        request = ChatRequest(
            self.messages,
            model,
            self.max_tokens,
            self.temperature,
            self.stop,
            self.seed,
            self.tools,
            self.tool_choice,
            self.response_format,
            self.reasoning,
            self.cache_prompt,
            self.min_output_tokens,
            self.metadata,
            self.extra,
            timeout=timeout,
            chunk_timeout=chunk_timeout,
            repair=self.repair,
        )
        object.__setattr__(request, "_shape", self.shape)
        return request

    @property
    def system(self) -> str:
        """The system turns' texts, joined by blank lines; "" when there are none."""
        return "\n\n".join(message.text for message in self.messages if message.role == "system")

    @property
    def turns(self) -> tuple[Message, ...]:
        """Every turn that is not a system turn, in order."""
        return tuple(message for message in self.messages if message.role != "system")


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
