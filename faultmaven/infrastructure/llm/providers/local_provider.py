"""A server of one's own: vLLM, Ollama, llama.cpp, Text Generation Inference, LM Studio, or whatever answers there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from ....application.planning.requirements import lacking, needs
from ....domain.errors import (
    LLMError,
    ModelNotFoundError,
    ProviderConfigurationError,
    ProviderTimeoutError,
    WrongEndpointError,
)
from ....domain.requests import ChatRequest
from ....domain.responses import LLMResponse
from ....ports.clock import Clock
from ...event_loops import PerLoop
from ...http.types import Transport
from ..config import ProviderConfig
from ..dialects import llamacpp as llamacpp_completion
from ..dialects import ollama as ollama_native
from ..dialects import tgi as tgi_generate
from ..dialects.openai_chat import dialect as openai_chat
from ..dialects.protocol import Dialect
from ..dialects.registry import dialect_for, features_of
from ..dialects.shared.requests import server_root
from .dialect_provider import DialectProvider
from .dialect_stream import DialectStream

# Tried in this order when a row names no dialect of its own.
ANY_SERVER = (openai_chat.DIALECT, ollama_native.DIALECT, llamacpp_completion.DIALECT, tgi_generate.DIALECT)
# Servers whose own route takes no turns have a chat route beside it; a conversation prefers that one.
CHAT_BESIDE = {
    llamacpp_completion.DIALECT: f"{openai_chat.DIALECT}/llamacpp",
    tgi_generate.DIALECT: f"{openai_chat.DIALECT}/tgi",
}
NO_SUCH_ROUTE = (404, 405)
PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Route:
    """One way to reach the server: a dialect at a base URL."""

    dialect: str
    base_url: str

    @property
    def wire(self) -> Dialect:
        return dialect_for(self.dialect)


Reached = TypeVar("Reached")
_Ask: TypeAlias = Callable[[_Route, ChatRequest, float], Awaitable[Reached]]
"""Asks over a route, with the request and the moment on the clock when its time is over."""


class _Finding:
    """Who is finding out, in one event loop, and the route that is being tried."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.trying: _Route | None = None


