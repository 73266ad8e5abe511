"""LocalProvider: a local server such as vLLM, Ollama, llama.cpp, Text Generation Inference or LM Studio."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from ....application.planning.requirements import missing_features, required_features
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

ANY_SERVER = (openai_chat.DIALECT, ollama_native.DIALECT, llamacpp_completion.DIALECT, tgi_generate.DIALECT)
"""The dialects to try, in this order, when a row names none."""

CHAT_ALTERNATIVES = {
    llamacpp_completion.DIALECT: f"{openai_chat.DIALECT}/llamacpp",
    tgi_generate.DIALECT: f"{openai_chat.DIALECT}/tgi",
}
"""The chat dialect of servers whose own dialect takes no messages; preferred for a conversation."""

MISSING_ROUTE_STATUSES = (404, 405)
DISCOVERY_WAIT_SECONDS = 0.25
"""The wait for the call that is discovering the route, before the route being tried is used, too."""


@dataclass(frozen=True, slots=True)
class _ServerRoute:
    """A dialect at a base URL."""

    dialect_name: str
    base_url: str

    @property
    def dialect(self) -> Dialect:
        return dialect_for(self.dialect_name)


Result = TypeVar("Result")
_Send: TypeAlias = Callable[[_ServerRoute, ChatRequest, float], Awaitable[Result]]
"""Sends a request over a route. The last argument is the deadline, as a moment of the clock."""


class _Discovery:
    """The route discovery of one event loop: its lock, and the route that is being tried."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.current: _ServerRoute | None = None


