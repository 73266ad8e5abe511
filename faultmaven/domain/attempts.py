"""The ledger of a call: one `Attempt` for each request to a provider and for each skipped provider."""

from dataclasses import dataclass

from .usage import Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """The record of one request to one provider. Times are in seconds.

    Attributes:
        provider: The provider's name in the registry.
        model: The requested model; "" when the server chooses the model.
        outcome: "answered", the name of the error class, "cancelled", or "cached" for a response from the cache.
            `CircuitOpenError` and `LimitReachedError` mark skipped providers: nothing was sent.
        status: The HTTP status, None without a reply.
        request_id: The vendor's own id of the request, "" when the vendor sent none.
        waited: Time before sending: backoff, the vendor's Retry-After, and the queue of a limit.
        time_to_headers: From sending to the reply's headers, None without a reply.
        time_to_first_token: From sending to the first token; None for a response that was not streamed.
        duration: From the start of the attempt to its end.
        usage: The tokens that the vendor counted, None when the vendor reported none.
        kept: True for the attempt whose response the caller got.
        notes: Changes to the request for this provider, one sentence each.
        error: The failure in one line, "" for none. Also set for a kept response with a flaw, such as a truncated one
            when no provider sent a better one.
        limited_for: Seconds until the vendor's rate-limit headers allow another request, None when the headers announce
            no such wait.
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
        """Return a copy with `kept` set. Each field is written out for speed, since every call makes one copy."""
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
