"""One call on its way through a plan: whose turn it is, who failed how, and what it comes to in the end."""

from ...domain.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    LLMError,
    ProviderError,
    RejectedRequestError,
)
from ...domain.events import FellBack
from ...domain.responses import LLMResponse
from ..answers.acceptance import Evaluation, better
from ..planning.plan import PendingCandidate, Plan
from ..planning.time_shares import TimeShares
from ..policies.errors import reaction
from .call_log import AttemptRecord
from .outcome import CallContext, Outcome


class Call:
    """What one call has come to so far.

    Attributes:
        ends: When its deadline is, on the clock.
        turns: Whose turn it is, first to last.
        position: How many turns are over.
    """

    def __init__(self, planned: Plan, conduct: CallContext) -> None:
        self.plan = planned
        self.conduct = conduct
        self.ledger = conduct.ledger
        self.ends = conduct.ledger.started + planned.deadline
        self.turns = list(planned.turns)
        self.shares = TimeShares(len(self.turns))
        self.position = 0
        self._causes: dict[str, LLMError] = {}
        self._best: tuple[Evaluation, Outcome] | None = None

    def begin(self) -> None:
        """Write down whom the plan leaves alone for the time being: they count among the causes of a failure."""
        for skipped in self.plan.skipped:
            if skipped.is_passing:
                error = skipped.error()
                self.ledger.skip(error)
                self._causes[error.provider] = error

    @property
    def hedges(self) -> bool:
        """Whether the second candidate may be asked beside the first now."""
        return self.plan.hedge_after is not None and self.position == 0 and len(self.plan.candidates) > 1

    def share(self, now: float, place: int = 0) -> float:
        """Return the seconds for whose turn it is, or who is at `place` behind it.

        Raises:
            TimeoutError: the deadline is here.
        """
        share = self.shares.of(self.position + place, self.ends - now)
        if share <= 0:
            raise TimeoutError
        return share

    def ask_later(self, turn: PendingCandidate) -> None:
        """Put a turn behind all first ones; those who come again stand in the order in which they may be asked."""
        earlier = [known.before is None or known.not_before <= turn.not_before for known in self.turns]
        self.turns.insert(len(earlier) if all(earlier) else earlier.index(False), turn)
        self.shares.add()

    def pass_on(self, outcomes: list[Outcome]) -> Outcome | None:
        """Take note of what came of the next turns; return the one whose answer is taken, None to go on.

        Raises:
            LLMError: the host wants such an answer to be raised.
        """
        self.turns[: len(outcomes)] = []
        self.position += len(outcomes)
        for outcome in outcomes:
            if outcome.next_turn is not None:
                self.ask_later(outcome.next_turn)
        for outcome in outcomes:
            if outcome.is_good:
                return outcome
            self._note(outcome)
        if outcomes[-1].ends_the_call(self.conduct.policies.errors):
            self.turns.clear()
        elif self.turns:
            failed, successor = outcomes[-1].candidate.route.name, self.turns[0].candidate.route.name
            self.ledger.tell(FellBack(self.ledger.call, failed, successor, type(outcomes[-1].error).__name__))
        return None

    def best(self) -> Outcome | None:
        """Return the best outcome so far, where its answer may be returned although something is wrong with it."""
        if self._best is None or not self._best[0].is_presentable:
            return None
        return self._best[1]

    def taken(self, outcome: Outcome) -> LLMResponse:
        """Return the answer of the outcome that ends the call; see `kept`."""
        if outcome.verdict is None:
            raise ProviderError("the call ended without an answer")
        return self.kept(outcome.verdict, outcome.entry)

    def kept(self, verdict: Evaluation, entry: AttemptRecord | None) -> LLMResponse:
        """Return the answer that is taken, with the whole ledger, in which its line is marked; the observer hears."""
        if entry is not None:
            self.ledger.keep(entry)
        response = verdict.response.with_attempts(self.ledger.attempts)
        self.ledger.answered(response)
        return response

    def failure(self, *, is_late: bool) -> LLMError:
        """Return the error of a call that has no answer: a single provider's own, else one over all of them.

        Args:
            is_late: Its deadline is over.
        """
        causes = list(self._causes.values())
        last = causes[-1] if causes else None
        if last is not None and not reaction(self.conduct.policies.errors, last).move_on:
            return last
        if is_late or last is None:
            error: LLMError = self._deadline_error()
        elif len(causes) == 1:
            return last
        else:
            error = AllProvidersFailedError(causes)
        error.__cause__ = last
        return error

    def _note(self, outcome: Outcome) -> None:
        """Keep what may still be of use."""
        verdict, error = outcome.verdict, outcome.error
        if verdict is not None and better(verdict, self._best[0] if self._best else None):
            self._best = (verdict, outcome)
        if error is None:
            return
        self._causes.pop(error.provider, None)  # the newest of each provider, in the order in which they came
        self._causes[error.provider] = error
        if verdict is not None and verdict.action == "raise":
            raise error
        if isinstance(error, RejectedRequestError):
            # A request that a vendor finds wrong is not worth the time of those who are ill or were asked before.
            self.turns = [turn for turn in self.turns if turn.before is None and not turn.candidate.obstacle]

    def _deadline_error(self) -> DeadlineExceededError:
        lines = self.ledger.attempts
        used = ", ".join(f"{line.provider} {line.waited + line.duration:.2f} s ({line.outcome})" for line in lines)
        problem = f"no answer within the deadline of {self.plan.deadline:g} s; used by: {used or 'nobody'}"
        partial = [cause.response for cause in self._causes.values() if cause.response is not None]
        return DeadlineExceededError(problem, response=partial[-1] if partial else None)
