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

    @rule("Yield every piece of text once, and join the response's content from exactly these pieces.")
    async def test_stream_chunks_add_up_to_content(self, subject: ProviderUnderTest) -> None:
        """The texts of the chunks add up to the content of the response."""
        result = await subject.read_stream()
        if result.response is None:
            report_broken("a response at the end", describe_outcome(result.error))
        content = result.response.content
        lengths = f"{len(result.text)} and {len(content)} characters"
        expect(result.text == content, "the joined texts of the chunks as the content", lengths)
        if subject.optional_harness:
            expect(content == ANSWER, "the vendor's text", f"another text of {len(content)} characters")

    @rule("Raise InvalidRequestError from `response` until the last chunk was read.")
    async def test_stream_has_no_response_before_end(self, subject: ProviderUnderTest) -> None:
        """The response of a stream is available only after the last chunk was read."""
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

    @rule("Set the usage of the stream's response to the usage that the vendor sends at the end.")
    async def test_stream_response_has_usage(self, subject: ProviderUnderTest) -> None:
        """If the vendor reports usage for a response, the response of a stream has usage, too."""
        usage = (await subject.generate()).usage
        result = await subject.read_stream()
        stream_usage = result.response.usage if result.response else None
        expect(
            usage is None or stream_usage is not None,
            "usage at the end of a stream",
            describe_outcome(result.error or stream_usage),
        )

    @rule("Close the stream in `finally` of `open_stream`.", applies_to="own streams")
    async def test_stream_left_early_is_closed(self, subject: ProviderUnderTest) -> None:
        """A caller that leaves a stream early leaves no reply of the vendor open."""
        subject.harness.lab.always(subject.harness.name, "stream_stall")  # this reply never ends
        async with subject.provider.stream("ping") as stream:
            async for _chunk in stream:
                break
        is_closed = await wait_until(lambda: not subject.harness.lab.open_replies, MAX_CLOSING_SECONDS)
        expect(is_closed, "the reply is closed", "the reply is open after the caller has left the stream")

    @rule("Undo the changes of a stream to `self` in `finally` of `open_stream`.")
    async def test_call_after_stream_left_early_is_answered(self, subject: ProviderUnderTest) -> None:
        """A call after streams that were left early is answered."""
        for _ in range(3):
            async with subject.provider.stream("ping") as stream:
                async for _chunk in stream:
                    break
        response, error = await subject.generate_or_error()
        expect(response and response.content, "an answer to the next call", describe_outcome(error or response))

    @rule(
        "End a stream only at its end marker; else raise StreamInterruptedError with the partial answer in `response`.",
        applies_to="own streams",
    )
    async def test_interrupted_stream_raises_stream_interrupted_error(self, subject: ProviderUnderTest) -> None:
        """An interrupted stream raises StreamInterruptedError with the partial answer in `response`."""
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
            expect(partial_text == result.text, "the partial answer in the error's `response`", lengths)

    @rule(
        "Raise an error that arrives inside a stream, skip pings, and accept a whole answer in place of a stream.",
        applies_to="own streams",
    )
    async def test_an_error_inside_a_stream_is_raised(self, subject: ProviderUnderTest) -> None:
        """Each fault of a stream ends in its documented error or in the whole answer."""
        for fault in FaultLab.STREAM_FAULTS.values():
            if fault.error not in (StreamInterruptedError, ProviderTimeoutError) and fault.name != _TOOL_FAULT:
                subject.harness.lab.always(subject.harness.name, fault.name)
                result = await subject.read_stream()
                _check_outcome(fault, result.error or result.response, result.text)

    @rule("Limit the time for each chunk by `request.chunk_timeout`.", applies_to="own streams")
    async def test_stalled_stream_raises_timeout_error(self, subject: ProviderUnderTest) -> None:
        """A stream without further chunks raises ProviderTimeoutError."""
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
                report_broken(
                    f"ProviderTimeoutError for {fault!r}", f"an open stream after {loop.time() - started:g} s"
                )
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
