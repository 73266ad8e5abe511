"""One chat request with its options. `repr` shows no text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .messages import Message, MessageSummary
from .tools import Tool

NOTHING: Mapping[str, Any] = MappingProxyType({})


class _Shaped:
    """Keeps the shape once it was looked at. It is no field: the messages say it."""

    __slots__ = ("_shape",)
    _shape: MessageSummary


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
    def shape(self) -> MessageSummary:
        """What the messages hold beside plain text."""
        try:
            return self._shape
        except AttributeError:
            shape = MessageSummary.of(self.messages)
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
