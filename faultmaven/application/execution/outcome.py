"""What came of asking a candidate, and what it may have when nobody else is left."""

from dataclasses import dataclass

from ...domain.errors import LLMError
from ...domain.requests import ChatRequest
from ...ports.clock import Clock
from ...ports.randomness import Randomness
from ..answers.acceptance import Evaluation
from ..planning.plan import Candidate, PendingCandidate
from ..planning.requirements import answer_tokens, prompt_tokens
from ..policies.errors import ErrorPolicy, reaction
from ..policies.policies import Policies
from ..resilience.admission import AdmissionControl, Permit
from ..streaming.provider_stream import ProviderStream
from .call_log import AttemptRecord, CallLog

# The values here change no more once they are made. They are not frozen, since every call makes some of each, and a
# frozen one takes five times as long.


@dataclass(slots=True)
class OpenStream:
    """An attempt whose stream has reached its commit point and is still under way.

    Attributes:
        admission: The leave that it holds until it is over.
        timeout: Seconds that it had for its first chunk.
    """

    entry: AttemptRecord
    live: ProviderStream
    timeout: float
    admission: Permit | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a turn: an answer with its verdict, or the error that it amounts to, or both; or an open stream.

    Attributes:
        live: The stream that the answer came as: over, where there is a verdict, else at its commit point.
        under_way: The attempt behind a stream that is not over.
        entry: The place of the last attempt in the ledger, None where nothing was asked.
        next_turn: Set where the candidate was given up only because somebody else is left: what it may have when nobody
            is any more.
    """

    candidate: Candidate
    entry: AttemptRecord | None = None
    verdict: Evaluation | None = None
    error: LLMError | None = None
    next_turn: PendingCandidate | None = None
    live: ProviderStream | None = None
    under_way: OpenStream | None = None

    @property
    def is_good(self) -> bool:
        """Whether its answer is taken."""
        return self.under_way is not None or (self.verdict is not None and self.verdict.action == "accept")

    def ends_the_call(self, errors: ErrorPolicy) -> bool:
        """Whether nobody else is asked after it: a good answer, one that is to be raised, an error that stops."""
        if self.under_way is not None or (self.verdict is not None and self.verdict.action != "move_on"):
            return True
        return self.error is not None and not reaction(errors, self.error).move_on


@dataclass(slots=True)
class CallContext:
    """What all attempts of one call have in common.

    Attributes:
        opened: Where answers are wanted as streams, every attempt whose stream is under way: whoever ends the call
            closes all but the one that is taken. None where they are wanted whole.
    """

    request: ChatRequest
    policies: Policies
    traffic: AdmissionControl
    ledger: CallLog
    clock: Clock
    chance: Randomness
    opened: list[OpenStream] | None = None

    def expected_tokens(self) -> int:
        """Return about how many tokens an exchange will have; the vendor's own count corrects it afterwards."""
        return prompt_tokens(self.request) + answer_tokens(self.request)
