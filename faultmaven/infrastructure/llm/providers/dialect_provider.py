"""WireProvider: a provider that is a wire and the shared transport, and nothing else."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

from ....domain.errors import InvalidRequestError, LimitReachedError, LLMError, UnsupportedRequestError
from ....domain.requests import ChatRequest
from ....domain.responses import LLMResponse
from ....ports.clock import Clock
from ....ports.llm import LLMStream
from ...http.types import Headers, Transport, WireReply, WireRequest
from ..attachments import loaded
from ..config import ProviderConfig
from ..dialects.protocol import Dialect
from ..dialects.registry import dialect_for, features_of
from ..dialects.shared.errors import raise_for_status
from .base import BaseLLMProvider
from .dialect_stream import DialectStream
from .response_builder import line_of, response_of

_WAITING = frozenset(
    {"answer", "exchange", "open_stream", "begin_stream", "stream_over", "_prepared_within", "_fetched"}
)
"""The methods that wait; a subclass or an object with one of its own may wait for anything."""


class DialectProvider(BaseLLMProvider):
    """The base of the shipped providers: build, send, parse. Subclasses choose the wire."""

    def __init__(self, config: ProviderConfig, transport: Transport, clock: Clock) -> None:
        """Keep the parts; nothing is opened."""
        super().__init__(config)
        self._transport = transport
        self._clock = clock

    @classmethod
    def create(cls, config: ProviderConfig, transport: Transport, clock: Clock) -> Self:
        """Return a provider that sends through `transport`."""
        return cls(config, transport, clock)

    @property
    def features(self) -> frozenset[str]:
        """What of a request this provider carries beyond one prompt."""
        return features_of(self.config.dialect or self.dialects[0])

    @property
    def keeps_time(self) -> bool:
        """Whether nothing is awaited but a transport of ours, with the time that there is; see `Route`."""
        kind = type(self)
        is_plain = all(getattr(kind, name) is getattr(DialectProvider, name) for name in _WAITING)
        # Its own word, and no heir's: a subclass of a transport may wait for anything as well.
        return is_plain and _WAITING.isdisjoint(vars(self)) and vars(type(self._transport)).get("keeps_time") is True

    def wire(self, request: ChatRequest | None = None) -> Dialect:
        """Return the wire that carries `request`."""
        return dialect_for(self.config.dialect or self.dialects[0])

    def refusal(self, request: ChatRequest, model: str) -> str:
        """Return why `model` cannot carry `request` here, as one clause; "" when it can. The planner asks too."""
        return self.wire(request).refusal(request, self.config, model or self.get_effective_model())

    def answer(self, request: ChatRequest) -> Coroutine[Any, Any, LLMResponse]:
        """Return what gives the answer to `request` within `request.timeout` seconds, else the row's timeout. No
        coroutine itself: one more for each call under way would cost all of them."""
        return self.exchange(self.wire(request), self.config, request, self.get_effective_model(request.model))

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Return a context that opens the answer's stream: the first chunk comes within `request.timeout` seconds, each
        further one within `request.chunk_timeout`; else the row's timeout holds."""
        stream = await self.begin_stream(request)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        """Return the answer's stream once its reply has begun; whoever gets it closes it."""
        return await self.stream_over(self.wire(request), self.config, request, self.get_effective_model(request.model))

    async def stream_over(
        self, wire: Dialect, config: ProviderConfig, request: ChatRequest, model: str, timeout: float | None = None
    ) -> DialectStream:
        """Send `request` over `wire` and return the stream of its answer; errors carry this attempt's ledger line."""
        limit = timeout or request.timeout or config.timeout
        request, limit = await self._prepared_within(limit, wire, config, request, model)
        sent = wire.build_request(request, config, model, stream=True)
        stream = DialectStream(self._transport, self._clock, wire, config, sent)
        await stream.begin(limit, request.chunk_timeout or config.timeout)
        return stream

    async def _prepared_within(
        self, limit: float, wire: Dialect, config: ProviderConfig, request: ChatRequest, model: str
    ) -> tuple[ChatRequest, float]:
        """Return `request` as it can be written, and what reading and fetching its files left of `limit` seconds.

        Raises:
            UnsupportedRequestError: this vendor or model cannot carry it.
            InvalidRequestError: a file cannot be read, or an address that we were to fetch gives nothing.
        """
        whole = request
        if request.shape.attachments:
            started = self._clock.monotonic()

            async def fetch(address: str) -> bytes:
                return await self._fetched(address, limit - (self._clock.monotonic() - started))

            whole = await loaded(request, fetch)
            limit = limit if whole is request else limit - (self._clock.monotonic() - started)
        refused = wire.refusal(whole, config, model)
        if refused:
            raise UnsupportedRequestError(refused, provider=config.name, model=model)
        return whole, limit

    async def exchange(
        self,
        wire: Dialect,
        config: ProviderConfig,
        request: ChatRequest,
        model: str,
        timeout: float | None = None,
    ) -> LLMResponse:
        """Send `request` over `wire` and read the answer; every error carries this attempt's ledger line."""
        limit = timeout or request.timeout or config.timeout
        request, limit = await self._prepared_within(limit, wire, config, request, model)
        sent = wire.build_request(request, config, model)
        started, reply = self._clock.monotonic(), None
        try:
            reply = await self._transport.send(sent, limit)
            raise_for_status(reply)
            answer = wire.parse_response(reply)
        except LLMError as error:
            raise self._reported(error, config, sent, started, reply) from error.__cause__
        return response_of(config, sent, reply, answer, self._clock.monotonic() - started)

    async def _fetched(self, address: str, timeout: float) -> bytes:
        """Return what an address of the caller's gives; no key goes there, and no redirect is followed.

        Raises:
            InvalidRequestError: it gives nothing; that is no fault of this provider's, and its breaker counts none.
        """
        sent = WireRequest(self.config.origin(), address, Headers(), method="GET")
        try:
            reply = await self._transport.send(sent, timeout)
        except LimitReachedError:
            raise  # our own limit: the address may well be right
        except LLMError as error:
            problem = f"does not answer ({type(error).__name__})"
        else:
            if reply.status == 200:
                return reply.body
            problem = f"answers with status {reply.status}"
        raise InvalidRequestError(
            f"the address of an image or a file {problem}", advice="Check the address, or send its bytes."
        )

    async def list_models(self, timeout: float) -> list[str]:
        """Return the models the vendor lists for this key, within `timeout` seconds.

        Raises:
            LLMError: as for an answer; a wrong key or address shows here first, without any cost.
        """
        return await self.list_over(self.wire(), self.config, timeout)

    async def list_over(self, wire: Dialect, config: ProviderConfig, timeout: float) -> list[str]:
        """Return the models that the list route of `wire` gives."""
        sent = wire.build_models_request(config)
        started, reply = self._clock.monotonic(), None
        try:
            reply = await self._transport.send(sent, timeout)
            raise_for_status(reply)
            return wire.parse_models(reply)
        except LLMError as error:
            raise self._reported(error, config, sent, started, reply) from error.__cause__

    def _reported(
        self, error: LLMError, config: ProviderConfig, sent: WireRequest, started: float, reply: WireReply | None
    ) -> LLMError:
        """Return `error` with its ledger line, and without the frames below: their locals hold the decoded answer."""
        duration = self._clock.monotonic() - started
        error.attempts = (line_of(config, sent, duration, reply, error=error),)
        return error.with_traceback(None)
