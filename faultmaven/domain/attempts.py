"""The ledger: one line for each provider that was asked."""

from dataclasses import dataclass

from .usage import Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened when one provider was asked once. Times are in seconds.

    Attributes:
        provider: The provider's name, as the registry knows it.
        model: The model that was sent; "" when the server decides.
        outcome: "answered", the name of the error class, "cancelled", or "cached" for an answer of the response cache.
            `CircuitOpenError` and `LimitReachedError` are providers that were left alone: nothing was sent.
        status: HTTP status, None when no reply came.
        request_id: The vendor's own id of the exchange, "" when it gave none.
        waited: Time spent before sending: backoff, the vendor's Retry-After, and the queue of a limit.
        time_to_headers: From sending to the reply's headers, None when none came.
        time_to_first_token: From sending to the first token; None where the answer came whole.
        duration: From the start of the attempt to its end.
        usage: Tokens the vendor counted, None when it did not say.
        kept: True for the attempt whose answer the caller got.
        notes: What was changed or left out for this provider, each as one sentence.
        error: One line of what went wrong, "" when nothing did. An answer that is kept although something is wrong
            with it (cut, or of low confidence, and nothing better came) has it too.
        limited_for: Seconds for which the vendor's own rate-limit headers leave nothing, None when they do not say so.
    """

    provider: str
    model: str = ""
    outcome: str = "answered"
    status: int | None = None
    request_id: str = ""
    waited: float = 0.0
    time_to_headers: float | None = None
    time_to_first_token: float | None = None
    duration: float = 0.0
    usage: Usage | None = None
    kept: bool = False
    notes: tuple[str, ...] = ()
    error: str = ""
    limited_for: float | None = None

    def as_kept(self) -> "Attempt":
        """Return it as the one whose answer the caller got. Written out, since every call has one."""
        return Attempt(
            self.provider,
            self.model,
            self.outcome,
            self.status,
            self.request_id,
            self.waited,
            self.time_to_headers,
            self.time_to_first_token,
            self.duration,
            self.usage,
            True,
            self.notes,
            self.error,
            self.limited_for,
        )
