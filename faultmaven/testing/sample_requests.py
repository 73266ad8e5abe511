"""Sample requests that together cover every kind of request."""

import base64
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import MappingProxyType

import pydantic

from ..application.planning.requirements import required_features
from ..application.validation.request import build_chat_request
from ..domain.attachments import File, Image
from ..domain.messages import Message, Prompt
from ..domain.requests import ChatRequest
from ..domain.responses import LLMResponse
from ..domain.tool_calls import ToolCall
from ..domain.tools import Tool
from ..ports.llm import LLMProvider, LLMStream, Options

# A PNG image of one transparent pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

# A PDF document of one empty page.
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""

COUNT_RESTARTS = Tool(
    "count_restarts",
    "Count how often a pod restarted.",
    {"type": "object", "properties": {"pod": {"type": "string"}}, "required": ["pod"]},
)
RESTARTS_CALL = ToolCall("call_1", "count_restarts", {"pod": "web-1"}, '{"pod":"web-1"}')


class Diagnosis(pydantic.BaseModel):
    """The response format of the sample `structured_output`."""

    cause: str
    confidence: float


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A request with its options, for any provider."""

    name: str
    prompt: Prompt = field(repr=False)
    options: Options = field(default_factory=Options)
    max_tokens: int | None = None
    temperature: float | None = None

    @property
    def request(self) -> ChatRequest:
        """The request that the `answer` method of a provider receives."""
        return build_chat_request(self.prompt, None, self.max_tokens, self.temperature, self.options)

    @property
    def needs(self) -> tuple[str, ...]:
        """The features that a provider needs for this request, such as "tools", "schema", "images" or "files"."""
        return required_features(self.request)

    async def ask(self, llm: LLMProvider) -> LLMResponse:
        """Send the request to `llm` and return its response; raises the errors of `generate`."""
        return await llm.generate(self.prompt, None, self.max_tokens, self.temperature, **self.options)

    def stream(self, llm: LLMProvider) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context manager that sends the request to `llm` as a stream."""
        return llm.stream(self.prompt, None, self.max_tokens, self.temperature, **self.options)


_SAMPLES = (
    SampleRequest("text", "Why does my pod restart?"),
    SampleRequest(
        "conversation",
        [
            Message.system("Be terse."),
            Message.user("What is exit code 137?"),
            Message.assistant("SIGKILL, mostly for want of memory."),
            Message.user("And 143?"),
        ],
    ),
    SampleRequest("tool_offer", "How often did web-1 restart?", {"tools": [COUNT_RESTARTS], "tool_choice": "auto"}),
    SampleRequest(
        "tool_result",
        [
            Message.user("How often did web-1 restart?"),
            Message.assistant(tool_calls=[RESTARTS_CALL]),
            Message.tool(RESTARTS_CALL.id, "7 times"),
        ],
        {"tools": [COUNT_RESTARTS]},
    ),
    SampleRequest("image", [Message.user("What does it show?", Image.from_bytes(PNG, "image/png"))]),
    SampleRequest("image_address", [Message.user("And this?", Image.from_url("https://example.com/dashboard.png"))]),
    SampleRequest("file", [Message.user("Sum it up.", File.from_bytes(PDF, "application/pdf", name="postmortem.pdf"))]),
    SampleRequest("structured_output", "Why does my pod restart?", {"response_format": Diagnosis}),
    SampleRequest("json", "Say why, as JSON.", {"response_format": "json"}),
    SampleRequest(
        "settings", "Say pong.", {"stop": ["END"], "seed": 7, "reasoning": "low"}, max_tokens=16, temperature=0
    ),
    SampleRequest("long_prompt", "OOMKilled at 03:00, restarted at 03:01. " * 2000),
    SampleRequest("unicode", '¿Por qué? 为什么? \u05dc\u05de\u05d4 🔥👩‍🚒 e\u0301 \u202e\u202c "quoted" \\ \t\n</s>'),
)

SAMPLE_REQUESTS: Mapping[str, SampleRequest] = MappingProxyType({sample.name: sample for sample in _SAMPLES})
"""The samples by name: text, conversation, tool_offer, tool_result, image, image_address, file, structured_output,
json, settings, long_prompt, unicode."""
