"""The provider that a rule tests, with the contract harness behind it if there is one."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ...domain.messages import Prompt
from ...domain.responses import LLMResponse, StreamChunk
from ...ports.llm import LLMProvider
from ..lab import LabRequest
from .harness import ContractHarness

POLL_SECONDS = 0.005
MAX_PRECONDITION_SECONDS = 5.0
"""Default limit of `wait_until`, in seconds of the event loop, whose time is virtual in process."""


@dataclass(slots=True)
class StreamResult:
    """The text read from a stream, and the response or the error that ended the stream."""

    text: str = ""
    response: LLMResponse | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class ProviderUnderTest:
    """The provider that a rule tests, as its callers see it.

    Attributes:
        optional_harness: None for a provider that the test class made itself.
    """

    provider: LLMProvider
    optional_harness: ContractHarness | None

    @property
    def harness(self) -> ContractHarness:
        """The contract harness; only rules that declare that they need the lab may use it."""
        assert self.optional_harness is not None, "the rule needs applies_to for its lab"
        return self.optional_harness

    def run(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run `body` in a new event loop; in process its time is virtual."""
        if self.optional_harness is None:
            return asyncio.run(body)
        return self.optional_harness.run(body)

    async def generate(self, prompt: Prompt = "ping", **options: Any) -> LLMResponse:
        """Return the response to `prompt`."""
        return await self.provider.generate(prompt, **options)

    async def generate_or_error(self, prompt: Prompt = "ping") -> tuple[LLMResponse | None, Exception | None]:
        """Return the response to `prompt` and None, or None and the raised exception."""
        try:
            return await self.provider.generate(prompt), None
        except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything; the rule checks it
            return None, error

    async def read_stream(self, prompt: Prompt = "ping") -> StreamResult:
        """Read a stream for `prompt` to its end, or to its error."""
        result = StreamResult()
        try:
            async with self.provider.stream(prompt) as stream:
                async for chunk in stream:
                    result.text += text_of(chunk)
                result.response = stream.response
        except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything; the rule checks it
            result.error = error
        return result

    @property
    def sent_requests(self) -> list[LabRequest]:
        """The prompts that reached the lab; empty without a lab."""
        requests = self.optional_harness.lab.requests if self.optional_harness else []
        return [request for request in requests if request.method == "POST"]


def text_of(chunk: StreamChunk) -> str:
    """Return the text of `chunk`, "" for a chunk without text."""
    return chunk.text or ""


async def wait_until(condition: Callable[[], object], max_wait: float = MAX_PRECONDITION_SECONDS) -> bool:
    """Return whether `condition()` becomes true within `max_wait` seconds of the event loop's time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + max_wait
    while not condition():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def describe_outcome(outcome: object) -> str:
    """Return a description of `outcome` for a message: class and text of an error, "an answer" for a response."""
    if isinstance(outcome, BaseException):
        return f"{type(outcome).__name__}: {outcome}"
    return "an answer" if isinstance(outcome, LLMResponse) else repr(outcome)
