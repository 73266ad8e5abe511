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
        HAS_TURNS: Whether it carries a conversation; one that does not gets a transcript as its prompt.
        MODEL_IN_REQUEST: Whether the request names the model; otherwise the server decides.
    """

    DIALECT: str
    FEATURES: frozenset[str]
    HAS_TURNS: bool
    MODEL_IN_REQUEST: bool

    def build_request(self, request: ChatRequest, config: ProviderConfig, model: str) -> WireRequest:
        """Return the HTTP request that asks `model` for an answer."""
        ...

    def parse_response(self, reply: WireReply) -> Answer:
        """Read a reply with a 2xx status.

        Raises:
            MalformedResponseError: no JSON, or not of the documented shape.
            LLMError: the body of the 2xx reply is the vendor's error.
        """
        ...

    def build_models_request(self, config: ProviderConfig) -> WireRequest:
        """Return the request of the list route, the cheapest that shows whether address and key are right."""
        ...

    def parse_models(self, reply: WireReply) -> list[str]:
        """Return the model names of a 2xx reply of the list route."""
        ...
