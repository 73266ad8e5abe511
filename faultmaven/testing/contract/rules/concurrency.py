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

    @rule("Keep nothing of one call on `self`: pass it as an argument or hold it in a local name.")
    async def test_many_calls_at_once_do_not_mix(self, subject: ProviderUnderTest) -> None:
        """Fifty concurrent calls get fifty answers, each the one to its own prompt."""
        questions = [f"question-{number}" for number in range(CONCURRENT_CALLS)]
        answers = [response.content for response in await asyncio.gather(*map(subject.generate, questions))]
        expect(all(answers), f"{CONCURRENT_CALLS} answers", f"{answers.count('')} are empty")
        echoes = [QUESTION_NAME.findall(answer) for answer in answers]
        if any(echoes):  # a provider without a lab may not repeat the question
            mixed_up = [question for question, echo in zip(questions, echoes, strict=True) if set(echo) != {question}]
            expect(not mixed_up, "each call gets the answer to its own prompt", f"{len(mixed_up)} got another one")

    @rule(
        "Await in generate(), and hold no lock meanwhile; a synchronous client belongs into `asyncio.to_thread`. Where"
        " a vendor takes few calls at once, say so with `max_concurrency` in the row.",
        applies_to="lab",
    )
    async def test_calls_overlap(self, subject: ProviderUnderTest) -> None:
        """Calls at once are under way at once: none waits for another's answer."""
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
        delay = f"some were not sent within {lab.gate.max_wait:.1f} s, in which others had no answer yet"
        expect(not lab.gate.has_timed_out, f"{OVERLAPPING_CALLS} calls under way at once", delay)

    @rule("Make clients, locks and sessions when a call needs them, in the loop that runs then, not in `__init__`.")
    def test_it_works_in_one_event_loop_after_another(self, subject: ProviderUnderTest) -> None:
        """Three `asyncio.run` in a row on one object are answered."""
        for number in range(1, EVENT_LOOPS + 1):
            try:
                response = subject.run(subject.generate())
            except Exception as error:
                expect(number == 1, "an answer in every event loop", f"in number {number}: {type(error).__name__}")
                raise
            expect(response.content, "an answer in every event loop", f"number {number} got an empty one")
