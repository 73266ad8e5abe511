"""Ports for providers: the interface for hosts, and the one between the router and a provider."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypedDict, Unpack

from ..domain.messages import Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse, StreamChunk
from ..domain.tools import Tool


class Options(TypedDict, total=False):
    """Options of a call besides `model`, `max_tokens` and `temperature`. None or absent: the vendor's default.

    A request with tools, a schema or images is never sent to a provider or model that does not support them. A hint is
    omitted for a provider that does not support the hint, and the ledger notes the omission.

    Attributes:
        tools: The tools that the model may call.
        tool_choice: "auto", "none", "required", or the name of the one tool that must be called.
        response_format: A pydantic model, a JSON schema as a mapping, or "json" for any JSON object. The validated
            object is at `response.parsed`.
        repair: Whether a response that does not match the schema is sent back once, with the list of its faults.
        stop: Texts at which the response ends.
        seed: A hint: a seed for reproducible responses.
        reasoning: A hint: "off", "low", "medium", "high", or a budget in tokens.
        cache_prompt: A hint: mark the messages before the last one for the vendor's prompt cache.
        commit: The commit point: how much of a stream is held back before the caller gets a chunk. Before the commit
            point, a failing stream falls back to the next provider unnoticed; afterwards the stream raises the error.
            "none": when the reply begins. "first_token" (the default): at the first text, thinking or tool call. A
            number: at this number of characters. "sentence": at the end of the first sentence. "whole": at the end;
            the complete response is evaluated first, as in `generate`.
        deadline: Seconds for the whole call, all providers and waits together.
        hedge_after: Seconds after which a second request goes to the next provider while the first still runs.
        cache: False neither reads the response cache nor stores the response; True requires a configured cache.
        deduplicate: Whether to share the response of an identical call in flight.
        min_output_tokens: A response that is cut off below this number of tokens is not accepted.
        metadata: The caller's own data for a custom provider class, at `request.metadata`; never sent.
        extra: Vendor fields by provider name, such as `{"openai": {"service_tier": "flex"}}`; merged into the body of
            each request to that provider.
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
    """A streamed response: iterate over its chunks; `response` is available after the last chunk."""

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        """Return the iterator over the chunks."""
        ...

    @property
    def response(self) -> LLMResponse:
        """The complete response. Raises InvalidRequestError before the stream was read to its end."""
        ...


class LLMProvider(Protocol):
    """The type for hosts to annotate: a single provider, a router over several providers, or a fake."""

    @property
    def provider_name(self) -> str:
        """The provider's unique name."""
        ...

    def is_available(self) -> bool:
        """Return whether the provider is configured. Sends no request."""
        ...

    def get_supported_models(self) -> list[str]:
        """Return the configured models, the default first."""
        ...

    async def generate(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> LLMResponse:
        """Return the response to `prompt`.

        Args:
            prompt: A text, or the messages of a conversation.
            model: The model to request; None uses the provider's default.
            max_tokens: Upper limit of the response, in tokens; None uses the vendor's default.
            temperature: 0 or more; None uses the vendor's default.
            options: See `Options`.

        Raises:
            InvalidRequestError: validation refused the request; nothing was sent.
            LLMError: another subclass, when the call ends without a response.
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
        """Return a context that opens the stream on entry and closes the stream on exit; arguments as for `generate`.

        Raises:
            InvalidRequestError: on entry; validation refused the request, and nothing was sent.
            LLMError: another subclass, on entry when no stream began, or while iterating when the stream broke off.
        """
        ...


class ChatBackend(Protocol):
    """The interface between the router and a provider: one request in, one response out."""

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the response within `request.timeout` seconds.

        `attempts` of the response, and of every `LLMError` raised after sending, holds exactly one `Attempt`.
        """
        ...

    def open_stream(self, request: ChatRequest) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream of the response."""
        ...
