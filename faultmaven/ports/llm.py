"""Whoever answers prompts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypedDict, Unpack

from faultmaven.domain.chat import ChatRequest, LLMResponse, Prompt, StreamChunk
from faultmaven.domain.tools import Tool


class Options(TypedDict, total=False):
    """What a caller may set beyond model, limit and temperature. None or absent: the vendor's default.

    Options marked (*) reach only providers and models that have the feature; a request that needs one is never sent to
    one without it. Hints are left out instead, and the ledger says so.
    """

    tools: Sequence[Tool] | None  # (*)
    tool_choice: str | None  # (*) "auto", "none", "required", or the name of one of the tools
    response_format: Any  # (*) a pydantic model, a JSON schema as a mapping, or "json"
    repair: bool | None  # send an answer that does not validate back once, with what is wrong with it
    stop: str | Sequence[str] | None
    seed: int | None
    reasoning: Literal["off", "low", "medium", "high"] | int | None  # a hint; a number is a budget in tokens
    cache_prompt: bool | None  # a hint: mark what stands before the last turn for the vendor's prompt cache
    commit: Literal["none", "first_token", "sentence", "whole"] | int | None  # see below
    deadline: float | None
    hedge_after: float | None  # seconds, then a second provider is asked beside a slow first one
    cache: bool | None  # False: neither look into the response cache nor keep the answer; True: there must be one
    deduplicate: bool | None  # share the answer of an identical call that is under way
    min_output_tokens: int | None
    metadata: Mapping[str, Any] | None
    extra: Mapping[str, Mapping[str, Any]] | None
    # `commit` says how much of a stream is held back before the caller gets any of it. Until then the router may still
    # change to another provider unseen; afterwards a failure is raised. "none": as soon as a reply begins.
    # "first_token" (the default): at the first piece of anything. A number: at so many characters of the answer.
    # "sentence": at the end of its first sentence. "whole": at the end; then the whole answer is judged first, as
    # `generate` does.


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
        """Return the answer to `prompt`, or raise an `LLMError`."""
        ...

    def stream(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream on entry and closes it on exit."""
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
