"""LLMRouter: a provider made of providers. It runs a plan and keeps the ledger."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from faultmaven.application.acceptance import is_confident
from faultmaven.application.attempt import Outcome, attempt
from faultmaven.application.face import ProviderFace
from faultmaven.application.plan import Candidate, Generation, Plan, Route, check_role, plan, share
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import AllProvidersFailedError, DeadlineExceededError, LLMError
from faultmaven.domain.events import AttemptEnded, AttemptStarted, CallAnswered, CallFailed, Event, FellBack
from faultmaven.ports.clock import Clock
from faultmaven.ports.observer import Observer

_call_numbers = itertools.count(1)


@dataclass(slots=True)
class _Call:
    """What one call has seen so far."""

    number: int
    started: float
    attempts: list[Attempt] = field(default_factory=list)
    causes: list[LLMError] = field(default_factory=list)
    best: LLMResponse | None = None
    kept: int = 0
    pending: Candidate | None = None
    pending_since: float = 0.0

    def keep(self, response: LLMResponse) -> None:
        """Keep `response`, the newest attempt's."""
        self.best, self.kept = response, len(self.attempts) - 1


class LLMRouter(ProviderFace):
    """An `LLMProvider` that asks the configured providers in order until one answers well enough."""

    def __init__(
        self,
        generation: Callable[[], Generation],
        clock: Clock,
        observer: Observer,
        *,
        role: str | None = None,
        provider: str | None = None,
    ) -> None:
        """Args:
        generation: Gives the configuration in force; asked once per call, so that a reload counts from the next one.
        role: Which primary to use, one of `plan.ROLES`.
        provider: Ask this provider only.
        """
        if role is not None:
            check_role(role)
        self._generation = generation
        self._clock = clock
        self._observer = observer
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

    def plan(self, request: ChatRequest) -> Plan:
        """Return who would be asked for `request`, without asking."""
        return plan(request, self._generation(), self._role, self._pinned)

    async def answer(self, request: ChatRequest) -> LLMResponse:
        """Return the first answer that will do. `attempts` lists everyone who was asked.

        Raises:
            InvalidRequestError: no provider takes what the request needs; nothing was sent.
            ConfigurationError: nothing is configured.
            DeadlineExceededError: the whole call's time is over.
            AllProvidersFailedError: several providers were planned and all failed.
            LLMError: one provider was planned; this is its own error.
        """
        generation = self._generation()
        planned = plan(request, generation, self._role, self._pinned)
        if request.timeout is not None:  # a router that is itself a candidate keeps the time it was given
            planned = replace(planned, deadline=min(planned.deadline, request.timeout))
        call = _Call(next(_call_numbers), self._clock.monotonic())
        try:
            async with self._clock.timeout(planned.deadline):
                response = await self._run(planned, request, call, generation.confidence_threshold)
        except TimeoutError as error:
            self._close_pending(call, DeadlineExceededError.__name__)
            if call.best is None:
                raise self._failed(call, _deadline_error(planned, call)) from error
            response = call.best
        except LLMError as error:
            self._failed(call, error)
            raise
        except asyncio.CancelledError:
            self._close_pending(call, "cancelled")
            self._tell(CallFailed(call.number, "cancelled", tuple(call.attempts), self._elapsed(call)))
            raise
        return self._answered(call, response)

    async def _run(self, planned: Plan, request: ChatRequest, call: _Call, threshold: float) -> LLMResponse:
        """Ask the candidates in order; return the first answer that will do, or the best there was."""
        ends = call.started + planned.deadline
        candidates = planned.candidates
        for position, candidate in enumerate(candidates):
            successors = candidates[position + 1 :]
            allowed = min(candidate.timeout, share(ends - self._clock.monotonic(), len(successors)))
            outcome = await self._attempt(candidate, request, allowed, call)
            if outcome.answer is not None:
                if is_confident(outcome.answer, candidate.route, threshold):
                    call.keep(outcome.answer)
                    return outcome.answer
                if call.best is None or outcome.answer.confidence > call.best.confidence:
                    call.keep(outcome.answer)
            if outcome.error is not None:
                call.causes.append(outcome.error)
                if not outcome.error.elsewhere:
                    break
            if successors:
                reason = type(outcome.error).__name__ if outcome.error else "low confidence"
                self._tell(FellBack(call.number, candidate.route.name, successors[0].route.name, reason))
        if call.best is not None:
            return call.best
        raise self._exhausted(planned, call)

    def _exhausted(self, planned: Plan, call: _Call) -> LLMError:
        """Return the error of a call that has no answer: a single candidate's own, else one over all of them."""
        last = call.causes[-1]
        if not last.elsewhere:
            return last
        if self._elapsed(call) >= planned.deadline:
            error: LLMError = _deadline_error(planned, call)
        elif len(planned.candidates) == 1:
            return last
        else:
            error = AllProvidersFailedError(call.causes)
        error.__cause__ = last
        return error

    async def _attempt(self, candidate: Candidate, request: ChatRequest, allowed: float, call: _Call) -> Outcome:
        number = len(call.attempts) + 1
        name, model = candidate.route.name, candidate.effective_model
        self._tell(AttemptStarted(call.number, number, name, model, allowed))
        call.pending, call.pending_since = candidate, self._clock.monotonic()
        outcome = await attempt(candidate, request, allowed, self._clock)
        call.pending = None
        call.attempts.append(outcome.attempt)
        self._tell(AttemptEnded(call.number, number, outcome.attempt))
        return outcome

    def _close_pending(self, call: _Call, outcome: str) -> None:
        """Give the attempt that was cut off its line in the ledger."""
        if call.pending is None:
            return
        candidate, call.pending = call.pending, None
        duration = self._clock.monotonic() - call.pending_since
        name, model = candidate.route.name, candidate.effective_model
        line = Attempt(name, model, outcome, duration=duration, notes=candidate.notes)
        call.attempts.append(line)
        self._tell(AttemptEnded(call.number, len(call.attempts), line))

    def _answered(self, call: _Call, response: LLMResponse) -> LLMResponse:
        call.attempts[call.kept] = replace(call.attempts[call.kept], kept=True)
        attempts = tuple(call.attempts)
        response = replace(response, attempts=attempts)
        self._tell(
            CallAnswered(
                call.number,
                response.provider,
                response.model,
                attempts,
                self._elapsed(call),
                response.stop_reason.value,
                response.usage,
            )
        )
        return response

    def _failed(self, call: _Call, error: LLMError) -> LLMError:
        error.attempts = tuple(call.attempts)
        self._tell(CallFailed(call.number, type(error).__name__, error.attempts, self._elapsed(call)))
        return error

    def _tell(self, event: Event) -> None:
        """Tell the observer; one that raises costs nobody an answer, and the event loop reports what it raised."""
        try:
            self._observer(event)
        except Exception as error:  # noqa: BLE001 - an observer is the host's code; the loop's handler gets its error
            told = {"message": f"faultmaven: the observer raised on {type(event).__name__}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    def _elapsed(self, call: _Call) -> float:
        return self._clock.monotonic() - call.started

    def _routes(self) -> list[Route]:
        generation = self._generation()
        names = (self._pinned,) if self._pinned else generation.chains.get(self._role or "chat", ())
        return [generation.routes[name] for name in names if name in generation.routes]


def _deadline_error(planned: Plan, call: _Call) -> DeadlineExceededError:
    used = ", ".join(f"{line.provider} {line.duration:.2f} s ({line.outcome})" for line in call.attempts)
    problem = f"no answer within the deadline of {planned.deadline:g} s; used by: {used or 'nobody'}"
    partial = next((cause.response for cause in reversed(call.causes) if cause.response is not None), None)
    return DeadlineExceededError(problem, response=partial)
