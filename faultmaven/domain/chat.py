"""What is asked and what is answered. No value here shows its text in `repr`: prompts end up in no log by accident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

from faultmaven.domain.attempts import Attempt
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


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: bytes with their media type, a file, or an address. Shows none of them."""

    data: bytes | None = field(default=None, repr=False)
    media_type: str = ""
    url: str = field(default="", repr=False)
    path: str = field(default="", repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str) -> Self:
        """Return an image from its bytes and media type, such as "image/png"."""
        return cls(data=data, media_type=media_type)

    @classmethod
    def from_path(cls, path: str) -> Self:
        """Return an image in a file; the file is read when the image is sent."""
        return cls(path=path)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return an image that the vendor fetches from `url`."""
        return cls(url=url)


Part: TypeAlias = str | Image


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        arguments: The parsed arguments; empty when `raw_arguments` is no JSON object.
        raw_arguments: The text exactly as the vendor sent it.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    raw_arguments: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Build it with `system`, `user`, `assistant` or `tool`."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    error: bool = False

    @classmethod
    def system(cls, text: str) -> Self:
        """Return instructions that stand above the conversation."""
        return cls("system", (text,))

    @classmethod
    def user(cls, *parts: Part) -> Self:
        """Return a user's turn of texts and images, in their order."""
        return cls("user", parts)

    @classmethod
    def assistant(cls, text: str = "", *, tool_calls: Sequence[ToolCall] = ()) -> Self:
        """Return an earlier answer of the model."""
        return cls("assistant", (text,) if text else (), tuple(tool_calls))

    @classmethod
    def tool(cls, call_id: str, result: str, *, error: bool = False) -> Self:
        """Return the result of the tool call `call_id`."""
        return cls("tool", (result,), tool_call_id=call_id, error=error)

    @property
    def text(self) -> str:
        """The turn's texts, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The turn's images, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    def __repr__(self) -> str:
        images = f", {len(self.images)} images" if self.images else ""
        return f"Message({self.role!r}, {len(self.text)} characters{images})"


Prompt: TypeAlias = str | Sequence[Message]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question, as it travels from the door to a provider. None means unset: the vendor's default.

    Attributes:
        model: The model to send; None lets the provider use its own.
        max_tokens: Upper limit of the answer, in tokens.
        deadline: Seconds for the whole call, all providers and waits together.
        timeout: Seconds for one attempt at one provider, set by the router; the provider must keep it.
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
    hedge_after: float | None = None
    cache: bool | None = None
    deduplicate: bool | None = None

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
        raw: The vendor's decoded reply, a JSON object; None where there is none.
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

    def __repr__(self) -> str:
        return (
            f"LLMResponse({len(self.content)} characters, provider={self.provider!r}, model={self.model!r}, "
            f"stop_reason={self.stop_reason.value!r}, tokens_used={self.tokens_used}, "
            f"response_time_ms={self.response_time_ms}, attempts={len(self.attempts)})"
        )


@dataclass(slots=True)
class StreamChunk:
    """A piece of a streamed answer; each field may be None. Unfrozen, since one is made for every token."""

    text: str | None = field(default=None, repr=False)
    reasoning: str | None = field(default=None, repr=False)
    tool_call: ToolCall | None = None
    usage: Usage | None = None
