"""One chat request with its options. `repr` shows no text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .messages import Message, MessageSummary
from .tools import Tool

EMPTY_MAPPING: Mapping[str, Any] = MappingProxyType({})


class _SummarySlot:
    """The slot for the computed summary. A slot is not a field, so `==` and `repr` ignore the summary."""

    __slots__ = ("_summary",)
    _summary: MessageSummary


@dataclass(frozen=True, slots=True)
class ChatRequest(_SummarySlot):
    """One validated request, from validation to a provider. None means unset: the vendor's default.

    Attributes:
        messages: The messages, system messages included.
        model: The model to request; None uses the provider's default.
        max_tokens: Upper limit of the response, in tokens.
        temperature: 0 or more; the vendor sets the upper limit.
        stop: Texts at which the response ends; the response does not contain them.
        seed: A seed for reproducible responses, if the vendor supports seeds.
        tools: The tools that the model may call.
        cache_prompt: Whether to mark the messages before the last one for the vendor's prompt cache.
        min_output_tokens: A response that is cut off below this number of tokens is not accepted.
        metadata: The caller's own data for a custom provider class; never sent.
        deadline: Seconds for the whole call, all providers and waits together.
        timeout: Seconds for one attempt, set by the router; the provider must not exceed them. In a stream, seconds for
            the first chunk.
        chunk_timeout: Seconds between two chunks of a stream, set by the router.
        tool_choice: "auto", "none", "required", or the name of the one tool that must be called.
        response_format: A pydantic model, a JSON schema, or "json" for any JSON object.
        reasoning: "off", "low", "medium", "high", or a budget in tokens.
        commit: The commit point of a stream, see `Options`.
        repair: Whether a response that does not match the schema is sent back once for correction.
        hedge_after: Seconds after which a second request goes to the next provider while the first still runs.
        cache: False bypasses the response cache, True requires one, None uses the configuration.
        deduplicate: Whether to share the response of an identical call in flight; None uses the configuration.
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
    metadata: Mapping[str, Any] = field(default_factory=lambda: EMPTY_MAPPING, repr=False)
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMPTY_MAPPING, repr=False)
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
        """The summary of the messages, computed at the first access."""
        try:
            return self._summary
        except AttributeError:
            summary = MessageSummary.of(self.messages)
            object.__setattr__(self, "_summary", summary)
            return summary

    def for_attempt(self, model: str | None, timeout: float, chunk_timeout: float) -> "ChatRequest":
        """Return the request for one attempt, without the options of the whole call such as `deadline`.

        Each field is written out, since every attempt makes a copy and `dataclasses.replace` takes twice as long.
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
        object.__setattr__(request, "_summary", self.shape)
        return request

    @property
    def system(self) -> str:
        """The texts of the system messages, joined by blank lines; "" for none."""
        return "\n\n".join(message.text for message in self.messages if message.role == "system")

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages without the system messages, in order."""
        return tuple(message for message in self.messages if message.role != "system")
