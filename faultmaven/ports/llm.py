"""Whoever answers prompts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypedDict, Unpack

from ..domain.messages import Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse, StreamChunk
from ..domain.tools import Tool


class Options(TypedDict, total=False):
    """What a caller may set beyond model, limit and temperature. None or absent: the vendor's default.

    A request with tools, a schema or images never goes to a provider or model without them. Hints are left out where
    they cannot be carried, and the ledger says so.

    Attributes:
        tools: What the model may call.
        tool_choice: "auto", "none", "required", or the name of the one tool that must be called.
        response_format: A pydantic model, a JSON schema as a mapping, or "json" for any JSON object. The validated
            object is at `response.parsed`.
        repair: Whether an answer that does not validate is sent back once, with what is wrong with it.
        stop: Texts at which the answer ends.
        seed: A hint: for answers that can be repeated.
        reasoning: A hint: "off", "low", "medium", "high", or a budget in tokens.
        cache_prompt: A hint: mark what stands before the last turn for the vendor's prompt cache.
        commit: How much of a stream is held back before the caller gets any of it. Until then the router may still
            change to another provider unseen; afterwards a failure is raised. "none": as soon as a reply begins.
            "first_token" (the default): at the first piece of anything. A number: at so many characters of the answer.
            "sentence": at the end of its first sentence. "whole": at the end; then the whole answer is judged first, as
            `generate` does.
        deadline: Seconds for the whole call: all providers, all waits.
        hedge_after: Seconds after which a second provider is asked beside a slow first one.
        cache: False neither looks into the response cache nor keeps the answer; True demands that there is one.
        deduplicate: Whether to share the answer of an identical call that is under way.
        min_output_tokens: An answer that the limit cut below so many tokens is not accepted.
        metadata: The caller's own facts, there for a provider's class to read at `request.metadata`; never sent.
        extra: Vendor fields by provider name, such as `{"openai": {"service_tier": "flex"}}`; merged into the body of
            requests to that provider.
    """

    tools: Sequence[Tool] | None
    tool_choice: str | None
    response_format: Any
    repair: bool | None
    stop: str | Sequence[str] | None
    seed: int | None
    reasoning: Literal["off", "low", "medium", "high"] | int | None
    cache_prompt: bool | None
    commit: Literal["none", "first_token", "sentence", "whole"] | int | None
    deadline: float | None
    hedge_after: float | None
    cache: bool | None
    deduplicate: bool | None
    min_output_tokens: int | None
    metadata: Mapping[str, Any] | None
    extra: Mapping[str, Mapping[str, Any]] | None


class LLMStream(Protocol):
    """An answer on its way: iterate for its chunks; `response` is there once the last one was read."""

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        """Return the iterator over the chunks."""
        ...

    @property
    def response(self) -> LLMResponse:
        """The whole answer. Raises InvalidRequestError while the stream has not been read to its end."""
        ...


class LLMProvider(Protocol):
    """The port that hosts annotate: one provider, or a router made of many, or a fake."""

    @property
    def provider_name(self) -> str:
        """The provider's unique name."""
        ...

    def is_available(self) -> bool:
        """Return whether it is configured; asks nobody over the network."""
        ...

    def get_supported_models(self) -> list[str]:
        """Return the models it is configured with, the default first."""
        ...

    async def generate(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return the answer to `prompt`.

        Args:
            prompt: A text, or the turns of a conversation.
            model: The model to send; None is the provider's own.
            max_tokens: Upper limit of the answer, in tokens; None is the vendor's.
            temperature: 0 or more; None is the vendor's.
            options: See `Options`.

        Raises:
            InvalidRequestError: the call is wrong; nothing was sent.
            LLMError: of another type, when no answer came.
        """
        ...

    def stream(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream on entry and closes it on exit; arguments as for `generate`.

        Raises:
            InvalidRequestError: on entry; the call is wrong, and nothing was sent.
            LLMError: of another type, on entry when no answer began, or while iterating when it broke off.
        """
        ...


class ChatBackend(Protocol):
    """The inner face of a provider: one request value in, one answer out. The router knows providers by this only."""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer within `request.timeout` seconds.

        `attempts` of the answer, and of every `LLMError` raised after sending, holds exactly one line: this attempt.
        """
        ...

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the answer's stream."""
        ...
