"""Rules about what goes wrong at the vendor."""

from collections.abc import AsyncIterator, Iterator

from ....domain.errors import LLMError, ProviderTimeoutError, RateLimitError
from ....domain.responses import LLMResponse
from ...lab import ANSWER, Fault, FaultLab
from ..provider_under_test import Subject, kind_of
from ..rule import broken, expect, rule

STATED = ("unauthorized", "server_error", "reset", "html")
"""A fault of each sort: of the key, of the vendor, of the connection, of what stands between."""


class ErrorRules:
    """A fault of `FaultLab.FAULTS` ends in what is documented; where its vendor documents nothing, in an error."""

    @rule(
        "Raise the error that docs/testing.md names for the fault, with the facts of its class; keep no state of a"
        " failed call. A class of the guide's form may raise anything, but must not return what is not an answer:"
        " check the status and read the text with `self._validate_response_content`.",
        over="lab",
    )
    async def test_each_fault_is_its_documented_error_and_the_next_call_is_answered(self, it: Subject) -> None:
        """A vendor's fault is the type that is documented for it, and never an answer that looks whole."""
        for fault in _faults():
            it.bench.lab.always(it.bench.name, fault.name)
            outcome: LLMResponse | Exception
            try:
                outcome = await it.bench.new_router().generate("ping")
            except Exception as error:  # noqa: BLE001 - it is judged below
                outcome = error
            _judge(it, fault, outcome)
            it.bench.lab.always(it.bench.name, "ok")
            after = (await it.bench.new_router().generate("ping")).content
            expect(after == ANSWER, f"an answer to the call after {fault.name!r}", "another text")

    @rule("Set `provider` on every error that you raise.", over="typed errors")
    async def test_an_error_says_whose_it_is(self, it: Subject) -> None:
        """An error names the provider that it came from."""
        for fault, error in [pair async for pair in _failures(it)]:
            expect(error.provider == it.bench.name, f"{it.bench.name!r} in `provider` ({fault})", f"{error.provider!r}")

    @rule("Give every error one `Attempt` in `attempts`, with the error's type.", over="typed errors")
    async def test_an_error_has_one_line_in_the_ledger(self, it: Subject) -> None:
        """Every error that is raised after sending says what was asked of whom."""
        for fault, error in [pair async for pair in _failures(it)]:
            outcomes = [line.outcome for line in error.attempts]
            expected = type(error).__name__
            expect(outcomes == [expected], f"one line {expected!r} in `attempts` ({fault})", f"{outcomes!r}")

    @rule("Write `raise ... from error`, never `from None`, where one exception becomes another.", over="lab")
    async def test_an_error_of_the_connection_keeps_its_cause(self, it: Subject) -> None:
        """What the HTTP client raised stays at hand as the error's cause."""
        it.bench.lab.always(it.bench.name, "reset")
        response, error = await it.answer_or_error()
        expect(error, "an error for a connection that was reset", kind_of(response))
        expect(error and error.__cause__, "the HTTP client's exception in `__cause__`", "it is None")

    @rule("Read the `retry-after` header into `retry_after`, in seconds.", over="typed errors")
    async def test_a_rate_limit_says_when_to_come_back(self, it: Subject) -> None:
        """A 429 with a hint becomes a RateLimitError with that many seconds."""
        it.bench.lab.always(it.bench.name, "rate_limited_seconds")
        response, error = await it.answer_or_error()
        if not isinstance(error, RateLimitError):
            broken("RateLimitError for a 429", kind_of(error or response))
        seconds = getattr(error, "retry_after", None)
        expect(seconds == 2, "a `retry_after` of 2 seconds", f"{seconds!r}")


def _faults() -> Iterator[Fault]:
    """Give every fault but those of time, which have rules of their own."""
    return (fault for fault in FaultLab.FAULTS.values() if fault.error is not ProviderTimeoutError)


def _judge(it: Subject, fault: Fault, outcome: LLMResponse | Exception) -> None:
    what = f"for {fault.name!r} (the vendor {fault.description})"
    expected = fault.error_in(it.bench.dialect)
    if it.bench.is_guide_form:
        whole = isinstance(outcome, LLMResponse) and outcome.content == ANSWER
        expect(whole or isinstance(outcome, LLMError), f"the whole answer or an error {what}", kind_of(outcome))
    elif expected is None:
        expect(isinstance(outcome, LLMResponse), f"an answer {what}", kind_of(outcome))
    elif not it.bench.lab.documents(it.bench.name, fault.name):
        expect(isinstance(outcome, LLMError), f"an LLMError {what}", kind_of(outcome))
    elif not isinstance(outcome, expected):
        broken(f"{expected.__name__} {what}", kind_of(outcome))
    else:
        _judge_facts(fault, outcome, expected, what)


def _judge_facts(fault: Fault, error: LLMError, expected: type[LLMError], what: str) -> None:
    """A vendor may say in its reply that asking again is in vain: that is one error's own fact."""
    retryable = expected.retryable and fault.name != "rate_limited_final"
    due, found = (retryable, expected.elsewhere), (error.retryable, error.elsewhere)
    expect(found == due, f"(retryable, elsewhere) = {due} {what}", f"{found}")


async def _failures(it: Subject) -> AsyncIterator[tuple[str, LLMError]]:
    """Give the error that each fault of `STATED` ends in."""
    for fault in STATED:
        it.bench.lab.always(it.bench.name, fault)
        response, error = await it.answer_or_error()
        if isinstance(error, LLMError):
            yield fault, error
        else:
            broken(f"an LLMError for {fault!r}", kind_of(error or response))
