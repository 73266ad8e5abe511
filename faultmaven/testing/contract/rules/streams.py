"""Rules about streams."""

import asyncio
import contextlib

from ....domain.errors import InvalidRequestError, LLMError, ProviderTimeoutError, StreamInterruptedError
from ....domain.responses import LLMResponse
from ...lab import ANSWER, Fault, FaultLab
from ..provider_under_test import ProviderUnderTest, describe_outcome, wait_until
from ..rule import expect, report_broken, rule

MAX_CLOSING_SECONDS = 3.0


class StreamRules:
    """Most of these rules also apply to a provider without its own stream, which yields the response as one chunk."""

    @rule("Give out every piece of text once, and join the response's content from just these.")
    async def test_a_stream_gives_the_same_text(self, subject: ProviderUnderTest) -> None:
        """The chunks' texts add up to the response's content."""
        result = await subject.read_stream()
        if result.response is None:
            report_broken("a response at the end", describe_outcome(result.error))
        content = result.response.content
        lengths = f"{len(result.text)} and {len(content)} characters"
        expect(result.text == content, "the chunks' texts, joined, are the content", lengths)
        if subject.optional_harness:
            expect(content == ANSWER, "the vendor's text", f"another one of {len(content)} characters")

    @rule("Raise InvalidRequestError from `response` until the last chunk was read.")
    async def test_a_stream_has_no_response_before_its_end(self, subject: ProviderUnderTest) -> None:
        """Half an answer never looks like a whole one."""
        early_response: object = None
        async with subject.provider.stream("ping") as stream:
            with contextlib.suppress(InvalidRequestError):
                early_response = stream.response
            async for _ in stream:
                pass
            expect(isinstance(stream.response, LLMResponse), "a response at the end", describe_outcome(stream.response))
        expect(
            early_response is None,
            "InvalidRequestError from `response` before the end",
            describe_outcome(early_response),
        )

    @rule("Give the stream's response the usage that the vendor tells at its end.")
    async def test_a_stream_tells_what_it_cost(self, subject: ProviderUnderTest) -> None:
        """Where an answer's usage is known, that of a stream is known at its end, and has one line in the ledger."""
        usage = (await subject.generate()).usage
        result = await subject.read_stream()
        stream_usage = result.response.usage if result.response else None
        expect(
            usage is None or stream_usage is not None,
            "usage at the end of a stream",
            describe_outcome(result.error or stream_usage),
        )

    @rule("Close the stream in `finally` of `open_stream`.", applies_to="own streams")
    async def test_leaving_a_stream_early_closes_it(self, subject: ProviderUnderTest) -> None:
        """A reader who leaves a stream leaves no reply of the vendor's open."""
        subject.harness.lab.always(subject.harness.name, "stream_stall")  # this reply never ends
        async with subject.provider.stream("ping") as stream:
            async for _chunk in stream:
                break
        is_closed = await wait_until(lambda: not subject.harness.lab.open_replies, MAX_CLOSING_SECONDS)
        expect(is_closed, "the reply is closed", "it is still open after the reader has left")

    @rule("Undo in `finally` of `open_stream` what it changed on `self`.")
    async def test_a_stream_that_is_left_can_be_followed_by_another(self, subject: ProviderUnderTest) -> None:
        """Leaving early leaves nothing behind that the next call would meet."""
        for _ in range(3):
            async with subject.provider.stream("ping") as stream:
                async for _chunk in stream:
                    break
        response, error = await subject.generate_or_error()
        expect(response and response.content, "an answer to the next call", describe_outcome(error or response))

    @rule(
        "End a stream only at its end marker; raise StreamInterruptedError with `response=` what came otherwise.",
        applies_to="own streams",
    )
    async def test_a_cut_stream_never_ends_as_if_it_were_whole(self, subject: ProviderUnderTest) -> None:
        """A stream that breaks off raises StreamInterruptedError, which holds what came of it."""
        for fault in ("stream_cut", "stream_broken"):
            subject.harness.lab.always(subject.harness.name, fault)
            result = await subject.read_stream()
            if not isinstance(result.error, StreamInterruptedError):
                report_broken(
                    f"StreamInterruptedError for {fault!r}", describe_outcome(result.error or result.response)
                )
            partial = getattr(result.error, "response", None)
            partial_text = partial.content if isinstance(partial, LLMResponse) else ""
            lengths = f"{len(partial_text)} of {len(result.text)} characters"
            expect(partial_text == result.text, "what came, in the error's `response`", lengths)

    @rule(
        "Raise an error that comes inside of a stream, and pass over pings; take an answer that comes whole.",
        applies_to="own streams",
    )
    async def test_an_error_inside_a_stream_is_raised(self, subject: ProviderUnderTest) -> None:
        """Each fault of a stream ends in the type that is documented for it, or in a whole answer."""
        for fault in FaultLab.STREAM_FAULTS.values():
            if fault.error not in (StreamInterruptedError, ProviderTimeoutError) and fault.name != _TOOL_FAULT:
                subject.harness.lab.always(subject.harness.name, fault.name)
                result = await subject.read_stream()
                _check_outcome(fault, result.error or result.response, result.text)

    @rule("Limit the time for each chunk by `request.chunk_timeout`.", applies_to="own streams")
    async def test_a_stream_that_stalls_ends_in_time(self, subject: ProviderUnderTest) -> None:
        """A stream in which nothing more comes ends in ProviderTimeoutError."""
        loop, timeout = asyncio.get_running_loop(), subject.harness.short_timeout
        impatient = ProviderUnderTest(subject.harness.with_timeout(timeout).provider, subject.harness)
        for fault in ("stream_stall", "stream_pings"):
            subject.harness.lab.always(subject.harness.name, fault)
            started = loop.time()
            try:
                async with asyncio.timeout(subject.harness.hang_seconds(timeout)):
                    result = await impatient.read_stream()
                    outcome = result.error or result.response
            except TimeoutError:
                report_broken(f"ProviderTimeoutError for {fault!r}", f"it went on for {loop.time() - started:g} s")
            expect(
                isinstance(outcome, ProviderTimeoutError),
                f"ProviderTimeoutError for {fault!r}",
                describe_outcome(outcome),
            )


_TOOL_FAULT = "stream_duplicate_index"
"""Excluded: this fault calls tools, which the rule's request does not offer; other tests cover tools."""


def _check_outcome(fault: Fault, outcome: object, text: str) -> None:
    context = f"for {fault.name!r} (the vendor {fault.description})"
    if fault.error is None:
        expect(
            isinstance(outcome, LLMResponse) and text == ANSWER,
            f"the whole answer {context}",
            describe_outcome(outcome),
        )
    else:
        is_expected = isinstance(outcome, fault.error) and isinstance(outcome, LLMError)
        expect(is_expected, f"{fault.error.__name__} {context}", describe_outcome(outcome))
