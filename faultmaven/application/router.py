"""LLMRouter: a provider made of providers. The router plans a request and runs the plan."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Unpack

from ..domain.errors import InvalidRequestError
from ..domain.messages import Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse
from ..ports.clock import Clock
from ..ports.llm import LLMStream, Options
from ..ports.observer import Observer
from ..ports.randomness import Randomness
from .chat_provider import ChatProvider
from .configuration import ConfigurationSnapshot, Route, check_role
from .execution.call import Call
from .execution.call_log import CallLog
from .execution.context import CallContext
from .execution.outcome import OpenStream
from .execution.routed_stream import RoutedStream, close_streams
from .planning.explanation import explain_plan
from .planning.plan import Plan
from .planning.planner import no_candidate_error, plan_request
from .resilience.admission import AdmissionControl
from .reuse.response_reuse import ResponseReuse
from .validation.options import check_schema
from .validation.request import build_chat_request

REUSE_GRACE_SECONDS = 0.01
"""The timeout around a reused call ends this much after the call's own deadline, whose error says more."""

_call_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class RouterDependencies:
    """The parts that all routers of a container share.

    Attributes:
        configuration: Returns the current configuration; read once per call: a reload applies from the next call.
        admission: Circuit breakers, limits and retry budgets.
        reuse: The response cache and the sharing of identical calls.
    """

    configuration: Callable[[], ConfigurationSnapshot]
    admission: AdmissionControl
    reuse: ResponseReuse
    clock: Clock
    observer: Observer
    random: Randomness


class LLMRouter(ChatProvider):
    """An `LLMProvider` that tries the configured providers in order until one gives an acceptable response."""

    def __init__(
        self, dependencies: RouterDependencies, *, role: str | None = None, provider: str | None = None
    ) -> None:
        """Keep the shared parts; `container.llm()` makes routers.

        Args:
            dependencies: The parts that all routers of a container share.
            role: The role whose primary is tried first: "chat", "multimodal", "synthesis", "classifier" or "code".
            provider: The only provider to try.
        """
        if role is not None:
            check_role(role)
        self._dependencies = dependencies
        self._role = role
        self._pinned = provider

    @property
    def provider_name(self) -> str:
        """The pinned provider's name, or "router"."""
        return self._pinned or "router"

    def is_available(self) -> bool:
        """Return whether a provider of this router's chain is configured."""
        return bool(self._routes())

    def get_supported_models(self) -> list[str]:
        """Return the models of the configured providers, in chain order, each once."""
        return list(dict.fromkeys(model for route in self._routes() for model in route.models))

    def explain(
        self,
        prompt: Prompt,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        **options: Unpack[Options],
    ) -> Plan:
        """Return the plan for `prompt`: the candidates with their times, and every skipped provider with the reason.

        Nothing is sent.

        Raises:
            InvalidRequestError, ConfigurationError: as `generate` before anything is sent; a plan without candidates
                raises nothing.
        """
        request = build_chat_request(prompt, model, max_tokens, temperature, options)
        del prompt
        configuration = self._dependencies.configuration()
        plan = plan_request(request, configuration, self._role, self._pinned, self._dependencies.admission)
        return explain_plan(plan, configuration, self._pinned)

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the first acceptable response. Its `attempts` list every provider that was tried.

        Raises:
            InvalidRequestError: no provider can carry the request; nothing was sent.
            ConfigurationError: no provider is configured.
            DeadlineExceededError: the deadline of the whole call passed.
            AllProvidersFailedError: several providers were planned and all failed.
            LLMError: the error of the only planned provider.
        """
        dependencies, configuration = self._dependencies, self._dependencies.configuration()
        can_reuse = dependencies.reuse.is_enabled(request, configuration.policies)
        call = self._plan_call(request, configuration)
        if not can_reuse:
            return call.accept(await call.run())
        try:
            async with dependencies.clock.timeout(call.plan.deadline + REUSE_GRACE_SECONDS):
                return await dependencies.reuse.answer(call, configuration)
        except TimeoutError as error:
            raise call.log.fail(call.failure(is_late=True)) from error

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Return a context that opens the response's stream.

        On entry the providers are tried in order until one reaches the caller's commit point; the deadline ends there.
        Leaving the context early closes the connection to the vendor at once.

        Raises:
            InvalidRequestError: also for `cache=True`: streams are neither cached nor shared.
            LLMError: as `answer`; after the commit point, while iterating, the provider's own error, whose `response`
                holds the partial answer.
        """
        configuration = self._dependencies.configuration()
        if request.cache:
            raise InvalidRequestError("cache=True, but the response cache does not hold streams")
        open_streams: list[OpenStream] = []
        call = self._plan_call(request, configuration, open_streams)
        stream: RoutedStream | None = None
        try:
            stream = RoutedStream(call, await call.run())
            yield stream
        finally:
            accepted = stream.open_stream if stream is not None else None
            await close_streams([other for other in open_streams if other is not accepted], call.context)
            if stream is not None:
                await stream.aclose()

    def _plan_call(
        self,
        request: ChatRequest,
        configuration: ConfigurationSnapshot,
        open_streams: list[OpenStream] | None = None,
    ) -> Call:
        """Return the planned call for `request`.

        Raises:
            InvalidRequestError, ConfigurationError: the plan has no candidates.
        """
        parts, policies = self._dependencies, configuration.policies
        check_schema(request, policies.schemas)
        plan = plan_request(request, configuration, self._role, self._pinned, parts.admission)
        log = CallLog(next(_call_numbers), parts.clock, parts.observer, parts.clock.monotonic())
        if not plan.candidates:
            raise log.fail(no_candidate_error(plan, configuration, self._pinned))
        return Call(plan, CallContext(request, policies, parts.admission, log, parts.clock, parts.random, open_streams))

    def _routes(self) -> list[Route]:
        configuration = self._dependencies.configuration()
        names = (self._pinned,) if self._pinned else configuration.chains.get(self._role or "chat", ())
        return [configuration.routes[name] for name in names if name in configuration.routes]
