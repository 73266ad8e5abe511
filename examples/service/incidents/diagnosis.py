"""Domain of the service. The module depends on the port `LLMProvider`, and neither on FastAPI nor on any provider."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from faultmaven import LLMProvider, LLMResponse, LLMStream, Message

INSTRUCTIONS = "You help the engineer on call. Name the most likely cause first, then how to verify it."


@dataclass(frozen=True)
class Diagnostician:
    """Finds causes of incidents. `llm` is injected: a router in the service, a fake in tests."""

    llm: LLMProvider
    deadline: float = 30.0

    async def diagnose(self, symptom: str) -> LLMResponse:
        """Return the whole diagnosis within `deadline` seconds, or raise an `LLMError`."""
        return await self.llm.generate(self._prompt(symptom), deadline=self.deadline)

    def explain(self, symptom: str) -> AbstractAsyncContextManager[LLMStream]:
        """Return the diagnosis as a stream; `deadline` applies until the first chunk."""
        return self.llm.stream(self._prompt(symptom), deadline=self.deadline)

    def _prompt(self, symptom: str) -> list[Message]:
        return [Message.system(INSTRUCTIONS), Message.user(symptom)]
