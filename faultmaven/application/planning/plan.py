"""A plan as a value: who will be asked and for how long, and who will not and why. `str()` tells it to people."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...domain.errors import CircuitOpenError, InvalidRequestError, LimitReachedError, LLMError
from ..configuration import Route, Target

if TYPE_CHECKING:
    from ..execution.outcome import Outcome

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
    """One provider that will be asked.

    Attributes:
        model: None where it uses its own.
        timeout: Seconds for one attempt.
        share: Seconds for all its attempts and waits, when every candidate before it hangs.
        fair_timeout: Seconds that an attempt must have had before a timeout counts against the provider: a caller's own
            short deadline is no fault of it.
        obstacle: Why it would be left alone if anybody else were well; "" when it is well itself.
    """

    route: Route
    model: str | None
    timeout: float
    notes: tuple[str, ...] = ()
    share: float = float("inf")
    fair_timeout: float = 0.0
    obstacle: str = ""

    def timed(self, share: float, usual: float) -> "Candidate":
        """Return it with its share of the deadline; `usual` is what the configured deadline gives the first one."""
        fair = min(self.timeout, usual)
        return Candidate(self.route, self.model, self.timeout, self.notes, share, fair, self.obstacle)

    @property
    def target(self) -> Target:
        """The provider's name and the model that will be asked."""
        return self.route.name, self.effective_model

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells whose answer it is: the provider, the model, and where it is asked."""
        return *self.target, self.route.origin

    @property
    def last_resort(self) -> bool:
        """Whether it is not well, and is asked because nobody is."""
        return bool(self.obstacle)

    @property
    def effective_model(self) -> str:
        """The model that will be asked, "" when the server decides."""
        return self.model or self.route.own_model

    def __str__(self) -> str:
        """Return who it is and what it may use, in one line."""
        model = f" ({self.effective_model})" if self.effective_model else ""
        retries = f"{self.route.max_retries} {'retry' if self.route.max_retries == 1 else 'retries'}"
        attempt = f"each attempt {min(self.timeout, self.share):.3g} s at most"
        told = f"{self.route.name}{model}: share {self.share:.3g} s, {attempt}, {retries}"
        return f"{told}; nobody is well, so it is the last resort ({self.obstacle})" if self.obstacle else told

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
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
    """One provider that will not be asked, and why. `model` is "" where it was not come to that."""

    name: str
    reason: str
    kind: SkipKind
    model: str = ""
    clears_in: float | None = None

    def __str__(self) -> str:
        """Return who it is and why, in one line."""
        return f"{self.name}: {self.reason}" + ("; asked if all others fail" if self.is_passing else "")

    @property
    def is_passing(self) -> bool:
        """Whether it may well be asked the next time: it is ill or busy, and neither unfit nor unconfigured."""
        return self.kind in ("breaker", "limit")

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        facts = {"provider": self.name, "model": self.model, "kind": self.kind, "reason": self.reason}
        return {**facts, "clears_in": self.clears_in}

    def error(self) -> LLMError:
        """Return what a call would raise for this provider alone."""
        if self.kind == "breaker":
            return CircuitOpenError(self.reason, provider=self.name, model=self.model, retry_after=self.clears_in)
        if self.kind == "limit":
            return LimitReachedError(self.reason, provider=self.name, model=self.model, retry_after=self.clears_in)
        return InvalidRequestError(self.reason, provider=self.name)


@dataclass(slots=True)
class PendingCandidate:
    """A candidate whose turn it is. It changes no more once it is made: calls share those of their plan.

    Attributes:
        made: How often it was asked in this call before.
        not_before: When it may be asked again at the earliest, as its vendor or the backoff has it.
        before: What came of its turn before, None on the first one.
    """

    candidate: Candidate
    made: int = 0
    not_before: float = 0.0
    before: "Outcome | None" = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates in order, those skipped, and the seconds for all of it.

    Attributes:
        hedge_after: Seconds after which the second candidate is asked beside the first, None for one after the other.
        spared: Those of the skipped who are only ill or busy: asked after all, when everybody else has failed.
        who: Everybody who may answer such a request, in the order of the chain, whether well at the moment or not.
        turns: Those of the candidates and of those who are spared, before anybody is asked.
    """

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    deadline: float
    hedge_after: float | None = None
    spared: tuple[Candidate, ...] = ()
    who: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    turns: tuple[PendingCandidate, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(map(PendingCandidate, (*self.candidates, *self.spared))))

    def __str__(self) -> str:
        """Return the plan as lines of text, as `faultmaven explain` prints them."""
        lines = [f"deadline {self.deadline:g} s for the whole call"]
        if self.hedge_after is not None and len(self.candidates) > 1:
            lines.append(f"hedged: the second is asked beside the first after {self.hedge_after:g} s")
        for number, candidate in enumerate(self.candidates, start=1):
            lines += [f"{number}. {candidate}", *(f"   {note}" for note in candidate.notes)]
        if not self.candidates:
            lines.append("nobody would be asked")
        lines += [f"-  {entry}" for entry in self.skipped if entry.kind != "unconfigured row"]
        unset = [entry.name for entry in self.skipped if entry.kind == "unconfigured row"]
        return "\n".join([*lines, *([f"not configured: {', '.join(unset)}"] if unset else [])])

    def as_object(self) -> dict[str, Any]:
        """Return the plan as JSON has it; times are in seconds.

        ```text
        {"deadline": 120.0, "hedge_after": null,
         "candidates": [{"provider", "model", "share", "timeout", "max_retries", "obstacle", "notes"}],
         "skipped": [{"provider", "model", "kind", "reason", "clears_in"}]}
        ```
        """
        candidates = [candidate.as_object() for candidate in self.candidates]
        skipped = [entry.as_object() for entry in self.skipped]
        return {
            "deadline": self.deadline,
            "hedge_after": self.hedge_after,
            "candidates": candidates,
            "skipped": skipped,
        }
