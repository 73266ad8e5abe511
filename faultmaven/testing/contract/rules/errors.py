"""Rules about faults of the vendor."""

from collections.abc import AsyncIterator, Iterator

from ....domain.errors import LLMError, ProviderTimeoutError, RateLimitError
from ....domain.responses import LLMResponse
from ...lab import ANSWER, Fault, FaultLab
from ..provider_under_test import ProviderUnderTest, describe_outcome
from ..rule import expect, report_broken, rule

SAMPLE_FAULTS = ("unauthorized", "server_error", "reset", "html")
"""One fault of each kind: the key, the vendor, the connection, a proxy in between."""


class ErrorRules:
    """Each fault of `FaultLab.FAULTS` ends in its documented outcome, or in any error if its vendor documents none."""

    @rule(
        "Raise the error that docs/testing.md lists for the fault, with the facts of its class; keep no state of a"
        " failed call. A class in the guide's form may raise any exception, but must not return an invalid answer:"
        " check the status, and read the text with `self._validate_response_content`.",
        applies_to="lab",
    )
    async def test_each_fault_raises_its_documented_error(self, subject: ProviderUnderTest) -> None:
        """Each fault of a vendor ends in its documented error or answer, and the next call is answered."""
        for fault in _faults_without_timeouts():
            subject.harness.lab.always(subject.harness.name, fault.name)
            outcome: LLMResponse | Exception
            try:
                outcome = await subject.harness.build_router().generate("ping")
            except Exception as error:  # noqa: BLE001 - checked below
                outcome = error
            _check_outcome(subject, fault, outcome)
            subject.harness.lab.always(subject.harness.name, "ok")
            next_text = (await subject.harness.build_router().generate("ping")).content
            expect(next_text == ANSWER, f"an answer to the call after {fault.name!r}", "another text")

    @rule("Set `provider` on every error that you raise.", applies_to="typed errors")
    async def test_error_names_its_provider(self, subject: ProviderUnderTest) -> None:
        """An error names the provider that raised the error."""
        for fault, error in [pair async for pair in _sample_errors(subject)]:
            expect(
                error.provider == subject.harness.name,
                f"{subject.harness.name!r} in `provider` ({fault})",
                f"{error.provider!r}",
            )

    @rule("Give every error one `Attempt` in `attempts`, with the error's type.", applies_to="typed errors")
    async def test_error_has_exactly_one_attempt(self, subject: ProviderUnderTest) -> None:
        """An error that is raised after sending has one attempt in `attempts`, with its type as the outcome."""
        for fault, error in [pair async for pair in _sample_errors(subject)]:
            outcomes = [attempt.outcome for attempt in error.attempts]
            expected = type(error).__name__
            expect(outcomes == [expected], f"one attempt {expected!r} in `attempts` ({fault})", f"{outcomes!r}")

    @rule("Write `raise ... from error`, never `from None`, where one exception becomes another.", applies_to="lab")
    async def test_connection_error_keeps_its_cause(self, subject: ProviderUnderTest) -> None:
        """The exception of the HTTP client is the cause of the raised error."""
        subject.harness.lab.always(subject.harness.name, "reset")
        response, error = await subject.generate_or_error()
        expect(error, "an error for a connection that was reset", describe_outcome(response))
        expect(error and error.__cause__, "the HTTP client's exception in `__cause__`", "None")

    @rule("Read the `retry-after` header into `retry_after`, in seconds.", applies_to="typed errors")
    async def test_rate_limit_error_has_retry_after(self, subject: ProviderUnderTest) -> None:
        """A 429 with a `retry-after` header raises RateLimitError with these seconds in `retry_after`."""
        subject.harness.lab.always(subject.harness.name, "rate_limited_seconds")
        response, error = await subject.generate_or_error()
        if not isinstance(error, RateLimitError):
            report_broken("RateLimitError for a 429", describe_outcome(error or response))
        seconds = getattr(error, "retry_after", None)
        expect(seconds == 2, "a `retry_after` of 2 seconds", f"{seconds!r}")


def _faults_without_timeouts() -> Iterator[Fault]:
    """Return every fault except timeouts, which have their own rules."""
    return (fault for fault in FaultLab.FAULTS.values() if fault.error is not ProviderTimeoutError)


def _check_outcome(subject: ProviderUnderTest, fault: Fault, outcome: LLMResponse | Exception) -> None:
    context = f"for {fault.name!r} (the vendor {fault.description})"
    expected = fault.error_in(subject.harness.dialect)
    if subject.harness.is_guide_form:
        is_whole_answer = isinstance(outcome, LLMResponse) and outcome.content == ANSWER
        expect(
            is_whole_answer or isinstance(outcome, LLMError),
            f"the whole answer or an error {context}",
            describe_outcome(outcome),
        )
    elif expected is None:
        expect(isinstance(outcome, LLMResponse), f"an answer {context}", describe_outcome(outcome))
    elif not subject.harness.lab.documents(subject.harness.name, fault.name):
        expect(isinstance(outcome, LLMError), f"an LLMError {context}", describe_outcome(outcome))
    elif not isinstance(outcome, expected):
        report_broken(f"{expected.__name__} {context}", describe_outcome(outcome))
    else:
        _check_error_facts(fault, outcome, expected, context)


def _check_error_facts(fault: Fault, error: LLMError, expected: type[LLMError], context: str) -> None:
    """Compare the facts of `error` with those of its class; a vendor may mark one error as final in its reply."""
    retryable = expected.retryable and fault.name != "rate_limited_final"
    expected_facts, facts = (retryable, expected.elsewhere), (error.retryable, error.elsewhere)
    expect(facts == expected_facts, f"(retryable, elsewhere) = {expected_facts} {context}", f"{facts}")


async def _sample_errors(subject: ProviderUnderTest) -> AsyncIterator[tuple[str, LLMError]]:
    """Yield each fault of `SAMPLE_FAULTS` with the error that it causes."""
    for fault in SAMPLE_FAULTS:
        subject.harness.lab.always(subject.harness.name, fault)
        response, error = await subject.generate_or_error()
        if isinstance(error, LLMError):
            yield fault, error
        else:
            report_broken(f"an LLMError for {fault!r}", describe_outcome(error or response))
