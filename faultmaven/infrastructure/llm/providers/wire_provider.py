"""WireProvider: a provider that is a wire and the shared transport, and nothing else."""

from collections.abc import Callable
from typing import Self, TypeVar

from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import LLMError
from faultmaven.infrastructure.http.types import Transport, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers.base import BaseLLMProvider
from faultmaven.infrastructure.llm.wire.catalogue import wire_for
from faultmaven.infrastructure.llm.wire.errors import raise_for_status
from faultmaven.infrastructure.llm.wire.protocol import Answer, Wire
from faultmaven.infrastructure.llm.wire.rate_limits import seconds_until_allowed
from faultmaven.infrastructure.llm.wire.reading import request_id
from faultmaven.ports.clock import Clock

Parsed = TypeVar("Parsed")


class WireProvider(BaseLLMProvider):
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
        return self.wire().FEATURES

    def wire(self, request: ChatRequest | None = None) -> Wire:
        """Return the wire that carries `request`."""
        return wire_for(self.config.dialect or self.dialects[0])

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds, else the row's timeout."""
        return await self.exchange(self.wire(request), self.config, request, self.get_effective_model(request.model))

    async def exchange(
        self,
        wire: Wire,
        config: ProviderConfig,
        request: ChatRequest,
        model: str,
        timeout: float | None = None,
    ) -> LLMResponse:
        """Send `request` over `wire` and read the answer; every error carries this attempt's ledger line."""
        sent = wire.build_request(request, config, model)
        limit = timeout or request.timeout or config.timeout
        reply, answer, duration = await self._converse(sent, limit, wire.parse_response, config)
        return _response(config, sent, reply, answer, duration)

    async def list_models(self, timeout: float) -> list[str]:
        """Return the models the vendor lists for this key, within `timeout` seconds.

        Raises:
            LLMError: as for an answer; a wrong key or address shows here first, without any cost.
        """
        return await self.list_over(self.wire(), self.config, timeout)

    async def list_over(self, wire: Wire, config: ProviderConfig, timeout: float) -> list[str]:
        """Return the models that the list route of `wire` gives."""
        sent = wire.build_models_request(config)
        _, models, _ = await self._converse(sent, timeout, wire.parse_models, config)
        return models

    async def _converse(
        self, sent: WireRequest, limit: float, parse: Callable[[WireReply], Parsed], config: ProviderConfig
    ) -> tuple[WireReply, Parsed, float]:
        """Send and parse; return the reply, what was read from it and the seconds. Errors get their ledger line."""
        started = self._clock.monotonic()
        reply: WireReply | None = None
        try:
            reply = await self._transport.send(sent, limit)
            raise_for_status(reply)
            parsed = parse(reply)
        except LLMError as error:
            duration = self._clock.monotonic() - started
            error.attempts = (_line(config, sent, duration, reply, error=error),)
            # Without the frames below this one: their locals hold the decoded answer.
            raise error.with_traceback(None) from error.__cause__
        return reply, parsed, self._clock.monotonic() - started


def _line(
    config: ProviderConfig,
    sent: WireRequest,
    duration: float,
    reply: WireReply | None,
    answer: Answer | None = None,
    error: LLMError | None = None,
) -> Attempt:
    return Attempt(
        provider=config.name,
        model=sent.model or (answer.model if answer else ""),
        outcome=type(error).__name__ if error else "answered",
        status=reply.status if reply else None,
        request_id=(error.request_id if error else "") or (request_id(reply) if reply else ""),
        time_to_headers=reply.time_to_headers if reply else None,
        duration=duration,
        usage=answer.usage if answer else None,
        notes=sent.notes,
        error=error.problem if error else "",
        limited_for=seconds_until_allowed(reply.headers, reply.received_at) if reply else None,
    )


def _response(
    config: ProviderConfig, sent: WireRequest, reply: WireReply, answer: Answer, duration: float
) -> LLMResponse:
    return LLMResponse(
        content=answer.content,
        confidence=config.confidence_score,
        provider=config.name,
        model=sent.model or answer.model,
        tokens_used=answer.usage.total if answer.usage else None,
        response_time_ms=round(duration * 1000, 3),
        tool_calls=answer.tool_calls,
        stop_reason=answer.stop_reason,
        usage=answer.usage,
        attempts=(_line(config, sent, duration, reply, answer),),
        raw=answer.raw,
    )
