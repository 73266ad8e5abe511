"""The facts that all attempts of one call share."""

from dataclasses import dataclass

from ...domain.requests import ChatRequest
from ...ports.clock import Clock
from ...ports.randomness import Randomness
from ..planning.requirements import answer_tokens, prompt_tokens
from ..policies.policies import Policies
from ..resilience.admission import AdmissionControl
from .call_log import CallLog
from .outcome import OpenStream


@dataclass(slots=True)
class CallContext:
    """The request, the policies and the parts that every attempt of one call uses.

    The values never change. The class is not frozen, since a frozen one takes five times as long to make.

    Attributes:
        open_streams: For a streamed call, every attempt whose stream is open; the end of the call closes all but the
            accepted one. None for a whole response.
    """

    request: ChatRequest
    policies: Policies
    admission: AdmissionControl
    log: CallLog
    clock: Clock
    random: Randomness
    open_streams: list[OpenStream] | None = None

    def expected_tokens(self) -> int:
        """Return an estimate of the tokens of one exchange; the vendor's own count corrects the limits afterwards."""
        return prompt_tokens(self.request) + answer_tokens(self.request)
