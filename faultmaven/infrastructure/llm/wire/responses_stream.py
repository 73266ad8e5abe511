"""The stream of OpenAI Responses. Source: openai-responses.md, section 4, 2026-11-23."""

from dataclasses import replace

from faultmaven.infrastructure.http.types import Json, WireReply
from faultmaven.infrastructure.llm.wire.errors import error_from_json, vendor_error
from faultmaven.infrastructure.llm.wire.framing import ServerSentEvents
from faultmaven.infrastructure.llm.wire.protocol import Answer
from faultmaven.infrastructure.llm.wire.reading import object_or_empty, objects, string_or_empty
from faultmaven.infrastructure.llm.wire.responses_reading import PASSING_CODES, read_answer
from faultmaven.infrastructure.llm.wire.streaming import EventParser

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
CALLS = ("function_call", "custom_tool_call")


class ResponseStream(EventParser):
    """Named events; a terminal one holds the status and the counts, the items come before it."""

    def __init__(self, head: WireReply) -> None:
        super().__init__(head, ServerSentEvents())
        self._items: dict[int, Json] = {}
        self._final: Json = {}

    @property
    def may_end(self) -> bool:
        """Whether a terminal event came."""
        return self.ended

    def read(self, name: str, data: Json) -> None:
        """Take note of one event; unknown ones are passed over."""
        kind = string_or_empty(data.get("type"))
        place = data.get("output_index")
        item = object_or_empty(data.get("item"))
        match kind:
            case "response.output_text.delta":
                self.say(string_or_empty(data.get("delta")))
            case "response.refusal.delta":
                self.refused = True
                self.say(string_or_empty(data.get("delta")))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self.think(string_or_empty(data.get("delta")))
            case "response.output_item.added" if item.get("type") in CALLS:
                self.call(_index(place), string_or_empty(item.get("call_id")), string_or_empty(item.get("name")), "")
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                self.call(_index(place), "", "", string_or_empty(data.get("delta")))
            case "response.output_item.done" if item:
                self._items[_index(place)] = item  # only now is what is encrypted in it complete
            case "error":
                self._fail({"error": object_or_empty(data.get("error")) or data})
            case _ if kind in TERMINAL:
                self._finish(object_or_empty(data.get("response")))

    def close(self) -> Answer:
        """Return the whole answer; see `StreamParser`."""
        streamed = super().close()  # raises where there was no end
        items = [self._items[place] for place in sorted(self._items)] or objects(self._final.get("output"))
        told = read_answer(self.head, self._final, items)
        # What was given out as it came is the answer; the items are for the vendor.
        return replace(
            told,
            content=streamed.content,
            reasoning=streamed.reasoning,
            tool_calls=streamed.tool_calls,
            model=told.model or self.model,
        )

    def _finish(self, response: Json) -> None:
        self._final = response
        items = objects(response.get("output"))
        told = read_answer(self.head, response, items or [self._items[place] for place in sorted(self._items)])
        self.model = told.model
        if not self.text and told.content:  # a server that sends no deltas
            self.say(told.content)
        self.count(told.usage)
        self.ended = True

    def _fail(self, told: Json) -> None:
        found = error_from_json(told)
        is_passing = any(code in PASSING_CODES for code in found.codes) or not found.codes
        raise vendor_error(self.head, found, status=500 if is_passing else 400)


def _index(place: object) -> int:
    return place if isinstance(place, int) else 0
