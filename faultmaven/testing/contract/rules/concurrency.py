"""Rules about concurrent calls and about several event loops."""

import asyncio

from ..contract_lab import HELD_REPLY, QUESTION_NAME
from ..provider_under_test import ProviderUnderTest, wait_until
from ..rule import expect, rule

CONCURRENT_CALLS = 50
OVERLAPPING_CALLS = 3
EVENT_LOOPS = 3


class ConcurrencyRules:
    """One provider serves concurrent calls, and several event loops one after another."""

    @rule("Keep the state of a call in arguments and local names, not on `self`.")
    async def test_concurrent_calls_do_not_mix(self, subject: ProviderUnderTest) -> None:
        """Each of fifty concurrent calls gets the answer to its own prompt."""
        questions = [f"question-{number}" for number in range(CONCURRENT_CALLS)]
        answers = [response.content for response in await asyncio.gather(*map(subject.generate, questions))]
        expect(all(answers), f"{CONCURRENT_CALLS} answers", f"{answers.count('')} empty answers")
        echoes = [QUESTION_NAME.findall(answer) for answer in answers]
        if any(echoes):  # a provider without a lab may not repeat the question
            mixed_up = [question for question, echo in zip(questions, echoes, strict=True) if set(echo) != {question}]
            expect(
                not mixed_up, "each call gets the answer to its own prompt", f"{len(mixed_up)} calls get another answer"
            )

    @rule(
        "Await the reply in generate() without holding a lock; run a synchronous client in `asyncio.to_thread`. If the"
        " vendor limits concurrent calls, set `max_concurrency` in the row.",
        applies_to="lab",
    )
    async def test_concurrent_calls_overlap_in_time(self, subject: ProviderUnderTest) -> None:
        """Concurrent calls are in flight together: no call waits for the answer of another call."""
        lab, loop = subject.harness.lab, asyncio.get_running_loop()
        started = loop.time()
        await subject.generate()
        lab.gate.max_wait = 1 + 20 * (loop.time() - started)  # scaled by one call on this machine
        sent_before = len(subject.sent_requests)
        lab.script(subject.harness.name, *[HELD_REPLY] * OVERLAPPING_CALLS)
        calls = [asyncio.ensure_future(subject.generate(f"question-{number}")) for number in range(OVERLAPPING_CALLS)]
        total = sent_before + OVERLAPPING_CALLS
        await wait_until(lambda: len(subject.sent_requests) == total or lab.gate.has_timed_out, lab.gate.max_wait * 2)
        lab.gate.is_open = True
        await asyncio.gather(*calls)
        delay = f"some calls were not sent within {lab.gate.max_wait:.1f} s, while others waited for an answer"
        expect(not lab.gate.has_timed_out, f"{OVERLAPPING_CALLS} calls in flight together", delay)

    @rule("Create clients, locks and sessions during a call, in the running event loop, not in `__init__`.")
    def test_provider_works_in_successive_event_loops(self, subject: ProviderUnderTest) -> None:
        """One provider answers in three successive calls of `asyncio.run`."""
        for number in range(1, EVENT_LOOPS + 1):
            try:
                response = subject.run(subject.generate())
            except Exception as error:
                expect(number == 1, "an answer in every event loop", f"{type(error).__name__} in event loop {number}")
                raise
            expect(response.content, "an answer in every event loop", f"an empty answer in event loop {number}")
