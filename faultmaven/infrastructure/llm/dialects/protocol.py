"""What a dialect's module gives."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from ....domain.requests import ChatRequest
from ....domain.responses import StopReason, StreamChunk
from ....domain.tool_calls import ToolCall
from ....domain.usage import Usage
from ...http.types import WireReply, WireRequest
from ..config import ProviderConfig


@dataclass(slots=True)
class Answer:
    """What a dialect reads from a reply; the provider adds who answered and how long it took. Unfrozen, since one is
    made for every reply.

    Attributes:
        turn: The whole turn as the vendor wants it back, None where nothing in it is opaque: then text and tool calls
            say everything.
    """

    content: str = field(repr=False)
    stop_reason: StopReason
    usage: Usage | None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""
    raw: Any = field(default=None, repr=False)
    reasoning: str = field(default="", repr=False)
    turn: Any = field(default=None, repr=False)


class StreamParser(Protocol):
    """Reads one stream. It is fed, and asks for nothing; bytes may be cut anywhere.

    Attributes:
        ended: The end marker came; nothing after it counts.
        may_end: Everything came that makes the answer whole, and only the marker, or the counts, are still to come: a
            connection that ends now has not cut the answer.
    """

    @property
    def has_ended(self) -> bool: ...

    @property
    def may_end(self) -> bool: ...

    def feed(self, block: bytes) -> list[StreamChunk]:
        """Return what the next bytes bring. What came before an error in the same bytes is returned first, and the
        error is raised by the next call, which may be for no bytes at all.

        Raises:
            LLMError: an error event of the vendor's, under its own type.
            MalformedResponseError: an event that is none.
        """
        ...

    def flush(self) -> list[StreamChunk]:
        """Return what the end of the bytes completes; `close` follows. Raises as `feed`."""
        ...

    def close(self) -> Answer:
        """Return the whole answer.

        Raises:
            StreamInterruptedError: they ended too early.
        """
        ...

    def partial(self) -> Answer:
        """Return what came so far; its stop reason is unknown."""
        ...


class Dialect(Protocol):
    """One dialect. A module satisfies it; every function is pure.

    Attributes:
        DIALECT: Its name, as rows write it.
        FEATURES: What of a request it can carry beyond text, see `domain.capabilities`.
        TAKES_MESSAGES: Whether turns travel as messages; otherwise they are written out as one prompt.
        MODEL_IN_REQUEST: Whether the request names the model; otherwise the server decides.
    """

    DIALECT: str
    FEATURES: frozenset[str]
    TAKES_MESSAGES: bool
    MODEL_IN_REQUEST: bool

    def refusal(self, request: ChatRequest, config: ProviderConfig, model: str) -> str:
        """Return why this vendor or `model` cannot carry what `request` asks, as one clause; "" when it can.

        It is asked before anything is sent, and by the planner: a forced tool that the model refuses, a schema that the
        vendor does not take. What FEATURES already tell is not repeated here.
        """
        ...

    def build_request(
        self, request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False
    ) -> WireRequest:
        """Return the HTTP request that asks `model` for an answer, or for a stream of it.

        `notes` of the request say what was left out or changed, each as one sentence.
        """
        ...

    def parse_response(self, reply: WireReply) -> Answer:
        """Read a reply with status 200.

        Raises:
            MalformedResponseError: no JSON, or not of the documented shape.
            LLMError: the body is the vendor's error.
        """
        ...

    def stream_parser(self, head: WireReply) -> StreamParser:
        """Return a parser for the stream that a reply with status 200 begins; `head` has no body."""
        ...

    def build_models_request(self, config: ProviderConfig) -> WireRequest:
        """Return the request of the list route, the cheapest that shows whether address and key are right."""
        ...

    def parse_models(self, reply: WireReply) -> list[str]:
        """Return the model names of the list route's reply."""
        ...
