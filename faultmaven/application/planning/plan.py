"""The plan of a request as a value: candidates with shares of the deadline, and skipped providers with reasons."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ...domain.errors import CircuitOpenError, InvalidRequestError, LimitReachedError, LLMError
from ..configuration import Route, Target

SkipKind: TypeAlias = Literal[
    "not configured",
    "unconfigured row",
    "not in the chain",
    "strict mode",
    "capability",
    "context",
    "breaker",
    "limit",
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider that a request tries.

    Attributes:
        model: The requested model, None where the provider uses its own.
        timeout: Seconds for one attempt.
        share: Seconds for all attempts and waits in the worst case, when every candidate before hangs.
        fair_timeout: Seconds that an attempt needs before a timeout counts against the provider: a caller's own short
            deadline is not the provider's fault.
        obstacle: The reason for which the provider is unavailable, "" when it is available.
    """

    route: Route
    model: str | None
    timeout: float
    notes: tuple[str, ...] = ()
    share: float = float("inf")
    fair_timeout: float = 0.0
    obstacle: str = ""

    def timed(self, share: float, usual: float) -> "Candidate":
        """Return the candidate with its share of the deadline.

        Args:
            usual: The share of the first candidate under the configured deadline.
        """
        fair = min(self.timeout, usual)
        return Candidate(self.route, self.model, self.timeout, self.notes, share, fair, self.obstacle)

    @property
    def target(self) -> Target:
        """The provider's name and the effective model."""
        return self.route.name, self.effective_model

    @property
    def identity(self) -> tuple[str, str, str]:
        """The provider, the model and the address: two candidates of one identity give the same answers."""
        return *self.target, self.route.origin

    @property
    def last_resort(self) -> bool:
        """Whether the provider is unavailable: it is tried after all available ones, or because there are none."""
        return bool(self.obstacle)

    @property
    def effective_model(self) -> str:
        """The model of the request, "" when the server decides."""
        return self.model or self.route.own_model

    def __str__(self) -> str:
        """Return provider, model and times in one line of text."""
        model = f" ({self.effective_model})" if self.effective_model else ""
        retries = f"{self.route.max_retries} {'retry' if self.route.max_retries == 1 else 'retries'}"
        attempt = f"each attempt {min(self.timeout, self.share):.3g} s at most"
        text = f"{self.route.name}{model}: share {self.share:.3g} s, {attempt}, {retries}"
        return f"{text}; last resort, since every provider is unavailable ({self.obstacle})" if self.obstacle else text

    def as_object(self) -> dict[str, Any]:
        """Return the candidate as a JSON object; times are in seconds."""
        return {
            "provider": self.route.name,
            "model": self.effective_model,
            "share": round(self.share, 3),
            "timeout": round(min(self.timeout, self.share), 3),
            "max_retries": self.route.max_retries,
            "obstacle": self.obstacle,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """One provider that a request skips, and the reason.

    Attributes:
        reason: One clause.
        model: The model that would have been tried, "" where no model was chosen.
        clears_in: Seconds until the reason passes, None where that is unknown.
    """

    name: str
    reason: str
    kind: SkipKind
    model: str = ""
    clears_in: float | None = None

    def __str__(self) -> str:
        """Return provider and reason in one line of text."""
        return f"{self.name}: {self.reason}" + ("; tried if all others fail" if self.is_passing else "")

    @property
    def is_passing(self) -> bool:
        """Whether the reason passes by itself: a circuit breaker or a limit, not a missing feature or setting."""
        return self.kind in ("breaker", "limit")

    def as_object(self) -> dict[str, Any]:
        """Return the skipped provider as a JSON object."""
        facts = {"provider": self.name, "model": self.model, "kind": self.kind, "reason": self.reason}
        return {**facts, "clears_in": self.clears_in}

    def error(self) -> LLMError:
        """Return the error of a call that had this provider alone."""
        if self.kind == "breaker":
            return CircuitOpenError(self.reason, provider=self.name, model=self.model, retry_after=self.clears_in)
        if self.kind == "limit":
            return LimitReachedError(self.reason, provider=self.name, model=self.model, retry_after=self.clears_in)
        return InvalidRequestError(self.reason, provider=self.name)


@dataclass(frozen=True, slots=True)
class Plan:
    """The candidates of a request in order, the skipped providers, and the deadline of the call.

    Attributes:
        deadline: Seconds for the whole call.
        hedge_after: Seconds after which the second candidate is tried beside the first, None for one after the other.
        unavailable_candidates: Skipped providers that are only unavailable for the moment: tried after all others.
        possible_answerers: The identity of every candidate that could answer, available or not, in the chain's order.
    """

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    deadline: float
    hedge_after: float | None = None
    unavailable_candidates: tuple[Candidate, ...] = ()
    possible_answerers: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Return the plan as lines of text, as `faultmaven explain` prints them."""
        lines = [f"deadline {self.deadline:g} s for the whole call"]
        if self.hedge_after is not None and len(self.candidates) > 1:
            lines.append(f"hedged: the second candidate is tried beside the first after {self.hedge_after:g} s")
        for number, candidate in enumerate(self.candidates, start=1):
            lines += [f"{number}. {candidate}", *(f"   {note}" for note in candidate.notes)]
        if not self.candidates:
            lines.append("no provider would be tried")
        lines += [f"-  {skipped}" for skipped in self.skipped if skipped.kind != "unconfigured row"]
        unset = [skipped.name for skipped in self.skipped if skipped.kind == "unconfigured row"]
        return "\n".join([*lines, *([f"not configured: {', '.join(unset)}"] if unset else [])])

    def as_object(self) -> dict[str, Any]:
        """Return the plan as a JSON object; times are in seconds.

        ```text
        {"deadline": 120.0, "hedge_after": null,
         "candidates": [{"provider", "model", "share", "timeout", "max_retries", "obstacle", "notes"}],
         "skipped": [{"provider", "model", "kind", "reason", "clears_in"}]}
        ```
        """
        candidates = [candidate.as_object() for candidate in self.candidates]
        skipped = [provider.as_object() for provider in self.skipped]
        return {
            "deadline": self.deadline,
            "hedge_after": self.hedge_after,
            "candidates": candidates,
            "skipped": skipped,
        }
