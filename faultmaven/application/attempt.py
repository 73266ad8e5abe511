"""One candidate, asked once. Limits, breaker and retries have their place here."""

from dataclasses import dataclass, replace

from faultmaven.application.acceptance import checked, fault
from faultmaven.application.plan import Candidate
from faultmaven.domain.attempts import Attempt
from faultmaven.domain.chat import ChatRequest, LLMResponse
from faultmaven.domain.errors import LLMError, ProviderError, ProviderTimeoutError
from faultmaven.ports.clock import Clock

# A provider keeps its time itself and can say in which phase it ran out; this is for those that do not keep it.
GRACE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: its ledger line, and an answer that will do or the error that it amounts to."""

    attempt: Attempt
    answer: LLMResponse | None = None
    error: LLMError | None = None


async def attempt(candidate: Candidate, request: ChatRequest, timeout: float, clock: Clock) -> Outcome:
    """Ask `candidate` once, within `timeout` seconds; whatever it raises becomes part of the outcome, as an `LLMError`.

    The registry's name stands on the answer and on the error, whatever the provider calls itself.
    """
    request = replace(request, model=candidate.model, timeout=timeout)
    started = clock.monotonic()
    try:
        async with clock.timeout(timeout + GRACE_SECONDS):
            response = checked(await candidate.route.backend.answer(request))
    except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; what it raised is kept as the cause
        duration = clock.monotonic() - started
        return _failed(candidate, _as_ours(error, duration, timeout), duration)
    duration = clock.monotonic() - started
    if response.provider != candidate.route.name:
        response = replace(response, provider=candidate.route.name)
    unfit = fault(response, request)
    line = _line(candidate, response.attempts, duration, unfit)
    if not line.model:
        line = replace(line, model=response.model)
    return Outcome(line, error=unfit) if unfit else Outcome(line, answer=response)


def _failed(candidate: Candidate, error: LLMError, duration: float) -> Outcome:
    error.provider = candidate.route.name
    error.model = error.model or candidate.effective_model
    return Outcome(_line(candidate, error.attempts, duration, error), error=error)


def _as_ours(error: Exception, duration: float, timeout: float) -> LLMError:
    """Return `error` as one of our types, with itself as the cause where it is somebody else's."""
    if isinstance(error, LLMError):
        return error
    ours: LLMError
    if isinstance(error, TimeoutError):
        overdue = duration >= timeout
        problem = f"no answer within {timeout:.3g} s" if overdue else "the provider's own code raised TimeoutError"
        ours = ProviderTimeoutError(problem, phase="first byte")
    else:
        problem = f"the provider's own code raised {type(error).__name__}"
        ours = ProviderError(problem, advice="Its own error is the cause of this one.")
    ours.__cause__ = error
    return ours


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
