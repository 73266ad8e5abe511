"""One candidate, asked once. Limits, breaker and retries have their place here."""

from dataclasses import dataclass, replace

from faultmaven.application.acceptance import fault
from faultmaven.application.plan import Candidate
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import LLMError
from faultmaven.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: its ledger line, and an answer that will do or the error that it amounts to."""

    attempt: Attempt
    answer: LLMResponse | None = None
    error: LLMError | None = None


async def attempt(candidate: Candidate, request: ChatRequest, timeout: float, clock: Clock) -> Outcome:
    """Ask `candidate` once, within `timeout` seconds; every `LLMError` becomes part of the outcome.

    The registry's name stands on the answer and on the error, whatever the provider calls itself.
    """
    route = candidate.route
    request = replace(request, model=candidate.model, timeout=timeout)
    started = clock.monotonic()
    try:
        response = await route.backend.answer(request)
    except LLMError as error:
        error.provider = route.name
        return Outcome(_line(candidate, error.attempts, clock.monotonic() - started, error), error=error)
    if response.provider != route.name:
        response = replace(response, provider=route.name)
    unfit = fault(response, request)
    line = _line(candidate, response.attempts, clock.monotonic() - started, unfit)
    if not line.model:
        line = replace(line, model=response.model)
    return Outcome(line, error=unfit) if unfit else Outcome(line, answer=response)


def _line(candidate: Candidate, reported: tuple[Attempt, ...], duration: float, error: LLMError | None) -> Attempt:
    """Complete what the provider reported of itself; one that reports nothing still gets its line."""
    own = reported[-1] if reported else _unreported(candidate, error)
    return replace(
        own,
        provider=candidate.route.name,
        outcome=type(error).__name__ if error else "answered",
        duration=duration,
        notes=candidate.notes + own.notes,
        error=error.problem if error else "",
    )


def _unreported(candidate: Candidate, error: LLMError | None) -> Attempt:
    """The line of a provider that reports nothing, or that failed before it asked for the answer itself."""
    name, model = candidate.route.name, candidate.effective_model
    if error is None:
        return Attempt(name, model)
    return Attempt(name, model, status=error.status, request_id=error.request_id)
