"""The protocol that every dialect module satisfies, and the values that pass through this protocol."""

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
    """The content of a vendor's reply. The provider class adds the provider's name and the duration.

    The dataclass is not frozen: creating a frozen one takes longer, and every reply creates one.

    Attributes:
        model: The model that the vendor names, "" where the reply names none.
        raw: The decoded JSON body; None for a stream.
        turn: The complete assistant message in the vendor's own form, for replay in the next request. None where the
            message has no opaque parts: text and tool calls are enough then.
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
    """Parser of one stream. The caller feeds blocks of bytes, which may be cut anywhere; the parser does no I/O.

    Attributes:
        has_ended: The end marker has arrived. The parser ignores all later bytes.
        may_end: The answer is complete, and only the end marker or the token counts are missing. A connection that
            closes now has not cut the answer.
    """

    @property
    def has_ended(self) -> bool: ...

    @property
    def may_end(self) -> bool: ...

    def feed(self, block: bytes) -> list[StreamChunk]:
        """Parse the next bytes and return the chunks that these bytes complete.

        If an error follows chunks in the same bytes, this call returns the chunks and the next call raises the error.
        The next call may pass no bytes.

        Raises:
            LLMError: the vendor sent an error event; the subclass depends on the vendor's code.
            MalformedResponseError: an event is not of the documented shape.
        """
        ...

    def flush(self) -> list[StreamChunk]:
        """Return the chunks that the end of the bytes completes. Call `close` afterwards. Raises as `feed`."""
        ...

    def close(self) -> Answer:
        """Return the complete answer.

        Raises:
            StreamInterruptedError: the bytes ended before the answer was complete.
        """
        ...

    def partial(self) -> Answer:
        """Return the answer so far, with the stop reason `unknown`."""
        ...


class Dialect(Protocol):
    """Interface of a dialect module. Every function is pure.

    Attributes:
        DIALECT: Name of the dialect in provider rows, such as "openai-chat".
        FEATURES: Features of a request that the dialect supports beyond text, see `domain.capabilities`. Two more names
            are "turns" for assistant messages and stop sequences, which `missing_features` in
            `application.planning.requirements` knows as "assistant turns" and "stop", and "seed". Without "turns", a
            request with one of these skips the provider. Without "seed", "reasoning" or "cache_prompt", the planner
            notes that the option is left out, and the dialect ignores the option. Without "stream", a stream has the
            whole response at once, see `build_request`.
        TAKES_MESSAGES: Whether the route takes a list of messages. Otherwise the conversation is sent as one prompt.
            Only `LocalProvider` reads this value, to prefer a chat route for a conversation.
        MODEL_IN_REQUEST: Whether the request names the model. Otherwise the server decides. Only `LocalProvider` reads
            this value, to request the list of models when no model is configured.
    """

    DIALECT: str
    FEATURES: frozenset[str]
    TAKES_MESSAGES: bool
    MODEL_IN_REQUEST: bool

    def refusal(self, request: ChatRequest, config: ProviderConfig, model: str) -> str:
        """Return the reason why this vendor or `model` cannot serve `request`, as one clause; "" when both can.

        The planner and the provider call this function before the request is sent. Examples are a forced tool that the
        model refuses and a schema that the vendor does not support. FEATURES are checked elsewhere.
        """
        ...

    def build_request(
        self, request: ChatRequest, config: ProviderConfig, model: str, *, stream: bool = False
    ) -> WireRequest:
        """Return the HTTP request for an answer of `model`, or for a stream of this answer.

        Each of the request's `notes` is a sentence about a field that was left out or changed.

        A dialect without streams gets `stream=True`, too, and returns the request for a whole answer. A reply with the
        content type application/json is then read to its end and parsed by `parse_response`, and the caller's stream
        has the chunks of the whole response. The same holds for a server that ignores the request for a stream.
        """
        ...

    def parse_response(self, reply: WireReply) -> Answer:
        """Parse a reply with status 200.

        Raises:
            MalformedResponseError: the body is not JSON, or not of the documented shape.
            LLMError: the body is an error object of the vendor.
        """
        ...

    def stream_parser(self, head: WireReply) -> StreamParser:
        """Return a parser for the stream that follows `head`, a reply with status 200 and without a body.

        Not called for a reply whose content type is JSON, see `build_request`.
        """
        ...

    def build_models_request(self, config: ProviderConfig) -> WireRequest:
        """Return the HTTP request that lists the models: the cheapest check of the base URL and the API key.

        `faultmaven doctor --probe`, probes of the health report and `LocalProvider` send this request. For a vendor
        without a list of models, return a GET of another free route that checks the key; `parse_models` then returns an
        empty list.
        """
        ...

    def parse_models(self, reply: WireReply) -> list[str]:
        """Return the model names in the reply of the list route, [] for a vendor without a list of models."""
        ...
