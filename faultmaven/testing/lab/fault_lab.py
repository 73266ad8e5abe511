"""FaultLab: routes requests to simulated vendors and selects their replies."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
import pydantic_core

from ...domain.errors import ConfigurationError
from ...domain.names import did_you_mean
from ...infrastructure.clock import SystemClock
from ...ports.clock import Clock
from .conversations import conversation_errors
from .faults import FAULTS, STREAM_FAULTS, Fault
from .in_process import LabTransport
from .replies.stream_replies import TOOL_CALLS_REPLY, stream_reply, tool_calls
from .replies.table import CONNECTION_FAULTS, REPLIES, is_documented, reply_to
from .reply import NO_ROUTE, LabReply
from .server import serve

IN_PROCESS = "http://lab.invalid"

# Routes by the end of their path, most specific first (wire reference, section 1 of each dialect's file).
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/api/chat", "ollama-native"),
    ("POST", "/chat/completions", "openai-chat"),
    ("POST", "/responses", "openai-responses"),
    ("POST", "/messages", "anthropic-messages"),
    ("POST", ":generateContent", "gemini-generate-content"),
    ("POST", ":streamGenerateContent", "gemini-generate-content"),
    ("POST", "/generate_stream", "tgi-generate"),
    ("POST", "/chat", "cohere-v2-chat"),
    ("POST", "/completion", "llamacpp-completion"),
    ("POST", "/generate", "tgi-generate"),
    ("GET", "/api/tags", "ollama-native"),
    ("GET", "/info", "tgi-generate"),
)

# Dialects whose list of models has another route than /models.
DIALECTS_WITHOUT_MODELS_ROUTE = ("ollama-native", "tgi-generate")

# The version path of each provider's base URL; others are "/v1".
VERSION_PATHS = {
    "gemini": "/v1beta",
    "cohere": "/v2",
    "deepseek": "",
    "tgi": "",
    "ollama": "",
    "llamacpp": "",
    "local": "",
}
# The dialects of each provider, its main one first. Other providers have those of OpenAI, since most vendors speak
# OpenAI Chat: the provider of a new dialect needs an entry here.
OPENAI_DIALECTS = ("openai-chat", "openai-responses")
DIALECTS_BY_PROVIDER: dict[str, tuple[str, ...]] = {
    "anthropic": ("anthropic-messages",),
    "gemini": ("gemini-generate-content",),
    "cohere": ("cohere-v2-chat",),
    "ollama": ("ollama-native", "openai-chat"),
    "llamacpp": ("llamacpp-completion", "openai-chat"),
    "tgi": ("tgi-generate", "openai-chat"),
}
# By the main dialect of a provider that is added to a lab: all dialects of that provider.
DIALECTS_BY_MAIN: dict[str, tuple[str, ...]] = {
    dialects[0]: dialects for dialects in (OPENAI_DIALECTS, *DIALECTS_BY_PROVIDER.values())
}
DIALECTS_BY_MAIN["openai-responses"] = ("openai-responses", "openai-chat")


@dataclass(frozen=True, slots=True)
class LabRequest:
    """One request as the lab received it."""

    provider: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The decoded body."""
        return pydantic_core.from_json(self.body)


