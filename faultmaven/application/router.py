"""LLMRouter: a provider made of providers. It runs a plan and keeps the ledger."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Unpack

from faultmaven.application.acceptance import Verdict, better
from faultmaven.application.attempt import Conduct, Outcome, Turn, ask
from faultmaven.application.door import chat_request
from faultmaven.application.error_policy import reaction
from faultmaven.application.explanation import explained
from faultmaven.application.face import ProviderFace
from faultmaven.application.generation import Generation, Route, check_role
from faultmaven.application.hedging import hedged
from faultmaven.application.ledger import Ledger
from faultmaven.application.plan import nobody, plan
from faultmaven.application.planned import Candidate, Plan
from faultmaven.application.reuse import AnswerReuse
from faultmaven.application.shares import Shares
from faultmaven.application.traffic import Traffic
from faultmaven.domain.chat import ChatRequest, LLMResponse, Prompt
from faultmaven.domain.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    LLMError,
    RejectedRequestError,
)
from faultmaven.domain.events import FellBack, HedgeStarted
from faultmaven.ports.clock import Clock
from faultmaven.ports.llm import Options
from faultmaven.ports.observer import Observer
from faultmaven.ports.randomness import Randomness

_call_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class RouterParts:
    """What all routers of a process share.

    Attributes:
        generation: Gives the configuration in force; asked once per call, so that a reload counts from the next one.
        reuse: Answers that are shared or kept.
    """

    generation: Callable[[], Generation]
    traffic: Traffic
    reuse: AnswerReuse
    clock: Clock
    observer: Observer
    chance: Randomness


class _Call:
    """What one call has come to so far: whose turn it is, who failed how, and the best answer there was."""

    def __init__(self, planned: Plan, conduct: Conduct) -> None:
        self.plan = planned
        self.conduct = conduct
        self.ends = conduct.ledger.started + planned.deadline
        self.turns = [Turn(candidate) for candidate in (*planned.candidates, *planned.spared)]
        self.shares = Shares(len(self.turns))
        self.position = 0
        self.causes: dict[str, LLMError] = {}
        self.best: tuple[Verdict, Outcome] | None = None

    def fail(self, error: LLMError) -> None:
        """Keep the newest error of each provider."""
        self.causes.pop(error.provider, None)
        self.causes[error.provider] = error

    def ask_later(self, turn: Turn) -> None:
        """Put a turn behind all others."""
        self.turns.append(turn)
        self.shares.add()

    def pass_on(self, turns: int) -> None:
        """Take note that so many turns are over."""
        self.turns[:turns] = []
        self.position += turns

    def ask_nobody_again(self) -> None:
        """Strike whoever is ill or was asked before: a request that a vendor finds wrong is not worth their time."""
        self.turns = [turn for turn in self.turns if turn.before is None and not turn.candidate.obstacle]


class LLMRouter(ProviderFace):
    """An `LLMProvider` that asks the configured providers in order until one answers well enough."""

    def __init__(self, parts: RouterParts, *, role: str | None = None, provider: str | None = None) -> None:
        """Args:
        role: Which primary to use, one of `generation.ROLES`.
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
        planned = plan(request, generation, self._role, self._pinned, parts.traffic)
        spares = parts.reuse.is_wanted(request, generation.policies)
        ledger = Ledger(next(_call_numbers), parts.clock, parts.observer, parts.clock.monotonic())
        if not planned.candidates:
            raise _failed(ledger, nobody(planned, generation, self._pinned))
        call = _Call(planned, Conduct(request, generation.policies, parts.traffic, ledger, parts.clock, parts.chance))
        if not spares:
            return await self._carry_out(call)
        try:
            async with parts.clock.timeout(planned.deadline):
                return await parts.reuse.answer(request, planned, generation, ledger, lambda: self._carry_out(call))
        except TimeoutError as error:
            raise _failed(ledger, _deadline_error(call)) from error

    async def _carry_out(self, call: _Call) -> LLMResponse:
        """Run the plan within its deadline; whatever comes of it leaves with the ledger."""
        ledger, clock = call.conduct.ledger, self._parts.clock
        try:
            async with clock.timeout(call.ends - clock.monotonic()):
                response = await self._run(call)
        except TimeoutError as error:
            ledger.cut(DeadlineExceededError.__name__)
            if call.best is None or not call.best[0].is_presentable:
                raise _failed(ledger, _deadline_error(call)) from error
            response = self._kept(call, *call.best)
        except LLMError as error:
            _failed(ledger, error)
            raise
        except BaseException as error:
            reason = "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
            ledger.cut(reason)
            ledger.failed(reason)
            raise
        response = replace(response, attempts=ledger.attempts)
        ledger.answered(response)
        return response

    async def _run(self, call: _Call) -> LLMResponse:
        """Ask the candidates in order; return the first answer that will do, or the best there was.

        Whoever is given up only because somebody else is left comes again behind all others: a call fails only when
        nobody is left to ask.
        """
        self._leave_alone(call)
        while call.turns:
            outcomes = await self._next(call)
            call.pass_on(len(outcomes))
            for outcome in outcomes:
                if outcome.is_good and outcome.verdict is not None:
                    return self._kept(call, outcome.verdict, outcome)
                self._note(call, outcome)
            if outcomes[-1].ends_the_call(call.conduct.policies.errors):
                break
            if call.turns:
                self._fall_back(call, outcomes[-1], call.turns[0].candidate)
        if call.best is not None and call.best[0].is_presentable:
            return self._kept(call, *call.best)
        raise self._exhausted(call)

    async def _next(self, call: _Call) -> list[Outcome]:
        """Ask the candidate whose turn it is, and the one behind it too where the call hedges."""
        delay, errors = call.plan.hedge_after, call.conduct.policies.errors
        if delay is None or call.position > 0 or len(call.plan.candidates) == 1:
            return [await self._ask(call, 0)]
        first, second = (turn.candidate.route.name for turn in call.turns[:2])

        async def hedge() -> Outcome:
            call.conduct.ledger.tell(HedgeStarted(call.conduct.ledger.call, first, second, delay))
            return await self._ask(call, 1)

        clock = self._parts.clock
        outcomes = await hedged(
            lambda: self._ask(call, 0), hedge, delay, clock, lambda outcome: outcome.ends_the_call(errors)
        )
        call.conduct.ledger.cut("cancelled")
        return outcomes

    async def _ask(self, call: _Call, place: int) -> Outcome:
        """Ask whose turn it is, or is at `place` behind it."""
        share = call.shares.of(call.position + place, call.ends - self._parts.clock.monotonic())
        if share <= 0:
            raise TimeoutError  # the deadline is here
        last = place == len(call.turns) - 1
        outcome = await ask(call.turns[place], share, call.conduct, last=last)
        if outcome.next_turn is not None:
            call.ask_later(outcome.next_turn)
        return outcome

    def _leave_alone(self, call: _Call) -> None:
        """Write down whom the plan leaves alone for the time being: they count among the causes of a failure."""
        for skipped in call.plan.skipped:
            if skipped.is_passing:
                error = skipped.error()
                call.conduct.ledger.skip(error)
                call.fail(error)

    def _note(self, call: _Call, outcome: Outcome) -> None:
        """Keep what may still be of use; raise where the host wants that."""
        if outcome.verdict is not None and better(outcome.verdict, call.best[0] if call.best else None):
            call.best = (outcome.verdict, outcome)
        if outcome.error is None:
            return
        call.fail(outcome.error)
        if outcome.verdict is not None and outcome.verdict.action == "raise":
            raise outcome.error
        if isinstance(outcome.error, RejectedRequestError):
            call.ask_nobody_again()

    def _fall_back(self, call: _Call, outcome: Outcome, successor: Candidate) -> None:
        ledger, failed = call.conduct.ledger, outcome.candidate.route.name
        ledger.tell(FellBack(ledger.call, failed, successor.route.name, type(outcome.error).__name__))

    def _exhausted(self, call: _Call) -> LLMError:
        """Return the error of a call that has no answer: a single candidate's own, else one over all of them."""
        causes = list(call.causes.values())
        last = causes[-1]
        if not reaction(call.conduct.policies.errors, last).move_on:
            return last
        if self._parts.clock.monotonic() >= call.ends:
            error: LLMError = _deadline_error(call)
        elif len(causes) == 1:
            return last
        else:
            error = AllProvidersFailedError(causes)
        error.__cause__ = last
        return error

    def _kept(self, call: _Call, verdict: Verdict, outcome: Outcome) -> LLMResponse:
        if outcome.entry is not None:
            call.conduct.ledger.keep(outcome.entry)
        return verdict.response

    def _routes(self) -> list[Route]:
        generation = self._parts.generation()
        names = (self._pinned,) if self._pinned else generation.chains.get(self._role or "chat", ())
        return [generation.routes[name] for name in names if name in generation.routes]


def _failed(ledger: Ledger, error: LLMError) -> LLMError:
    error.attempts = ledger.attempts
    ledger.failed(type(error).__name__)
    return error


def _deadline_error(call: _Call) -> DeadlineExceededError:
    lines = call.conduct.ledger.attempts
    used = ", ".join(f"{line.provider} {line.waited + line.duration:.2f} s ({line.outcome})" for line in lines)
    problem = f"no answer within the deadline of {call.plan.deadline:g} s; used by: {used or 'nobody'}"
    partial = next((cause.response for cause in reversed(call.causes.values()) if cause.response is not None), None)
    return DeadlineExceededError(problem, response=partial)
