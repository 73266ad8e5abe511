"""Rules about calls at once, and about event loops one after another."""

import asyncio

from faultmaven.testing.contract.contract_lab import QUESTION
from faultmaven.testing.contract.rules import expect, rule
from faultmaven.testing.contract.subject import Subject

AT_ONCE = 50
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
