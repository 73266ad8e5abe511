"""Rules about answers that come piece by piece."""

import asyncio
import contextlib

from faultmaven.domain.chat import LLMResponse
from faultmaven.domain.errors import InvalidRequestError, LLMError, ProviderTimeoutError, StreamInterruptedError
from faultmaven.testing.contract.rules import broken, expect, rule
from faultmaven.testing.contract.subject import Subject, becomes, kind_of
from faultmaven.testing.lab import ANSWER, Fault, FaultLab

CLOSING_SECONDS = 3.0


class StreamRules:
    """A provider without a stream of its own gives the answer as one chunk; most rules hold for it too."""

    @rule("Give out every piece of text once, and join the response's content from just these.")
    async def test_a_stream_gives_the_same_text(self, it: Subject) -> None:
        """The chunks' texts add up to the response's content."""
        seen = await it.read()
        if seen.response is None:
            broken("a response at the end", kind_of(seen.error))
        content = seen.response.content
        lengths = f"{len(seen.text)} and {len(content)} characters"
        expect(seen.text == content, "the chunks' texts, joined, are the content", lengths)
        if it.given_bench:
            expect(content == ANSWER, "the vendor's text", f"another one of {len(content)} characters")

    @rule("Raise InvalidRequestError from `response` until the last chunk was read.")
    async def test_a_stream_has_no_response_before_its_end(self, it: Subject) -> None:
        """Half an answer never looks like a whole one."""
        early: object = None
        async with it.provider.stream("ping") as stream:
            with contextlib.suppress(InvalidRequestError):
                early = stream.response
            async for _ in stream:
                pass
            expect(isinstance(stream.response, LLMResponse), "a response at the end", kind_of(stream.response))
        expect(early is None, "InvalidRequestError from `response` before the end", kind_of(early))

    @rule("Give the stream's response the usage that the vendor tells at its end.")
    async def test_a_stream_tells_what_it_cost(self, it: Subject) -> None:
        """Where an answer's usage is known, that of a stream is known at its end, and has one line in the ledger."""
        usage = (await it.ask()).usage
        seen = await it.read()
        streamed = seen.response.usage if seen.response else None
        expect(usage is None or streamed is not None, "usage at the end of a stream", kind_of(seen.error or streamed))

    @rule("Close the stream in `finally` of `open_stream`.", over="own streams")
    async def test_leaving_a_stream_early_closes_it(self, it: Subject) -> None:
        """A reader who leaves a stream leaves no reply of the vendor's open."""
        it.bench.lab.always(it.bench.name, "stream_stall")  # a reply that would stay open for ever
        async with it.provider.stream("ping") as stream:
            async for _chunk in stream:
                break
        closed = await becomes(lambda: not it.bench.lab.open_replies, CLOSING_SECONDS)
        expect(closed, "the reply is closed", "it is still open after the reader has left")

    @rule("Undo in `finally` of `open_stream` what it changed on `self`.")
    async def test_a_stream_that_is_left_can_be_followed_by_another(self, it: Subject) -> None:
        """Leaving early leaves nothing behind that the next call would meet."""
        for _ in range(3):
            async with it.provider.stream("ping") as stream:
                async for _chunk in stream:
                    break
        response, error = await it.answer_or_error()
        expect(response and response.content, "an answer to the next call", kind_of(error or response))

    @rule(
        "End a stream only at its end marker; raise StreamInterruptedError with `response=` what came otherwise.",
        over="own streams",
    )
    async def test_a_cut_stream_never_ends_as_if_it_were_whole(self, it: Subject) -> None:
        """A stream that breaks off raises StreamInterruptedError, which holds what came of it."""
        for fault in ("stream_cut", "stream_broken"):
            it.bench.lab.always(it.bench.name, fault)
            seen = await it.read()
            if not isinstance(seen.error, StreamInterruptedError):
                broken(f"StreamInterruptedError for {fault!r}", kind_of(seen.error or seen.response))
            partial = getattr(seen.error, "response", None)
            kept = partial.content if isinstance(partial, LLMResponse) else ""
            lengths = f"{len(kept)} of {len(seen.text)} characters"
            expect(kept == seen.text, "what came, in the error's `response`", lengths)

    @rule(
        "Raise an error that comes inside of a stream, and pass over pings; take an answer that comes whole.",
        over="own streams",
    )
    async def test_an_error_inside_a_stream_is_raised(self, it: Subject) -> None:
        """Each fault of a stream ends in the type that is documented for it, or in a whole answer."""
        for fault in FaultLab.STREAM_FAULTS.values():
            if fault.error not in (StreamInterruptedError, ProviderTimeoutError) and fault.name != _OF_TOOLS:
                it.bench.lab.always(it.bench.name, fault.name)
                seen = await it.read()
                _judge(fault, seen.error or seen.response, seen.text)

    @rule("Limit the time for each chunk by `request.chunk_timeout`.", over="own streams")
    async def test_a_stream_that_stalls_ends_in_time(self, it: Subject) -> None:
        """A stream in which nothing more comes ends in ProviderTimeoutError."""
        loop, hurried = asyncio.get_running_loop(), Subject(it.bench.with_timeout(it.bench.short).provider, it.bench)
        for fault in ("stream_stall", "stream_pings"):
            it.bench.lab.always(it.bench.name, fault)
            began = loop.time()
            try:
                async with asyncio.timeout(it.bench.guard(it.bench.short)):
                    seen = await hurried.read()
                    outcome = seen.error or seen.response
            except TimeoutError:
                broken(f"ProviderTimeoutError for {fault!r}", f"it went on for {loop.time() - began:g} s")
            expect(isinstance(outcome, ProviderTimeoutError), f"ProviderTimeoutError for {fault!r}", kind_of(outcome))


_OF_TOOLS = "stream_duplicate_index"
"""It calls tools that nobody offered; tools have tests of their own."""


def _judge(fault: Fault, outcome: object, text: str) -> None:
    what = f"for {fault.name!r} (the vendor {fault.description})"
    if fault.error is None:
        expect(isinstance(outcome, LLMResponse) and text == ANSWER, f"the whole answer {what}", kind_of(outcome))
    else:
        due = isinstance(outcome, fault.error) and isinstance(outcome, LLMError)
        expect(due, f"{fault.error.__name__} {what}", kind_of(outcome))
