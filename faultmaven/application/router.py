"""LLMRouter: a provider made of providers. It runs a plan and keeps the ledger."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Unpack

from ..domain.errors import DeadlineExceededError, InvalidRequestError, LLMError
from ..domain.events import HedgeStarted
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
from .execution.hedging import hedged
from .execution.outcome import CallContext, OpenStream, Outcome
from .execution.retries import ask
from .execution.routed_stream import RoutedStream, close_all
from .planning.explanation import explained
from .planning.plan import Plan
from .planning.planner import nobody, plan
from .resilience.admission import AdmissionControl
from .reuse.response_reuse import ResponseReuse
from .validation.options import check_schema
from .validation.request import chat_request

BEHIND_SECONDS = 0.01
"""The deadline of what stands around a call comes a little after the call's own, which knows more."""

_call_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class RouterDependencies:
    """What all routers of a process share.

    Attributes:
        generation: Gives the configuration in force; asked once per call, so that a reload counts from the next one.
        reuse: Answers that are shared or kept.
    """

    generation: Callable[[], ConfigurationSnapshot]
    traffic: AdmissionControl
    reuse: ResponseReuse
    clock: Clock
    observer: Observer
    chance: Randomness


class LLMRouter(ChatProvider):
    """An `LLMProvider` that asks the configured providers in order until one answers well enough."""

    def __init__(self, parts: RouterDependencies, *, role: str | None = None, provider: str | None = None) -> None:
        """Keep what is shared; a container makes routers, by `container.llm()`.

        Args:
            parts: What all routers of a container share.
            role: Which primary to use: "chat", "multimodal", "synthesis", "classifier" or "code".
            provider: Ask this provider only.
        """
        if role is not None:
            check_role(role)
        self._parts = parts
        self._role = role
        self._pinned = provider

    @property
    def provider_name(self) -> str:
        """The pinned provider's name, or "router"."""
        return self._pinned or "router"

    def is_available(self) -> bool:
        """Return whether any provider of this router's chain is configured."""
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
        """Return who would be asked for `prompt` now, for how long, and why not the others; nothing is sent.

        Raises:
            InvalidRequestError, ConfigurationError: as `generate` would before anything is sent; a plan in which nobody
                is left raises nothing.
        """
        request = chat_request(prompt, model, max_tokens, temperature, options)
        del prompt
        generation = self._parts.generation()
        planned = plan(request, generation, self._role, self._pinned, self._parts.traffic)
        return explained(planned, generation, self._pinned)

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the first answer that will do. `attempts` lists everyone who was asked.

        Raises:
            InvalidRequestError: no provider takes what the request needs; nothing was sent.
            ConfigurationError: nothing is configured.
            DeadlineExceededError: the whole call's time is over.
            AllProvidersFailedError: several providers were planned and all failed.
            LLMError: one provider was planned; this is its own error.
        """
        parts, generation = self._parts, self._parts.generation()
        spares = parts.reuse.is_wanted(request, generation.policies)
        call = self._call(request, generation)
        if not spares:
            return call.taken(await self._carry_out(call))
        try:
            async with parts.clock.timeout(call.plan.deadline + BEHIND_SECONDS):
                return await self._reused(call, generation)
        except TimeoutError as error:
            raise self._failed(call.ledger, call.failure(is_late=True)) from error

    @asynccontextmanager
    async def open_stream(self, request: ChatRequest) -> AsyncIterator[LLMStream]:
        """Return a context that opens the answer's stream. On entry the providers are asked in order until one reaches
        the caller's commit point; the deadline ends there. Leaving early closes the connection to the vendor at once.

        Raises:
            InvalidRequestError: also for `cache=True`: streams are neither kept nor shared.
            LLMError: as `answer`; after the commit point, while iterating, the provider's own, `response` being what
                came before it.
        """
        generation = self._parts.generation()
        if request.cache:
            raise InvalidRequestError("cache=True, but a stream is neither kept nor taken from the response cache")
        opened: list[OpenStream] = []
        call = self._call(request, generation, opened)
        stream: RoutedStream | None = None
        try:
            outcome = await self._carry_out(call)
            stream = RoutedStream(call, outcome)
            yield stream
        finally:
            taken = stream.under_way if stream is not None else None
            await close_all([other for other in opened if other is not taken], call.conduct)
            if stream is not None:
                await stream.aclose()

    def _call(
        self, request: ChatRequest, generation: ConfigurationSnapshot, opened: list[OpenStream] | None = None
    ) -> Call:
        """Return the call that will answer `request`.

        Raises:
            InvalidRequestError, ConfigurationError: nobody can be asked.
        """
        parts, policies = self._parts, generation.policies
        check_schema(request, policies.schemas)
        planned = plan(request, generation, self._role, self._pinned, parts.traffic)
        ledger = CallLog(next(_call_numbers), parts.clock, parts.observer, parts.clock.monotonic())
        if not planned.candidates:
            raise self._failed(ledger, nobody(planned, generation, self._pinned))
        return Call(planned, CallContext(request, policies, parts.traffic, ledger, parts.clock, parts.chance, opened))

    async def _reused(self, call: Call, generation: ConfigurationSnapshot) -> LLMResponse:
        async def answer() -> LLMResponse:
            return call.taken(await self._carry_out(call))

        return await self._parts.reuse.answer(call.conduct.request, call.plan, generation, call.ledger, answer)

    async def _carry_out(self, call: Call) -> Outcome:
        """Run the plan within its deadline: ask the candidates in order, and return the first outcome that will do, or
        the best there was. What fails leaves with the ledger.

        Whoever is given up only because somebody else is left comes again behind all others: a call fails only when
        nobody is left to ask.
        """
        ledger, clock = call.ledger, self._parts.clock
        try:
            async with clock.timeout(call.ends - clock.monotonic()):
                call.begin()
                while call.turns:
                    outcomes = await self._hedged(call) if call.hedges else [await self._asked(call)]
                    outcome = call.pass_on(outcomes)
                    if outcome is not None:
                        return outcome
                best = call.best()
                if best is None:
                    raise call.failure(is_late=clock.monotonic() >= call.ends)
                return best
        except TimeoutError as error:
            ledger.cut(DeadlineExceededError.__name__)
            best = call.best()
            if best is None:
                raise self._failed(ledger, call.failure(is_late=True)) from error
            return best
        except LLMError as error:
            self._failed(ledger, error)
            raise
        except BaseException as error:
            reason = "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
            ledger.cut(reason)
            ledger.failed(reason)
            raise

    def _asked(self, call: Call, place: int = 0) -> Coroutine[Any, Any, Outcome]:
        """Return what asks whose turn it is, or who is at `place` behind it.

        Raises:
            TimeoutError: the deadline is here.
        """
        share = call.share(self._parts.clock.monotonic(), place)
        return ask(call.turns[place], share, call.conduct, last=place == len(call.turns) - 1)

    async def _hedged(self, call: Call) -> list[Outcome]:
        """Ask the candidate whose turn it is, and the one behind it too where the first takes long."""
        delay = call.plan.hedge_after or 0.0
        first, second = (turn.candidate.route.name for turn in call.turns[:2])

        async def hedge() -> Outcome:
            call.ledger.tell(HedgeStarted(call.ledger.call, first, second, delay))
            return await self._asked(call, 1)

        def ends(outcome: Outcome) -> bool:
            return outcome.ends_the_call(call.conduct.policies.errors)

        outcomes = await hedged(lambda: self._asked(call), hedge, delay, self._parts.clock, ends)
        call.ledger.cut("cancelled", spare=outcomes[-1].entry)
        return outcomes

    def _failed(self, ledger: CallLog, error: LLMError) -> LLMError:
        error.attempts = ledger.attempts
        ledger.failed(type(error).__name__)
        return error

    def _routes(self) -> list[Route]:
        generation = self._parts.generation()
        names = (self._pinned,) if self._pinned else generation.chains.get(self._role or "chat", ())
        return [generation.routes[name] for name in names if name in generation.routes]
