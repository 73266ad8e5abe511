"""The fault lab: every vendor in one process, answering in its own wire format and failing on demand."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import httpx
import pydantic_core

from faultmaven.domain.errors import ConfigurationError
from faultmaven.domain.names import did_you_mean
from faultmaven.testing.lab_replies import HTML, NO_ROUTE, REDIRECT, REPLIES, WRONG_SHAPE, LabReply
from faultmaven.testing.lab_server import serve

IN_PROCESS = "http://lab.invalid"
OVERSIZED_BYTES = 33 * 1024 * 1024

# Routes by the end of their path, most specific first (wire/*.md, section 1 of each).
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/api/chat", "ollama-native"),
    ("POST", "/chat/completions", "openai-chat"),
    ("POST", "/responses", "openai-responses"),
    ("POST", "/messages", "anthropic-messages"),
    ("POST", ":generateContent", "gemini-generate-content"),
    ("POST", "/chat", "cohere-v2-chat"),
    ("POST", "/completion", "llamacpp-completion"),
    ("POST", "/generate", "tgi-generate"),
    ("GET", "/api/tags", "ollama-native"),
    ("GET", "/info", "tgi-generate"),
)

# Dialects whose list route is another one.
NO_MODELS_ROUTE = ("ollama-native", "tgi-generate")

# Faults that need no words of the vendor's.
ANY_DIALECT = ("refused", "reset", "silent", "html", "truncated_json", "wrong_shape", "not_found_route", "redirect")

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

    ```python
    lab = FaultLab()
    lab.script("openai", "overloaded")
    async with open_container(lab.env("openai", "groq"), http_client=lab.client()) as container:
        response = await container.llm().generate("ping")      # groq answers
    ```
    """

    FAULTS: ClassVar[tuple[str, ...]] = (
        "ok",
        "refused",
        "reset",
        "silent",
        "html",
        "truncated_json",
        "wrong_shape",
        "empty",
        "unauthorized",
        "not_found_model",
        "not_found_route",
        "rate_limited",
        "quota",
        "overloaded",
        "server_error",
        "context_too_long",
        "blocked",
        "redirect",
        "oversized",
    )

    def __init__(self) -> None:
        self.requests: list[LabRequest] = []
        self._scripts: dict[str, deque[str]] = defaultdict(deque)

    def env(self, *names: str, address: str = IN_PROCESS) -> dict[str, str]:
        """Return the variables that configure the rows `names` and point them at the lab."""
        variables: dict[str, str] = {}
        for name in names:
            prefix = "LOCAL_LLM" if name == "local" else name.upper()
            base = f"{prefix}_BASE_URL" if name == "local" else f"{prefix}_API_BASE"
            variables[f"{prefix}_API_KEY"] = f"lab-key-{name}"
            variables[base] = f"{address}/{name}{VERSION_PATHS.get(name, '/v1')}"
        return variables

    def script(self, provider: str, *faults: str) -> None:
        """Say what the next requests for `provider` get, one fault each; after them, "ok".

        Raises:
            ConfigurationError: an unknown fault, with the nearest name.
        """
        for fault in faults:
            if fault not in self.FAULTS:
                raise ConfigurationError(f"unknown fault {fault!r}{did_you_mean(fault, self.FAULTS)}")
        self._scripts[provider].extend(faults)

    def asked(self, provider: str) -> list[LabRequest]:
        """Return the requests for `provider`, in order."""
        return [request for request in self.requests if request.provider == provider]

    def documents(self, provider: str, fault: str) -> bool:
        """Return whether the vendor behind `provider` documents a reply for `fault`."""
        own = DIALECTS.get(provider, OPENAI)[0]
        return fault in REPLIES[own] or fault in ANY_DIALECT

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return an httpx transport that is the lab; nothing leaves the process."""
        return _LabTransport(self)

    def client(self) -> httpx.AsyncClient:
        """Return an httpx client over `transport()`; close it after use."""
        return httpx.AsyncClient(transport=self.transport())

    def serve(self) -> AbstractAsyncContextManager[str]:
        """Serve the lab on a free port of the loopback interface; gives its address."""
        return serve(self.respond)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> LabReply | str:
        """Return the reply to a request, or the name of a fault of the connection: refused, reset, silent."""
        path = target.partition("?")[0]
        provider, _, rest = path.lstrip("/").partition("/")
        self.requests.append(LabRequest(provider, method, f"/{rest}", headers, body))
        dialect = _dialect(provider, method, f"/{rest}")
        if dialect is None:
            return NO_ROUTE
        if method == "GET":
            return REPLIES[dialect]["models"]
        script = self._scripts[provider]
        return _reply(dialect, script.popleft() if script else "ok")


def _dialect(provider: str, method: str, path: str) -> str | None:
    """Return what the provider speaks at this route, None where it has no such route."""
    spoken = DIALECTS.get(provider, OPENAI)
    if method == "GET" and path.endswith("/models"):
        return next((name for name in spoken if name not in NO_MODELS_ROUTE), None)
    return next((name for verb, end, name in ROUTES if verb == method and path.endswith(end) and name in spoken), None)


def _reply(dialect: str, fault: str) -> LabReply | str:
    if fault in ("refused", "reset", "silent"):
        return fault
    replies = REPLIES[dialect]
    ok = replies["ok"]
    made = {
        "html": HTML,
        "wrong_shape": WRONG_SHAPE,
        "not_found_route": NO_ROUTE,
        "redirect": REDIRECT,
        "truncated_json": LabReply(200, ok.body[: len(ok.body) // 2], ok.headers),
    }
    if fault == "oversized":
        return LabReply(200, ok.body + b" " * OVERSIZED_BYTES, ok.headers)
    if fault in made:
        return made[fault]
    try:
        return replies[fault]
    except KeyError:
        raise ConfigurationError(f"the vendor of {dialect} documents no reply for {fault!r}") from None


class _LabTransport(httpx.AsyncBaseTransport):
    def __init__(self, lab: FaultLab) -> None:
        self._lab = lab

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        target = request.url.raw_path.decode("ascii")
        reply = self._lab.respond(request.method, target, dict(request.headers), body)
        if isinstance(reply, str):
            return await _break(reply)
        return httpx.Response(reply.status, headers=reply.headers, stream=_Body(reply.body), request=request)


async def _break(fault: str) -> NoReturn:
    if fault == "refused":
        raise httpx.ConnectError("All connection attempts failed") from ConnectionRefusedError(111, "refused")
    if fault == "silent":
        await asyncio.Event().wait()  # until the caller gives up
    raise httpx.ReadError("connection reset")


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), 65536):
            yield self._body[start : start + 65536]