class LocalProvider(DialectProvider):
    """Discovers the routes of the server on the first call, and remembers the routes that work.

    A route is tried with the real request. Only status 404 or 405 leads to the next route; any other reply is the
    server's own answer or error. Calls that come before the first success wait for the call that is discovering the
    route, for `DISCOVERY_WAIT_SECONDS` at most: a route that has not replied 404 by then exists and is only slow. A
    remembered route that replies 404 is forgotten.
    """

    dialects = ANY_SERVER

    def __init__(self, config: ProviderConfig, transport: Transport, clock: Clock) -> None:
        """Store the arguments; nothing is sent before the first call."""
        super().__init__(config, transport, clock)
        self._works: dict[_ServerRoute, bool] = {}
        self._discoveries = PerLoop(_Discovery)
        self._listed_model: str | None = None

    def is_available(self) -> bool:
        """Return whether the provider has an address."""
        return bool(self.config.base_url)

    def get_effective_model(self, requested: str | None = None) -> str:
        """Return the requested model, the configured one, or "" for the first model that the server lists."""
        return requested or (self.config.models[0] if self.config.models else self._listed_model or "")

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the answer to `request` within `request.timeout` seconds, route discovery included."""
        return await self._send_over_route(self._send_request, request)

    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        """Return the stream of the answer once its reply has begun, route discovery included."""
        return await self._send_over_route(self._send_stream_request, request)

    @property
    def features(self) -> frozenset[str]:
        """Request features that any route supports; a request is sent over a route with all features that it needs."""
        return frozenset().union(*(features_of(route.dialect_name) for route in self._routes()))

    def refusal(self, request: ChatRequest, model: str) -> str:
        """Return the reason why no route can serve `request`, "" when one can."""
        reasons = [
            route.dialect.refusal(request, self._config_for(route), model or self.get_effective_model())
            for route in self._routes(request)
        ]
        return "" if not reasons or "" in reasons else reasons[0]

    async def _send_over_route(self, send: "_Send[Result]", request: ChatRequest) -> Result:
        """Return the result of `send` over the first route that the server has."""
        deadline = self._clock.monotonic() + (request.timeout or self.config.timeout)
        known_route = self._known_route(request)
        if known_route is not None:
            try:
                return await send(known_route, request, deadline)
            except LLMError as error:
                if error.status not in MISSING_ROUTE_STATUSES:
                    raise
                self._forget_routes()
                if isinstance(error, ModelNotFoundError) and (request.model or self.config.models):
                    raise
        return await self._discover_or_follow(send, request, deadline)

    async def list_models(self, timeout: float) -> list[str]:
        """Return the models that the server lists, over the first route with a list."""
        deadline = self._clock.monotonic() + timeout
        first_error: LLMError | None = None
        for route in self._routes():
            try:
                return await self._list_over(route, deadline)
            except WrongEndpointError as error:
                first_error = first_error or error
        raise first_error or ProviderConfigurationError(f"{self.provider_name} has no address")

    def _routes(self, request: ChatRequest | None = None) -> list[_ServerRoute]:
        """Return the routes to try, best first for `request`."""
        own = self.config.dialect
        dialects = (own, CHAT_ALTERNATIVES.get(own, own)) if own else ANY_SERVER
        base, root = self.config.base_url, server_root(self.config.base_url, "/v1")
        routes = []
        for dialect in dict.fromkeys(dialects):
            bases = (f"{root}/v1", base) if dialect_for(dialect) is dialect_for(openai_chat.DIALECT) else (base,)
            routes += [_ServerRoute(dialect, address) for address in dict.fromkeys(bases)]
        if request is None:
            return routes
        required = required_features(request)
        able = [route for route in routes if not missing_features(required, features_of(route.dialect_name))]
        if len(request.messages) > 1:
            able.sort(key=lambda route: not route.dialect.TAKES_MESSAGES)
        return able or routes

    def _known_route(self, request: ChatRequest) -> _ServerRoute | None:
        """Return the best route if it is known to work and every better route is known to be missing."""
        for route in self._routes(request):
            works = self._works.get(route)
            if works:
                return route
            if works is None:
                return None
        return None

    def _forget_routes(self) -> None:
        """Forget all routes and the listed model, since the server or its model was replaced."""
        self._works, self._listed_model = {}, None

    async def _discover_or_follow(self, send: "_Send[Result]", request: ChatRequest, deadline: float) -> Result:
        """Discover the route, or follow the call that is discovering it."""
        discovery = await self._discoveries.get()
        while not await self._acquire(discovery.lock, min(self._remaining(deadline), DISCOVERY_WAIT_SECONDS)):
            if self._clock.monotonic() >= deadline:
                raise self._discovery_timeout()
            if discovery.current is not None:
                try:
                    return await send(discovery.current, request, deadline)
                except LLMError as error:
                    if error.status not in MISSING_ROUTE_STATUSES:
                        raise
        try:
            known_route = self._known_route(request)
            if known_route is None:
                return await self._discover(send, request, deadline, discovery)
        finally:
            discovery.current = None
            discovery.lock.release()
        return await send(known_route, request, deadline)

    async def _acquire(self, lock: asyncio.Lock, max_wait: float) -> bool:
        try:
            async with self._clock.timeout(max_wait):
                return await lock.acquire()
        except TimeoutError:
            return False

    async def _discover(
        self, send: "_Send[Result]", request: ChatRequest, deadline: float, discovery: _Discovery
    ) -> Result:
        errors: list[LLMError] = []
        missing: list[_ServerRoute] = []
        for route in self._routes(request):
            if self._works.get(route) is False:
                continue
            discovery.current = route
            try:
                result = await send(route, request, deadline)
            except LLMError as error:
                if error.status not in MISSING_ROUTE_STATUSES:
                    raise
                errors.append(error)
                if isinstance(error, WrongEndpointError):
                    missing.append(route)
            else:
                self._works |= {route: True} | dict.fromkeys(missing, False)
                return result
        # An unknown model explains more than a missing route does.
        raise next((error for error in errors if isinstance(error, ModelNotFoundError)), errors[0])

    async def _send_request(self, route: _ServerRoute, request: ChatRequest, deadline: float) -> LLMResponse:
        model, config = await self._model_for(route, request, deadline), self._config_for(route)
        return await self.exchange(route.dialect, config, request, model, self._remaining(deadline))

    async def _send_stream_request(self, route: _ServerRoute, request: ChatRequest, deadline: float) -> DialectStream:
        model, config = await self._model_for(route, request, deadline), self._config_for(route)
        return await self.begin_dialect_stream(route.dialect, config, request, model, self._remaining(deadline))

    async def _model_for(self, route: _ServerRoute, request: ChatRequest, deadline: float) -> str:
        model = self.get_effective_model(request.model)
        return model if model or not route.dialect.MODEL_IN_REQUEST else await self._first_listed(route, deadline)

    async def _first_listed(self, route: _ServerRoute, deadline: float) -> str:
        models = await self._list_over(route, deadline)
        if not models:
            raise ProviderConfigurationError(
                "the server lists no model",
                provider=self.provider_name,
                advice=f"Load a model on the server, or set {self.config.model_var}.",
            )
        self._listed_model = models[0]
        return models[0]

    async def _list_over(self, route: _ServerRoute, deadline: float) -> list[str]:
        return await self.list_dialect_models(route.dialect, self._config_for(route), self._remaining(deadline))

    def _config_for(self, route: _ServerRoute) -> ProviderConfig:
        return replace(self.config, dialect=route.dialect_name, base_url=route.base_url)

    def _remaining(self, deadline: float) -> float:
        return max(deadline - self._clock.monotonic(), 0.001)

    def _discovery_timeout(self) -> ProviderTimeoutError:
        return ProviderTimeoutError(
            "another call was still detecting the server's dialect",
            provider=self.provider_name,
            phase="connect",
            advice=f"Check {self.config.base_url_var}, or name the dialect in the row.",
        )
