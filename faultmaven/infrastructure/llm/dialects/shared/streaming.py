"""What all dialects' stream parsers share: events to JSON, errors inside a 200, and an answer that grows."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping

from .....domain.errors import LLMError, MalformedResponseError, StreamInterruptedError
from .....domain.responses import StopReason, StreamChunk
from .....domain.usage import Usage
from ....http.types import Json, WireReply
from ..protocol import Answer
from .errors import raise_for_error_body
from .framing import Event, Framing
from .outcomes import map_stop_reason
from .reading import NOT_JSON, error_facts, json_type_name, malformed_error, parse_json
from .streamed_calls import StreamedCalls

DONE = b"[DONE]"
MAX_STRAY_BYTES = 65536


class EventParser(ABC):
    """A stream of JSON events. A dialect gives `read`, which puts what an event brings into the parts below.

    Attributes:
        head: The reply that began the stream: errors take their status, their headers and the request's facts from it.
        reason: How the answer ended, in the vendor's word; "" as long as it has not said so.
        ended: See `StreamParser`.
        stop_reasons: The vendor's words for how an answer ends.
        ends_with_done: Whether `[DONE]` is the end marker. Elsewhere a proxy may have added it, and it says nothing.
        ends_with_reason: Whether the answer is whole with its reason; elsewhere the end marker alone tells.
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
        """Take note of one event: with `say`, `think`, `call`, `count`, and by setting `reason`, `model` and `ended`.

        Args:
            name: The event's name, "" where it has none.
        """

    def replay_turn(self) -> object:
        """Return the turn as the vendor wants it back; a dialect with something opaque overrides this."""
        return None

    @property
    def may_end(self) -> bool:
        """Whether what makes the answer whole is here."""
        return self.has_ended or (self.ends_with_reason and bool(self.reason))

    def feed(self, block: bytes) -> list[StreamChunk]:
        """Return what the next bytes bring; see `StreamParser`."""
        if self._failure is not None:
            raise self._failure
        try:
            for event in self._framing.feed(block):
                self._take(event)
            self._look_at_stray_lines()
        except LLMError as error:
            if not self._chunks:
                raise
            self._failure = error  # what came before it is given out first
        return self._given()

    def flush(self) -> list[StreamChunk]:
        """Return what the end of the bytes completes; see `StreamParser`."""
        if self._failure is not None:
            raise self._failure
        for event in self._framing.close():
            with contextlib.suppress(MalformedResponseError):  # the end has cut it: `close` sees whether that matters
                self._take(event)
        self._look_at_stray_lines(at_end=True)
        return self._given()

    def close(self) -> Answer:
        """Return the whole answer; see `StreamParser`."""
        if not self.may_end:
            raise self._cut("the stream ended without its end marker")
        return self._answer(map_stop_reason(self.reason, self.stop_reasons, **self._endings()))

    def partial(self) -> Answer:
        """Return what came so far."""
        return self._answer(StopReason.UNKNOWN)

    def add_text(self, text: str) -> None:
        """Add to the answer."""
        if text:
            self._text.append(text)
            self._chunks.append(StreamChunk(text=text))

    def add_reasoning(self, text: str) -> None:
        """Add to what the model thinks."""
        if text:
            self._reasoning.append(text)
            self._chunks.append(StreamChunk(reasoning=text))

    def add_call(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        """Add to a tool call; see `StreamedCalls.add`."""
        delta = self.calls.add(index, call_id, name, arguments)
        if delta is not None:
            self._chunks.append(StreamChunk(tool_call=delta))

    def set_usage(self, usage: Usage | None) -> None:
        """Put newer counts in the place of those before."""
        if usage is not None:
            self.usage = usage
            self._chunks.append(StreamChunk(usage=usage))

    @property
    def text(self) -> str:
        """The answer so far; it is put together anew each time."""
        return "".join(self._text)

    @property
    def has_text(self) -> bool:
        """Whether anything of the answer came."""
        return bool(self._text)

    def _take(self, event: Event) -> None:
        if self.has_ended:
            return  # whatever comes after the end marker is none of the answer
        if event.data.startswith(DONE):
            if self.ends_with_done and not self.reason:  # a proxy closes so what was cut behind it
                raise self._cut("the stream ended without saying how the answer ended")
            self.has_ended = self.ends_with_done
            return
        data = parse_json(event.data)
        if not isinstance(data, dict):
            self._raise_for_listed_error(data)
            told = "no JSON" if data is NOT_JSON else f"a JSON {json_type_name(data)}, not an object"
            raise malformed_error(self.head, f"an event of the stream is {told}")
        raise_for_error_body(self.head, data)
        self.read(event.name, data)

    def _cut(self, problem: str) -> LLMError:
        facts = error_facts(self.head)
        facts["phase"] = "body"
        return StreamInterruptedError(problem, **facts)

    def _look_at_stray_lines(self, *, at_end: bool = False) -> None:
        """An error that is no event: a JSON object, or a list of one, possibly over several lines."""
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
        """Google's gateways put the error into a list of one (gemini-generate-content.md, section 4)."""
        if isinstance(data, list) and data and isinstance(data[0], dict):
            raise_for_error_body(self.head, data[0])

    def _given(self) -> list[StreamChunk]:
        chunks, self._chunks = self._chunks, []
        return chunks

    def _endings(self) -> dict[str, bool]:
        return {"has_calls": self.calls.has_calls, "is_refused": self.is_refused}

    def _answer(self, reason: StopReason) -> Answer:
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
    """Return the error of a connection that broke in the middle of a stream, as what it is to the caller."""
    problem = "the connection broke in the middle of the stream"
    return StreamInterruptedError(problem, provider=error.provider, model=error.model, phase=error.phase)
