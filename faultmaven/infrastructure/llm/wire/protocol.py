"""What a dialect's module gives."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from faultmaven.domain.chat import ChatRequest, StopReason, ToolCall
from faultmaven.domain.usage import Usage
from faultmaven.infrastructure.http.types import WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig


@dataclass(frozen=True, slots=True)
class Answer:
    """What a dialect reads from a reply; the provider adds who answered and how long it took."""

    content: str = field(repr=False)
    stop_reason: StopReason
    usage: Usage | None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""
    raw: Any = field(default=None, repr=False)


class Wire(Protocol):
    """One dialect. A module satisfies it; every function is pure.

    Attributes:
        DIALECT: Its name, as rows write it.
        FEATURES: What of a request it can carry beyond text: "turns", "seed", "tools", "schema", "images".
        TAKES_MESSAGES: Whether turns travel as messages; otherwise they are written out as one prompt.
        MODEL_IN_REQUEST: Whether the request names the model; otherwise the server decides.
    """

    DIALECT: str
    FEATURES: frozenset[str]
    TAKES_MESSAGES: bool
    MODEL_IN_REQUEST: bool

    def build_request(self, request: ChatRequest, config: ProviderConfig, model: str) -> WireRequest:
        """Return the HTTP request that asks `model` for an answer."""
        ...

    def parse_response(self, reply: WireReply) -> Answer:
        """Read a reply with status 200.

        Raises:
            MalformedResponseError: no JSON, or not of the documented shape.
            LLMError: the body is the vendor's error.
        """
        ...

    def build_models_request(self, config: ProviderConfig) -> WireRequest:
        """Return the request of the list route, the cheapest that shows whether address and key are right."""
        ...

    def parse_models(self, reply: WireReply) -> list[str]:
        """Return the model names of the list route's reply."""
        ...