class LocalProvider(DialectProvider):
    """Finds out once which routes the server has, and remembers those that worked.

    A route is tried with the real request. Only 404 and 405 move on to the next one; anything else is the server's own
    answer or error. Calls that come before the first success wait for the one that is finding out, but not for long: a
    route that has not said 404 by then is there, and is only slow. A remembered route that says 404 is forgotten.
    """

    dialects = ANY_SERVER

    def __init__(self, config: ProviderConfig, transport: Transport, clock: Clock) -> None:
        """Keep the parts; nothing is asked before the first call."""
        super().__init__(config, transport, clock)
        self._works: dict[_Route, bool] = {}
        self._findings = PerLoop(_Finding)
        self._listed_model: str | None = None

    def is_available(self) -> bool:
        """Return whether it has an address."""
        return bool(self.config.base_url)

    def get_effective_model(self, requested: str | None = None) -> str:
        """Return the model asked for, the configured one, or "" for the first that the server lists."""
        return requested or (self.config.models[0] if self.config.models else self._listed_model or "")

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds, finding the route included."""
        return await self._over_a_route(self._ask, request)

    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        """Return the answer's stream once its reply has begun, finding the route included."""
        return await self._over_a_route(self._ask_for_stream, request)

    @property
    def features(self) -> frozenset[str]:
        """What any of its routes carries: a request is sent over one that carries all that it needs."""
        return frozenset().union(*(features_of(route.dialect) for route in self._routes()))

    def refusal(self, request: ChatRequest, model: str) -> str:
        """Return why no route can carry `request`, "" when one can."""
        refusals = [
            route.wire.refusal(request, self._config_over(route), model or self.get_effective_model())
            for route in self._routes(request)
        ]
        return "" if not refusals or "" in refusals else refusals[0]

    async def _over_a_route(self, ask: "_Ask[Reached]", request: ChatRequest) -> Reached:
        """Return what `ask` reaches over the first route that is there."""
        ends = self._clock.monotonic() + (request.timeout or self.config.timeout)
        known = self._known_route(request)
        if known is not None:
            try:
                return await ask(known, request, ends)
            except LLMError as error:
                if error.status not in NO_SUCH_ROUTE:
                    raise
                self._forget()
                if isinstance(error, ModelNotFoundError) and (request.model or self.config.models):
                    raise
        return await self._find_or_follow(ask, request, ends)

    async def list_models(self, timeout: float) -> list[str]:
        """Return the models the server lists, over the first route that has a list."""
        ends = self._clock.monotonic() + timeout
        failed: LLMError | None = None
        for route in self._routes():
            try:
                return await self._list(route, ends)
            except WrongEndpointError as error:
                failed = failed or error
        raise failed or ProviderConfigurationError(f"{self.provider_name} has no address")

    def _routes(self, request: ChatRequest | None = None) -> list[_Route]:
        """Return the routes to try, best first for `request`."""
        own = self.config.dialect
        dialects = (own, CHAT_BESIDE.get(own, own)) if own else ANY_SERVER
        base, root = self.config.base_url, server_root(self.config.base_url, "/v1")
        routes = []
        for dialect in dict.fromkeys(dialects):
            bases = (f"{root}/v1", base) if dialect_for(dialect) is dialect_for(openai_chat.DIALECT) else (base,)
            routes += [_Route(dialect, address) for address in dict.fromkeys(bases)]
        if request is None:
            return routes
        wanted = needs(request)
        able = [route for route in routes if not lacking(wanted, features_of(route.dialect))]
        if len(request.messages) > 1:
            able.sort(key=lambda route: not route.wire.TAKES_MESSAGES)
        return able or routes

    def _known_route(self, request: ChatRequest) -> _Route | None:
        """Return the best route when everything before it is known to be absent and it is known to work."""
        for route in self._routes(request):
            works = self._works.get(route)
            if works:
                return route
            if works is None:
                return None
        return None

    def _forget(self) -> None:
        """Know nothing any more: the server was swapped for another, or its model was."""
        self._works, self._listed_model = {}, None

    async def _find_or_follow(self, ask: "_Ask[Reached]", request: ChatRequest, ends: float) -> Reached:
        """Find the route, or follow whoever is finding it."""
        finding = await self._findings.get()
        while not await self._acquired(finding.lock, min(self._left(ends), PATIENCE_SECONDS)):
            if self._clock.monotonic() >= ends:
                raise self._waited_too_long()
            if finding.trying is not None:
                try:
                    return await ask(finding.trying, request, ends)
                except LLMError as error:
                    if error.status not in NO_SUCH_ROUTE:
                        raise
        try:
            known = self._known_route(request)
            if known is None:
                return await self._find(ask, request, ends, finding)
        finally:
            finding.trying = None
            finding.lock.release()
        return await ask(known, request, ends)

    async def _acquired(self, lock: asyncio.Lock, patience: float) -> bool:
        try:
            async with self._clock.timeout(patience):
                return await lock.acquire()
        except TimeoutError:
            return False

    async def _find(self, ask: "_Ask[Reached]", request: ChatRequest, ends: float, finding: _Finding) -> Reached:
        failures: list[LLMError] = []
        absent: list[_Route] = []
        for route in self._routes(request):
            if self._works.get(route) is False:
                continue
            finding.trying = route
            try:
                reached = await ask(route, request, ends)
            except LLMError as error:
                if error.status not in NO_SUCH_ROUTE:
                    raise
                failures.append(error)
                if isinstance(error, WrongEndpointError):
                    absent.append(route)
            else:
                self._works |= {route: True} | dict.fromkeys(absent, False)
                return reached
        # The server may not know the model rather than the route: say the more telling of the two.
        raise next((error for error in failures if isinstance(error, ModelNotFoundError)), failures[0])

    async def _ask(self, route: _Route, request: ChatRequest, ends: float) -> LLMResponse:
        model, config = await self._model_over(route, request, ends), self._config_over(route)
        return await self.exchange(route.wire, config, request, model, self._left(ends))

    async def _ask_for_stream(self, route: _Route, request: ChatRequest, ends: float) -> DialectStream:
        model, config = await self._model_over(route, request, ends), self._config_over(route)
        return await self.stream_over(route.wire, config, request, model, self._left(ends))

    async def _model_over(self, route: _Route, request: ChatRequest, ends: float) -> str:
        model = self.get_effective_model(request.model)
        return model if model or not route.wire.MODEL_IN_REQUEST else await self._first_listed(route, ends)

    async def _first_listed(self, route: _Route, ends: float) -> str:
        models = await self._list(route, ends)
        if not models:
            raise ProviderConfigurationError(
                "the server lists no model",
                provider=self.provider_name,
                advice=f"Load one on the server, or set {self.config.model_var}.",
            )
        self._listed_model = models[0]
        return models[0]

    async def _list(self, route: _Route, ends: float) -> list[str]:
        return await self.list_over(route.wire, self._config_over(route), self._left(ends))

    def _config_over(self, route: _Route) -> ProviderConfig:
        return replace(self.config, dialect=route.dialect, base_url=route.base_url)

    def _left(self, ends: float) -> float:
        return max(ends - self._clock.monotonic(), 0.001)

    def _waited_too_long(self) -> ProviderTimeoutError:
        return ProviderTimeoutError(
            "another call was still finding out what the server speaks",
            provider=self.provider_name,
            phase="connect",
            advice=f"Check {self.config.base_url_var}, or name the dialect in the row.",
        )
