"""Rules about calls at once, and about event loops one after another."""

import asyncio

from ..contract_lab import HELD, QUESTION
from ..provider_under_test import Subject, becomes
from ..rule import expect, rule

AT_ONCE = 50
OVERLAPPING = 3
LOOPS = 3


class ConcurrencyRules:
    """One object serves many calls, and more than one event loop in its life."""

    @rule("Keep nothing of one call on `self`: pass it as an argument or hold it in a local name.")
    async def test_many_calls_at_once_do_not_mix(self, it: Subject) -> None:
        """Fifty concurrent calls get fifty answers, each the one to its own prompt."""
        asked = [f"question-{number}" for number in range(AT_ONCE)]
        answers = [response.content for response in await asyncio.gather(*map(it.ask, asked))]
        expect(all(answers), f"{AT_ONCE} answers", f"{answers.count('')} are empty")
        echoed = [QUESTION.findall(answer) for answer in answers]
        if any(echoed):  # else it does not repeat what it was asked
            mixed = [question for question, found in zip(asked, echoed, strict=True) if set(found) != {question}]
            expect(not mixed, "each call gets the answer to its own prompt", f"{len(mixed)} got another one")

    @rule(
        "Await in generate(), and hold no lock meanwhile; a synchronous client belongs into `asyncio.to_thread`. Where"
        " a vendor takes few calls at once, say so with `max_concurrency` in the row.",
        over="lab",
    )
    async def test_calls_overlap(self, it: Subject) -> None:
        """Calls at once are under way at once: none waits for another's answer."""
        lab, loop = it.bench.lab, asyncio.get_running_loop()
        began = loop.time()
        await it.ask()
        lab.gate.patience = 1 + 20 * (loop.time() - began)  # by what one call takes here, however slow the machine is
        alone = len(it.sent)
        lab.script(it.bench.name, *[HELD] * OVERLAPPING)
        calls = [asyncio.ensure_future(it.ask(f"question-{number}")) for number in range(OVERLAPPING)]
        await becomes(lambda: len(it.sent) == alone + OVERLAPPING or lab.gate.gave_up, lab.gate.patience * 2)
        lab.gate.is_open = True
        await asyncio.gather(*calls)
        waited = f"some were not sent within {lab.gate.patience:.1f} s, in which others had no answer yet"
        expect(not lab.gate.gave_up, f"{OVERLAPPING} calls under way at once", waited)

    @rule("Make clients, locks and sessions when a call needs them, in the loop that runs then, not in `__init__`.")
    def test_it_works_in_one_event_loop_after_another(self, it: Subject) -> None:
        """Three `asyncio.run` in a row on one object are answered."""
        for number in range(1, LOOPS + 1):
            try:
                response = it.run(it.ask())
            except Exception as error:
                expect(number == 1, "an answer in every event loop", f"in number {number}: {type(error).__name__}")
                raise
            expect(response.content, "an answer in every event loop", f"number {number} got an empty one")
