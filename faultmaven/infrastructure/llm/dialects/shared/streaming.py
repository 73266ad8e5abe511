"""Base class of the stream parsers: events to JSON, errors inside a 200, and the growing answer."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

from .....domain.errors import LLMError, MalformedResponseError, StreamInterruptedError
from .....domain.responses import StopReason, StreamChunk
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..protocol import Answer
from .errors import raise_for_error_body
from .framing import Framing, ServerSentEvent
from .outcomes import map_stop_reason
from .reading import NOT_JSON, error_facts, json_type_name, malformed_error, parse_json
from .streamed_calls import StreamedCalls

DONE = b"[DONE]"
MAX_STRAY_BYTES = 65536


class EventParser(ABC):
    """Parser of a stream of JSON events. A subclass implements `read`, which adds the contents of an event.

    Attributes:
        head: The reply that began the stream. Errors take the status, the headers and the request from this reply.
        reason: The vendor's stop reason, "" until the vendor has sent one.
        has_ended: See `StreamParser`.
        is_refused: Whether the model or the vendor refused to answer.
        stop_reasons: The vendor's stop reasons and the common one for each.
        ends_with_done: Whether `[DONE]` is the end marker. In other dialects a proxy may add `[DONE]`, without meaning.
        ends_with_reason: Whether an answer with a stop reason is complete. In other dialects the end marker decides.
    """

    stop_reasons: Mapping[str, StopReason] = {}
    ends_with_done = False
    ends_with_reason = False

    def __init__(self, head: WireReply, framing: Framing) -> None:
        self.head = head
        self.has_ended = False
        self.reason = ""
        self.is_refused = False
        self.model = ""
        self.usage: Usage | None = None
        self.calls = StreamedCalls()
        self._framing = framing
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._chunks: list[StreamChunk] = []
        self._failure: LLMError | None = None

    @abstractmethod
    def read(self, name: str, data: Json) -> None:
        """Read one event with the `add_` methods and `set_usage`, and by setting `reason`, `model` and `has_ended`.

        Args:
            name: Name of the event, "" where the event has none.
        """

    def replay_turn(self) -> object:
        """Return the message in the vendor's form for replay; dialects with opaque parts override this."""
        return None

    @property
    def may_end(self) -> bool:
        """Whether the answer is complete, see `StreamParser`."""
        return self.has_ended or (self.ends_with_reason and bool(self.reason))

    def feed(self, block: bytes) -> list[StreamChunk]:
        """Parse the next bytes; see `StreamParser`."""
        if self._failure is not None:
            raise self._failure
        try:
            for event in self._framing.feed(block):
                self._read_event(event)
            self._raise_for_stray_lines()
        except LLMError as error:
            if not self._chunks:
                raise
            self._failure = error  # the next call raises it, after the chunks that came before the error
        return self._take_chunks()

    def flush(self) -> list[StreamChunk]:
        """Parse the end of the bytes; see `StreamParser`."""
        if self._failure is not None:
            raise self._failure
        for event in self._framing.close():
            # The end may have cut the last event: `close` decides whether the answer is complete.
            with contextlib.suppress(MalformedResponseError):
                self._read_event(event)
        self._raise_for_stray_lines(at_end=True)
        return self._take_chunks()

    def close(self) -> Answer:
        """Return the complete answer; see `StreamParser`."""
        if not self.may_end:
            raise self._interruption("the stream ended without its end marker")
        return self._build_answer(map_stop_reason(self.reason, self.stop_reasons, **self._answer_facts()))

    def partial(self) -> Answer:
        """Return the answer so far; see `StreamParser`."""
        return self._build_answer(StopReason.UNKNOWN)

    def add_text(self, text: str) -> None:
        """Add text to the answer, and a chunk."""
        if text:
            self._text.append(text)
            self._chunks.append(StreamChunk(text=text))

    def add_reasoning(self, text: str) -> None:
        """Add text to the reasoning, and a chunk."""
        if text:
            self._reasoning.append(text)
            self._chunks.append(StreamChunk(reasoning=text))

    def add_call(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        """Add a piece of a tool call, and a chunk; see `StreamedCalls.add`."""
        delta = self.calls.add(index, call_id, name, arguments)
        if delta is not None:
            self._chunks.append(StreamChunk(tool_call=delta))

    def set_usage(self, usage: Usage | None) -> None:
        """Replace the token counts, and add a chunk; None changes nothing."""
        if usage is not None:
            self.usage = usage
            self._chunks.append(StreamChunk(usage=usage))

    @property
    def text(self) -> str:
        """The text so far, joined at each access."""
        return "".join(self._text)

    @property
    def has_text(self) -> bool:
        """Whether any text of the answer has arrived."""
        return bool(self._text)

    def _read_event(self, event: ServerSentEvent) -> None:
        if self.has_ended:
            return
        if event.data.startswith(DONE):
            if self.ends_with_done and not self.reason:  # a proxy ends a cut stream in this way
                raise self._interruption("the stream ended without a finish reason")
            self.has_ended = self.ends_with_done
            return
        data = parse_json(event.data)
        if not isinstance(data, dict):
            self._raise_for_listed_error(data)
            description = "not JSON" if data is NOT_JSON else f"a JSON {json_type_name(data)}, not an object"
            raise malformed_error(self.head, f"an event of the stream is {description}")
        raise_for_error_body(self.head, data)
        self.read(event.name, data)

    def _interruption(self, problem: str) -> LLMError:
        facts = error_facts(self.head)
        facts["phase"] = "body"
        return StreamInterruptedError(problem, **facts)

    def _raise_for_stray_lines(self, *, at_end: bool = False) -> None:
        """Raise an error that a server sent outside any event: a JSON object or a list of one, on one or more lines."""
        stray = self._framing.stray_lines
        if not stray:
            return
        data = parse_json(b"\n".join(stray))
        if isinstance(data, dict):
            raise_for_error_body(self.head, data)
        self._raise_for_listed_error(data)
        if data is not NOT_JSON or at_end or sum(map(len, stray)) > MAX_STRAY_BYTES:
            stray.clear()

    def _raise_for_listed_error(self, data: object) -> None:
        """Raise an error in a list of one, as Google's gateways send it (gemini-generate-content.md, section 4)."""
        if isinstance(data, list) and data and isinstance(data[0], dict):
            raise_for_error_body(self.head, data[0])

    def _take_chunks(self) -> list[StreamChunk]:
        chunks, self._chunks = self._chunks, []
        return chunks

    def _answer_facts(self) -> dict[str, bool]:
        return {"has_calls": self.calls.has_calls, "is_refused": self.is_refused}

    def _build_answer(self, reason: StopReason) -> Answer:
        return Answer(
            content=self.text,
            stop_reason=reason,
            usage=self.usage,
            tool_calls=self.calls.build_calls(),
            model=self.model,
            reasoning="".join(self._reasoning),
            turn=self.replay_turn(),
        )


def interrupted_error(error: LLMError) -> LLMError:
    """Return the `StreamInterruptedError` for a connection error in the middle of a stream."""
    problem = "the connection broke in the middle of the stream"
    return StreamInterruptedError(problem, provider=error.provider, model=error.model, phase=error.phase)
