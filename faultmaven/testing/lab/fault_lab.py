"""FaultLab: who is asked over which route, and what each one's next reply is."""

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
from .conversations import refused
from .faults import FAULTS, STREAM_FAULTS, Fault
from .in_process import LabTransport
from .replies.stream_replies import TOOL_CALLS_ASKED, stream_reply, tool_calls
from .replies.table import OF_THE_CONNECTION, REPLIES, is_documented, reply_to
from .reply import NO_ROUTE, LabReply
from .server import serve

IN_PROCESS = "http://lab.invalid"

# Routes by the end of their path, most specific first (wire/*.md, section 1 of each).
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

# Dialects whose list route is another one.
NO_MODELS_ROUTE = ("ollama-native", "tgi-generate")

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
# What each provider speaks, its own dialect first; others speak OpenAI's.
OPENAI = ("openai-chat", "openai-responses")
DIALECTS: dict[str, tuple[str, ...]] = {
    "anthropic": ("anthropic-messages",),
    "gemini": ("gemini-generate-content",),
    "cohere": ("cohere-v2-chat",),
    "ollama": ("ollama-native", "openai-chat"),
    "llamacpp": ("llamacpp-completion", "openai-chat"),
    "tgi": ("tgi-generate", "openai-chat"),
}
# The dialects that a provider added to a lab may speak, with what else is spoken beside each.
SPOKEN: dict[str, tuple[str, ...]] = {dialects[0]: dialects for dialects in (OPENAI, *DIALECTS.values())}
SPOKEN["openai-responses"] = ("openai-responses", "openai-chat")


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
    """Answers for every provider, under `<address>/<provider>/...`; scripts decide how.

    A conversation that its vendor would refuse gets a 400, and `refusals` says why: calls without results, signatures
    that are somebody else's. Beside the faults, a script may say "tool_calls": two calls of `get_weather`.

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
        """Begin with every vendor well.

        Args:
            clock: What the lab's own waits go through: a silent vendor's, and those between the bytes of a trickle.
                None is the machine's.
        """
        self.requests: list[LabRequest] = []
        self.refusals: list[str] = []
        self._clock = clock or SystemClock()
        self._scripts: dict[str, deque[str]] = defaultdict(deque)
        self._always: dict[str, str] = {}
        self._dialects = dict(DIALECTS)
        self._version_paths = dict(VERSION_PATHS)
        self._under_way: set[Callable[[], bool]] = set()

    @property
    def open_replies(self) -> int:
        """How many replies are still on their way to a client that has not closed them."""
        return sum(is_open() for is_open in list(self._under_way))

    def add(self, provider: str, dialect: str) -> None:
        """Let `provider` speak `dialect`, such as "anthropic-messages"; names that were not added speak OpenAI's.

        Raises:
            ConfigurationError: an unknown dialect, with the nearest name.
        """
        spoken = dialect.partition("/")[0]
        if spoken not in SPOKEN:
            raise ConfigurationError(f"unknown dialect {dialect!r}{did_you_mean(dialect, SPOKEN)}")
        self._dialects[provider] = SPOKEN[spoken]
        usual = next((name for name, dialects in DIALECTS.items() if dialects[0] == spoken), provider)
        self._version_paths[provider] = VERSION_PATHS.get(usual, "/v1")

    def base_url(self, provider: str, address: str = IN_PROCESS) -> str:
        """Return the base URL at which `provider` answers, with the version path that its dialect documents."""
        return f"{address}/{provider}{self._version_paths.get(provider, '/v1')}"

    def env(self, *names: str, address: str = IN_PROCESS) -> dict[str, str]:
        """Return the variables that configure the rows `names` and point them at the lab."""
        variables: dict[str, str] = {}
        for name in names:
            prefix = "LOCAL_LLM" if name == "local" else name.upper()
            base = f"{prefix}_BASE_URL" if name == "local" else f"{prefix}_API_BASE"
            variables[f"{prefix}_API_KEY"] = f"lab-key-{name}"
            variables[base] = self.base_url(name, address)
        return variables

    def script(self, provider: str, *faults: str) -> None:
        """Say what the next requests for `provider` get, one fault each; after them, what `always` says.

        A prompt is one request, except to local servers, which are asked once more after a 404: use `always` there.

        Raises:
            ConfigurationError: an unknown fault, with the nearest name.
        """
        self._check(*faults)
        self._scripts[provider].extend(faults)

    def always(self, provider: str, fault: str) -> None:
        """Say what every further request for `provider` gets once its script is played; "ok" in the beginning.

        Raises:
            ConfigurationError: an unknown fault, with the nearest name.
        """
        self._check(fault)
        self._always[provider] = fault

    def asked(self, provider: str) -> list[LabRequest]:
        """Return the requests for `provider`, in order."""
        return [request for request in self.requests if request.provider == provider]

    def documents(self, provider: str, fault: str) -> bool:
        """Return whether the vendor behind `provider` documents a reply for `fault`, or whether it needs no words.

        For the others the lab makes a reply in the vendor's documented shape.
        """
        return is_documented(self.dialect(provider), fault)

    def dialect(self, provider: str) -> str:
        """Return the dialect that `provider` speaks before any other."""
        return self._spoken(provider)[0]

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return an httpx transport that is the lab; nothing leaves the process."""
        return LabTransport(self.respond, self._clock, self._under_way)

    def client(self) -> httpx.AsyncClient:
        """Return an httpx client over `transport()`; close it after use."""
        return httpx.AsyncClient(transport=self.transport())

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve the lab on a free port of the loopback interface; gives its address."""
        return serve(self.respond, self._clock, self._under_way)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply to a request, or the name of a fault of the connection.

        Lists of models are always given: the faults are for prompts.
        """
        path = target.partition("?")[0]
        provider, _, rest = path.lstrip("/").partition("/")
        self.requests.append(LabRequest(provider, method, f"/{rest}", headers, body))
        dialect = _dialect(self._spoken(provider), method, f"/{rest}")
        if dialect is None:
            return NO_ROUTE
        if method == "GET":
            return REPLIES[dialect]["models"]
        script = self._scripts[provider]
        fault = script.popleft() if script else self._always.get(provider, "ok")
        if fault in OF_THE_CONNECTION:
            return fault
        wrong = refused(dialect, body)
        if wrong:
            self.refusals += wrong
            return reply_to(dialect, "bad_request")
        if fault == TOOL_CALLS_ASKED:
            return tool_calls(dialect, stream=_wants_stream(path, body))
        return stream_reply(dialect, fault) if _wants_stream(path, body) else reply_to(dialect, fault)

    def _spoken(self, provider: str) -> tuple[str, ...]:
        return self._dialects.get(provider, OPENAI)

    def _check(self, *faults: str) -> None:
        known = (*self.FAULTS, *self.STREAM_FAULTS, TOOL_CALLS_ASKED)
        for fault in faults:
            if fault not in known:
                raise ConfigurationError(f"unknown fault {fault!r}{did_you_mean(fault, known)}")


def _wants_stream(path: str, body: bytes) -> bool:
    """Return whether a request asks for a stream: by its route, or in its body."""
    if path.endswith((":streamGenerateContent", "/generate_stream")):
        return True
    asked = pydantic_core.from_json(body) if body else {}
    return isinstance(asked, dict) and asked.get("stream") is True


def _dialect(spoken: tuple[str, ...], method: str, path: str) -> str | None:
    """Return which of the dialects `spoken` has this route, None where none has."""
    if method == "GET" and path.endswith("/models"):
        return next((name for name in spoken if name not in NO_MODELS_ROUTE), None)
    return next((name for verb, end, name in ROUTES if verb == method and path.endswith(end) and name in spoken), None)