class FaultLab:
    """Simulates the vendor of every provider, under `<address>/<provider>/...`; scripts select the replies.

    A conversation that its vendor would refuse gets a 400, and `refusals` holds the reasons, such as a tool call
    without a result or another vendor's signature. Beside the faults, a script may contain "tool_calls": a response
    with two calls of `get_weather`.

    ```python
    lab = FaultLab()
    lab.script("openai", "overloaded")
    async with open_container(lab.env("openai", "groq"), http_client=lab.client()) as container:
        response = await container.llm().generate("ping")      # groq answers
    ```
    """

    FAULTS: ClassVar[Mapping[str, Fault]] = FAULTS
    STREAM_FAULTS: ClassVar[Mapping[str, Fault]] = STREAM_FAULTS

    def __init__(self, clock: Clock | None = None) -> None:
        """Simulate vendors without faults until a script sets one.

        Args:
            clock: The clock of the lab's own waits: those of a silent vendor, and those between the bytes of a trickle.
                None is the machine's clock.
        """
        self.requests: list[LabRequest] = []
        self.refusals: list[str] = []
        self._clock = clock or SystemClock()
        self._scripts: dict[str, deque[str]] = defaultdict(deque)
        self._always: dict[str, str] = {}
        self._dialects = dict(DIALECTS_BY_PROVIDER)
        self._version_paths = dict(VERSION_PATHS)
        self._open_replies: set[Callable[[], bool]] = set()

    @property
    def open_replies(self) -> int:
        """The number of replies that are still being sent and that no client has closed."""
        return sum(is_open() for is_open in list(self._open_replies))

    def add(self, provider: str, dialect: str) -> None:
        """Assign `dialect`, such as "anthropic-messages", to `provider`.

        Providers that are neither added nor known to the lab speak "openai-chat" and "openai-responses".

        Raises:
            ConfigurationError: an unknown dialect, with the nearest name.
        """
        main = dialect.partition("/")[0]
        if main not in DIALECTS_BY_MAIN:
            raise ConfigurationError(f"unknown dialect {dialect!r}{did_you_mean(dialect, DIALECTS_BY_MAIN)}")
        self._dialects[provider] = DIALECTS_BY_MAIN[main]
        shipped = next((name for name, dialects in DIALECTS_BY_PROVIDER.items() if dialects[0] == main), provider)
        self._version_paths[provider] = VERSION_PATHS.get(shipped, "/v1")

    def base_url(self, provider: str, address: str = IN_PROCESS) -> str:
        """Return the base URL of `provider` in the lab, with the version path that the dialect documents."""
        return f"{address}/{provider}{self._version_paths.get(provider, '/v1')}"

    def env(self, *names: str, address: str = IN_PROCESS) -> dict[str, str]:
        """Return the environment variables that configure the rows `names` with base URLs of the lab."""
        variables: dict[str, str] = {}
        for name in names:
            prefix = "LOCAL_LLM" if name == "local" else name.upper()
            base = f"{prefix}_BASE_URL" if name == "local" else f"{prefix}_API_BASE"
            variables[f"{prefix}_API_KEY"] = f"lab-key-{name}"
            variables[base] = self.base_url(name, address)
        return variables

    def script(self, provider: str, *faults: str) -> None:
        """Set the faults of the next requests for `provider`, one for each request; `always` applies to later ones.

        A prompt is one request. Only local servers may get several, since their provider retries another route after a
        404: use `always` for them.

        Raises:
            ConfigurationError: an unknown fault, with the nearest name.
        """
        self._check_names(*faults)
        self._scripts[provider].extend(faults)

    def always(self, provider: str, fault: str) -> None:
        """Set the fault of all requests for `provider` after its script; the initial value is "ok".

        Raises:
            ConfigurationError: an unknown fault, with the nearest name.
        """
        self._check_names(fault)
        self._always[provider] = fault

    def asked(self, provider: str) -> list[LabRequest]:
        """Return the requests for `provider`, in order."""
        return [request for request in self.requests if request.provider == provider]

    def documents(self, provider: str, fault: str) -> bool:
        """Return whether the vendor of `provider` documents a reply for `fault`, or the fault needs no vendor text.

        For other faults the lab builds a reply in the shape that the vendor documents.
        """
        return is_documented(self.dialect(provider), fault)

    def dialect(self, provider: str) -> str:
        """Return the main dialect of `provider`."""
        return self._dialects_of(provider)[0]

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return an httpx transport that sends requests to the lab inside the process."""
        return LabTransport(self.respond, self._clock, self._open_replies)

    def client(self) -> httpx.AsyncClient:
        """Return an httpx client over `transport()`; the caller closes the client."""
        return httpx.AsyncClient(transport=self.transport())

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve the lab on a free port of the loopback interface; the context yields the address."""
        return serve(self.respond, self._clock, self._open_replies)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply to a request, or the name of a connection fault.

        Requests for the list of models always succeed: faults apply to prompts only.
        """
        path = target.partition("?")[0]
        provider, _, rest = path.lstrip("/").partition("/")
        self.requests.append(LabRequest(provider, method, f"/{rest}", headers, body))
        dialect = _dialect_of_route(self._dialects_of(provider), method, f"/{rest}")
        if dialect is None:
            return NO_ROUTE
        if method == "GET":
            return REPLIES[dialect]["models"]
        script = self._scripts[provider]
        fault = script.popleft() if script else self._always.get(provider, "ok")
        if fault in CONNECTION_FAULTS:
            return fault
        if errors := conversation_errors(dialect, body):
            self.refusals += errors
            return reply_to(dialect, "bad_request")
        if fault == TOOL_CALLS_REPLY:
            return tool_calls(dialect, stream=_requests_stream(path, body))
        return stream_reply(dialect, fault) if _requests_stream(path, body) else reply_to(dialect, fault)

    def _dialects_of(self, provider: str) -> tuple[str, ...]:
        return self._dialects.get(provider, OPENAI_DIALECTS)

    def _check_names(self, *faults: str) -> None:
        known = (*self.FAULTS, *self.STREAM_FAULTS, TOOL_CALLS_REPLY)
        for fault in faults:
            if fault not in known:
                raise ConfigurationError(f"unknown fault {fault!r}{did_you_mean(fault, known)}")


def _requests_stream(path: str, body: bytes) -> bool:
    """Return whether a request is for a stream, by its route or by its body."""
    if path.endswith((":streamGenerateContent", "/generate_stream")):
        return True
    request = pydantic_core.from_json(body) if body else {}
    return isinstance(request, dict) and request.get("stream") is True


def _dialect_of_route(dialects: tuple[str, ...], method: str, path: str) -> str | None:
    """Return the one of `dialects` that has this route, None for an unknown route."""
    if method == "GET" and path.endswith("/models"):
        return next((name for name in dialects if name not in DIALECTS_WITHOUT_MODELS_ROUTE), None)
    matches = (name for verb, ending, name in ROUTES if verb == method and path.endswith(ending) and name in dialects)
    return next(matches, None)
