"""The outcome of trying one candidate."""

from dataclasses import dataclass

from ...domain.errors import LLMError
from ..answers.acceptance import Evaluation
from ..planning.plan import Candidate
from ..policies.errors import ErrorPolicy, reaction
from ..resilience.admission import Permit
from ..streaming.provider_stream import ProviderStream
from .call_log import AttemptRecord

# These values never change once they are made. They are not frozen, since every call makes some of each, and a frozen
# one takes five times as long.


@dataclass(slots=True)
class OpenStream:
    """An attempt whose stream has reached its commit point and is still open.

    Attributes:
        timeout: Seconds that the attempt had for its first chunk.
        permit: The permit held until the stream ends, None once it is released.
    """

    record: AttemptRecord
    stream: ProviderStream
    timeout: float
    permit: Permit | None = None


@dataclass(slots=True)
class Outcome:
    """The outcome of trying one candidate: an evaluated response, an error, both, or an open stream.

    Attributes:
        record: The record of the last attempt, None where no attempt was made.
        evaluation: The evaluated response, None where no whole response came.
        error: The error of the attempt, or the defect of its response; None for an accepted response.
        postponed: Set where the candidate was given up only because another candidate is left: the candidate as it is
            tried again after all others.
        stream: The stream that brought the response; at its end where there is an evaluation, else at its commit point.
        open_stream: The attempt behind a stream that is not at its end.
    """

    candidate: Candidate
    record: AttemptRecord | None = None
    evaluation: Evaluation | None = None
    error: LLMError | None = None
    postponed: "PostponedCandidate | None" = None
    stream: ProviderStream | None = None
    open_stream: OpenStream | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the caller gets this response."""
        return self.open_stream is not None or (self.evaluation is not None and self.evaluation.action == "accept")

    def ends_call(self, errors: ErrorPolicy) -> bool:
        """Return whether no further candidate is tried: the response is accepted or raised, or the error stops."""
        if self.open_stream is not None or (self.evaluation is not None and self.evaluation.action != "move_on"):
            return True
        return self.error is not None and not reaction(errors, self.error).move_on


@dataclass(slots=True)
class PostponedCandidate:
    """A candidate that is tried once more after all others.

    Attributes:
        attempts: The number of attempts at this candidate so far.
        outcome: The outcome of trying the candidate before.
        not_before: Clock time of the earliest next attempt, from the vendor's delay or the backoff.
    """

    candidate: Candidate
    attempts: int
    outcome: Outcome
    not_before: float = 0.0
