"""One call in flight: the candidates of its plan are tried in order until a response is accepted."""

import asyncio

from ...domain.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    LLMError,
    ProviderError,
    RejectedRequestError,
)
from ...domain.events import FellBack, HedgeStarted
from ...domain.responses import LLMResponse
from ..answers.acceptance import Evaluation, is_better
from ..planning.plan import Candidate, Plan
from ..planning.time_shares import TimeShares
from ..policies.errors import reaction
from .call_log import AttemptRecord
from .context import CallContext
from .hedging import hedged
from .outcome import Outcome, PostponedCandidate
from .retries import try_candidate


class Call:
    """One call: its plan, its log, the candidates that are left, and the outcomes so far.

    Attributes:
        deadline: Clock time of the call's end.
    """

    def __init__(self, plan: Plan, context: CallContext) -> None:
        self.plan = plan
        self.context = context
        self.log = context.log
        self.deadline = context.log.started + plan.deadline
        self._untried: tuple[Candidate, ...] = plan.candidates + plan.unavailable_candidates
        self._postponed: tuple[PostponedCandidate, ...] = ()
        self._time_shares = TimeShares(len(self._untried))
        self._position = 0
        self._causes: dict[str, LLMError] = {}
        self._best: tuple[Evaluation, Outcome] | None = None

    async def run(self) -> Outcome:
        """Return the first accepted outcome, or else the best one that may be returned.

        The candidates are tried in order within the deadline. A candidate that timed out, has to wait or got no permit
        is postponed while another one is left: it is tried again after all others.

        Raises:
            DeadlineExceededError: the deadline passed before a response.
            AllProvidersFailedError: several candidates were tried and all failed.
            LLMError: the error of the only candidate, or one that the host's policies raise at once.
        """
        clock = self.context.clock
        try:
            async with clock.timeout(self.deadline - clock.monotonic()):
                self._log_skipped_providers()
                while self._candidates_left:
                    accepted = self._record(await self._try_hedged() if self._is_hedged else [await self._try(0)])
                    if accepted is not None:
                        return accepted
                best = self._best_outcome()
                if best is None:
                    raise self.failure(is_late=clock.monotonic() >= self.deadline)
                return best
        except TimeoutError as error:
            self.log.abort_unfinished(DeadlineExceededError.__name__)
            best = self._best_outcome()
            if best is None:
                raise self.log.fail(self.failure(is_late=True)) from error
            return best
        except LLMError as error:
            self.log.fail(error)
            raise
        except BaseException as error:
            reason = "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
            self.log.abort_unfinished(reason)
            self.log.failed(reason)
            raise

    def accept(self, outcome: Outcome) -> LLMResponse:
        """Return the response of the outcome that ends the call, with all attempts; see `accept_evaluation`."""
        if outcome.evaluation is None:
            raise ProviderError("the call ended without an answer")
        return self.accept_evaluation(outcome.evaluation, outcome.record)

    def accept_evaluation(self, evaluation: Evaluation, record: AttemptRecord | None) -> LLMResponse:
        """Return the evaluated response with all attempts, its own attempt marked; emit that the call is answered."""
        if record is not None:
            self.log.mark_accepted(record)
        response = evaluation.response.with_attempts(self.log.attempts)
        self.log.answered(response)
        return response

    def failure(self, *, is_late: bool) -> LLMError:
        """Return the error of a call without a response: the only candidate's own, else one over all of them.

        Args:
            is_late: The deadline has passed.
        """
        causes = list(self._causes.values())
        last = causes[-1] if causes else None
        if last is not None and not reaction(self.context.policies.errors, last).move_on:
            return last
        if is_late or last is None:
            error: LLMError = self._deadline_error()
        elif len(causes) == 1:
            return last
        else:
            error = AllProvidersFailedError(causes)
        error.__cause__ = last
        return error

    @property
    def _candidates_left(self) -> int:
        """The number of candidates that are left, untried ones first and postponed ones after them."""
        return len(self._untried) + len(self._postponed)

    def _log_skipped_providers(self) -> None:
        """Log the providers that the plan skips for the moment; their reasons count among the causes of a failure."""
        for skipped in self.plan.skipped:
            if skipped.is_passing:
                error = skipped.error()
                self.log.skip(error)
                self._causes[error.provider] = error

    @property
    def _is_hedged(self) -> bool:
        """Whether the second candidate may be tried beside the next one, which is the first."""
        return self.plan.hedge_after is not None and self._position == 0 and len(self.plan.candidates) > 1

    async def _try(self, place: int) -> Outcome:
        """Try the candidate at `place` of those that are left, within its share of the remaining time.

        Raises:
            TimeoutError: the deadline has passed.
        """
        remaining = self.deadline - self.context.clock.monotonic()
        share = self._time_shares.share_of(self._position + place, remaining)
        if share <= 0:
            raise TimeoutError
        candidate, is_last = self._candidate(place), place == self._candidates_left - 1
        earlier = None if place < len(self._untried) else self._postponed[place - len(self._untried)]
        return await try_candidate(candidate, share, self.context, is_last=is_last, earlier=earlier)

    async def _try_hedged(self) -> list[Outcome]:
        """Try the next candidate, and the one after it too where the first has no outcome after `plan.hedge_after`."""
        delay = self.plan.hedge_after or 0.0
        first, second = self._candidate(0).route.name, self._candidate(1).route.name

        async def hedge() -> Outcome:
            self.log.emit(HedgeStarted(self.log.call, first, second, delay))
            return await self._try(1)

        def ends_call(outcome: Outcome) -> bool:
            return outcome.ends_call(self.context.policies.errors)

        outcomes = await hedged(lambda: self._try(0), hedge, delay, self.context.clock, ends_call)
        self.log.abort_unfinished("cancelled", keep=outcomes[-1].record)
        return outcomes

    def _candidate(self, place: int) -> Candidate:
        """Return the candidate at `place` of those that are left."""
        untried = len(self._untried)
        return self._untried[place] if place < untried else self._postponed[place - untried].candidate

    def _record(self, outcomes: list[Outcome]) -> Outcome | None:
        """Record the outcomes of the next candidates; return the accepted one, None to move on.

        Raises:
            LLMError: the host's acceptance policy raises such a response.
        """
        count, untried = len(outcomes), len(self._untried)
        self._position += count
        self._untried, self._postponed = self._untried[count:], self._postponed[max(0, count - untried) :]
        for outcome in outcomes:
            if outcome.postponed is not None:
                self._postpone(outcome.postponed)
        for outcome in outcomes:
            if outcome.is_accepted:
                return outcome
            self._keep(outcome)
        if outcomes[-1].ends_call(self.context.policies.errors):
            self._untried, self._postponed = (), ()
        elif self._candidates_left:
            failed, successor = outcomes[-1].candidate.route.name, self._candidate(0).route.name
            self.log.emit(FellBack(self.log.call, failed, successor, type(outcomes[-1].error).__name__))
        return None

    def _postpone(self, candidate: PostponedCandidate) -> None:
        """Add a candidate after all untried ones, in the order of the earliest next attempts."""
        place = sum(known.not_before <= candidate.not_before for known in self._postponed)
        self._postponed = (*self._postponed[:place], candidate, *self._postponed[place:])
        self._time_shares.add()

    def _keep(self, outcome: Outcome) -> None:
        """Keep the error of an outcome as a cause, and its response where it is the best so far."""
        evaluation, error = outcome.evaluation, outcome.error
        if evaluation is not None and is_better(evaluation, self._best[0] if self._best else None):
            self._best = (evaluation, outcome)
        if error is None:
            return
        self._causes.pop(error.provider, None)  # the newest error of each provider, in the order of their coming
        self._causes[error.provider] = error
        if evaluation is not None and evaluation.action == "raise":
            raise error
        if isinstance(error, RejectedRequestError):
            # A rejected request is not worth a second attempt, nor one at an unavailable provider.
            self._untried = tuple(candidate for candidate in self._untried if not candidate.obstacle)
            self._postponed = ()

    def _best_outcome(self) -> Outcome | None:
        """Return the best outcome where its response may be returned in spite of its defect."""
        if self._best is None or not self._best[0].is_presentable:
            return None
        return self._best[1]

    def _deadline_error(self) -> DeadlineExceededError:
        attempts = self.log.attempts
        used = ", ".join(f"{one.provider} {one.waited + one.duration:.2f} s ({one.outcome})" for one in attempts)
        problem = f"no answer within the deadline of {self.plan.deadline:g} s; time used by: {used or 'no provider'}"
        partial = [cause.response for cause in self._causes.values() if cause.response is not None]
        return DeadlineExceededError(problem, response=partial[-1] if partial else None)
