"""DialectProvider: the base class of the built-in providers, made of a dialect and the shared transport."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from ....domain.errors import InvalidRequestError, LimitReachedError, LLMError, UnsupportedRequestError
from ....domain.requests import ChatRequest
from ....domain.responses import LLMResponse
from ....ports.clock import Clock
from ....ports.llm import LLMStream
from ...http.types import Headers, Transport, WireReply, WireRequest
from ..attachments import load_attachments
from ..config import ProviderConfig
from ..dialects.protocol import Dialect
from ..dialects.registry import dialect_for, features_of
from ..dialects.shared.errors import raise_for_status
from .base import BaseLLMProvider
from .dialect_stream import DialectStream
from .response_builder import build_attempt, build_response


class DialectProvider(BaseLLMProvider):
    """Builds a request in its dialect, sends it over the transport and parses the reply."""

    def __init__(self, config: ProviderConfig, transport: Transport, clock: Clock) -> None:
        """Store the arguments; no connection is opened."""
        super().__init__(config)
        self._transport = transport
        self._clock = clock

    @classmethod
    def create(cls, config: ProviderConfig, transport: Transport, clock: Clock) -> Self:
        """Build a provider that sends its requests over `transport`."""
        return cls(config, transport, clock)

    @property
    def features(self) -> frozenset[str]:
        """Request features beyond a single prompt that the dialect supports."""
        return features_of(self.config.dialect or self.dialects[0])

    def select_dialect(self, request: ChatRequest | None = None) -> Dialect:
        """Return the dialect for `request`; None asks for the dialect of the row."""
        return dialect_for(self.config.dialect or self.dialects[0])

    def refusal(self, request: ChatRequest, model: str) -> str:
        """Return the reason why `model` cannot serve `request` here, as one clause, "" when there is none.

        The planner calls this method, too.
        """
        return self.select_dialect(request).refusal(request, self.config, model or self.get_effective_model())

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds, or else the timeout of the row."""
        dialect, model = self.select_dialect(request), self.get_effective_model(request.model)
        return await self.exchange(dialect, self.config, request, model)

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Return a context that opens the stream of the answer.

        The first chunk comes within `request.timeout` seconds, each later one within `request.chunk_timeout`. Without
        these, the timeout of the row applies.
        """
        stream = await self.begin_stream(request)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        """Return the stream of the answer once its reply has begun; the caller closes the stream."""
        dialect, model = self.select_dialect(request), self.get_effective_model(request.model)
        return await self.begin_dialect_stream(dialect, self.config, request, model)

    async def begin_dialect_stream(
        self, dialect: Dialect, config: ProviderConfig, request: ChatRequest, model: str, timeout: float | None = None
    ) -> DialectStream:
        """Send `request` in `dialect` and return the stream of the answer.

        Args:
            timeout: Seconds until the first chunk; None: the timeout of the request, or else of the configuration.

        Raises:
            LLMError: with the attempt in `attempts`, except for errors raised before the request is sent.
        """
        limit = timeout or request.timeout or config.timeout
        request, limit = await self._prepare(limit, dialect, config, request, model)
        sent = dialect.build_request(request, config, model, stream=True)
        stream = DialectStream(self._transport, self._clock, dialect, config, sent)
        await stream.begin(limit, request.chunk_timeout or config.timeout)
        return stream

    async def _prepare(
        self, limit: float, dialect: Dialect, config: ProviderConfig, request: ChatRequest, model: str
    ) -> tuple[ChatRequest, float]:
        """Return `request` with its attachments loaded, and the seconds of `limit` that loading them left.

        Raises:
            UnsupportedRequestError: the vendor or the model does not support the request.
            InvalidRequestError: a file cannot be read, or an address marked `fetch=True` cannot be fetched.
        """
        loaded = request
        if request.shape.attachments:
            started = self._clock.monotonic()

            async def fetch(address: str) -> bytes:
                return await self._fetch(address, limit - (self._clock.monotonic() - started))

            loaded = await load_attachments(request, fetch)
            limit = limit if loaded is request else limit - (self._clock.monotonic() - started)
        reason = dialect.refusal(loaded, config, model)
        if reason:
            raise UnsupportedRequestError(reason, provider=config.name, model=model)
        return loaded, limit

    async def exchange(
        self,
        dialect: Dialect,
        config: ProviderConfig,
        request: ChatRequest,
        model: str,
        timeout: float | None = None,
    ) -> LLMResponse:
        """Send `request` in `dialect` and return the parsed answer.

        Args:
            timeout: Seconds for the exchange; None: the timeout of the request, or else of the configuration.

        Raises:
            LLMError: with the attempt in `attempts`, except for errors raised before the request is sent.
        """
        limit = timeout or request.timeout or config.timeout
        request, limit = await self._prepare(limit, dialect, config, request, model)
        sent = dialect.build_request(request, config, model)
        started, reply = self._clock.monotonic(), None
        try:
            reply = await self._transport.send(sent, limit)
            raise_for_status(reply)
            answer = dialect.parse_response(reply)
        except LLMError as error:
            raise self._with_attempt(error, config, sent, started, reply) from error.__cause__
        return build_response(config, sent, reply, answer, self._clock.monotonic() - started)

    async def _fetch(self, address: str, timeout: float) -> bytes:
        """Return the bytes behind an address of the caller, without sending a key or following a redirect.

        Raises:
            InvalidRequestError: the address cannot be fetched. The circuit breaker does not count this error, since
                the provider did not cause it.
        """
        sent = WireRequest(self.config.origin(), address, Headers(), method="GET")
        try:
            reply = await self._transport.send(sent, timeout)
        except LimitReachedError:
            raise  # a limit of this process says nothing about the address
        except LLMError as error:
            problem = f"does not answer ({type(error).__name__})"
        else:
            if reply.status == 200:
                return reply.body
            problem = f"answers with status {reply.status}"
        raise InvalidRequestError(
            f"the address of an image or a file {problem}", advice="Check the address, or send the bytes."
        )

    async def list_models(self, timeout: float) -> list[str]:
        """Return the models the vendor lists for this key, within `timeout` seconds.

        Raises:
            LLMError: as for an answer; a wrong key or address shows here first, without any cost.
        """
        return await self.list_dialect_models(self.select_dialect(), self.config, timeout)

    async def list_dialect_models(self, dialect: Dialect, config: ProviderConfig, timeout: float) -> list[str]:
        """Return the models of the list route of `dialect`, within `timeout` seconds."""
        sent = dialect.build_models_request(config)
        started, reply = self._clock.monotonic(), None
        try:
            reply = await self._transport.send(sent, timeout)
            raise_for_status(reply)
            return dialect.parse_models(reply)
        except LLMError as error:
            raise self._with_attempt(error, config, sent, started, reply) from error.__cause__

    def _with_attempt(
        self, error: LLMError, config: ProviderConfig, sent: WireRequest, started: float, reply: WireReply | None
    ) -> LLMError:
        """Return `error` with its attempt, and without its traceback, whose local variables hold the decoded answer."""
        duration = self._clock.monotonic() - started
        error.attempts = (build_attempt(config, sent, duration, reply, error=error),)
        return error.with_traceback(None)
