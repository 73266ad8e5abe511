"""What a rule is tried on: a provider, with the bench that it stands on where there is one."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ...domain.messages import Prompt
from ...domain.responses import LLMResponse, StreamChunk
from ...ports.llm import LLMProvider
from ..lab import LabRequest
from .harness import Bench

POLL_SECONDS = 0.005
PATIENCE_SECONDS = 5.0
"""How long a rule waits for what should happen at once; time of the event loop, which is virtual in process."""


@dataclass(slots=True)
class Read:
    """What a reader got of a stream: its text as it came, and the response or the error that ended it."""

    text: str = ""
    response: LLMResponse | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The provider under test, as its caller has it."""

    provider: LLMProvider
    given_bench: Bench | None

    @property
    def bench(self) -> Bench:
        """The bench; a rule that uses it says that it runs over the lab."""
        assert self.given_bench is not None, "the rule does not say that it needs the lab"
        return self.given_bench

    def run(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run `body` in a new event loop; in process its time is virtual."""
        if self.given_bench is None:
            return asyncio.run(body)
        return self.given_bench.run(body)

    async def ask(self, prompt: Prompt = "ping", **options: Any) -> LLMResponse:
        """Return the answer to `prompt`."""
        return await self.provider.generate(prompt, **options)

    async def answer_or_error(self, prompt: Prompt = "ping") -> tuple[LLMResponse | None, Exception | None]:
        """Return the answer to `prompt`, or what was raised in its place."""
        try:
            return await self.provider.generate(prompt), None
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; the rule judges what it raised
            return None, error

    async def read(self, prompt: Prompt = "ping") -> Read:
        """Return what a reader gets who reads a stream to its end."""
        seen = Read()
        try:
            async with self.provider.stream(prompt) as stream:
                async for chunk in stream:
                    seen.text += text_of(chunk)
                seen.response = stream.response
        except Exception as error:  # noqa: BLE001 - a provider may be anybody's code; the rule judges what it raised
            seen.error = error
        return seen

    @property
    def sent(self) -> list[LabRequest]:
        """The prompts that reached the lab, none where there is no lab."""
        requests = self.given_bench.lab.requests if self.given_bench else []
        return [request for request in requests if request.method == "POST"]


def text_of(chunk: StreamChunk) -> str:
    """Return a chunk's text, "" when it has none."""
    return chunk.text or ""


async def becomes(holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether `holds()` becomes true within `seconds` of the event loop's time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not holds():
        if loop.time() >= ends:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def kind_of(outcome: object) -> str:
    """Return how an outcome is told in a message: the class of an error, "an answer" for a response."""
    if isinstance(outcome, BaseException):
        return f"{type(outcome).__name__}: {outcome}"
    return "an answer" if isinstance(outcome, LLMResponse) else repr(outcome)
