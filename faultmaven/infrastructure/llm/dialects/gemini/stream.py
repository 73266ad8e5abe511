"""Stream parser of Gemini, where every event is a response. Source: wire reference, gemini-generate-content.md 4."""

from ....http.types import Json, WireReply
from ..protocol import Answer
from ..shared.framing import ServerSentEvents
from ..shared.reading import object_or_empty, objects_in, string_or_empty
from ..shared.streaming import EventParser
from .response import (
    STOP_REASONS,
    is_thought,
    raise_for_failure,
    read_block_reason,
    read_function_call,
    read_usage,
    replay_parts,
)


class GeminiStream(EventParser):
    """Parser of response events. The stream has no end marker: after a finish reason, the connection ends."""

    stop_reasons = STOP_REASONS
    ends_with_reason = True

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._parts_for_replay = _MessageParts()
        self._call_count = 0

    def read(self, name: str, data: Json) -> None:
        """Read one response; see `EventParser.read`."""
        self.model = string_or_empty(data.get("modelVersion")) or self.model
        usage = read_usage(data.get("usageMetadata"))
        if usage != self.usage:  # most events repeat the counts
            self.set_usage(usage)
        blocked = read_block_reason(data)
        if blocked:
            self.is_refused, self.reason = True, blocked
        for candidate in objects_in(data.get("candidates")):
            if not candidate.get("index"):  # only the first; the API may omit the index 0
                self._read_candidate(candidate)

    def _read_candidate(self, candidate: Json) -> None:
        for part in objects_in(object_or_empty(candidate.get("content")).get("parts")):
            self._read_part(part)
        self.reason = string_or_empty(candidate.get("finishReason")) or self.reason

    def _read_part(self, part: Json) -> None:
        self._parts_for_replay.add(part)
        text = string_or_empty(part.get("text"))
        if is_thought(part):
            self.add_reasoning(text)
        else:
            self.add_text(text)
        call = read_function_call(part)
        if call is not None:
            self.add_call(self._call_count, *call)
            self._call_count += 1

    def replay_turn(self) -> object:
        """Return the parts for replay, None where no part is opaque."""
        return replay_parts(self._parts_for_replay.build())

    def close(self) -> Answer:
        """Return the complete answer; see `StreamParser`.

        Raises:
            ProviderError: the model failed, and the answer has neither text nor tool calls.
        """
        answer = super().close()
        raise_for_failure(self.head, self.reason, answer)
        return answer


class _MessageParts:
    """Parts of a message for replay: adjacent plain texts are merged, all other parts stay unchanged.

    Source: ai.google.dev/gemini-api/docs/thought-signatures (2026-11): a part with a signature is never merged.
    """

    def __init__(self) -> None:
        self._parts: list[Json] = []
        self._texts: list[str] = []
        self._is_thought = False

    def add(self, part: Json) -> None:
        if not part.keys() <= {"text", "thought"}:
            self._end_text()
            self._parts.append(part)
            return
        if is_thought(part) != self._is_thought:
            self._end_text()
            self._is_thought = is_thought(part)
        self._texts.append(string_or_empty(part.get("text")))

    def build(self) -> list[Json]:
        return [*self._parts, *self._open_text()]

    def _end_text(self) -> None:
        self._parts += self._open_text()
        self._texts = []

    def _open_text(self) -> list[Json]:
        text = "".join(self._texts)
        if not text:
            return []
        return [{"text": text, "thought": True} if self._is_thought else {"text": text}]
