"""No key, prompt or answer leaks into errors, logs or `repr` texts. Each test uses recognisable sensitive texts."""

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from faultmaven import AllProvidersFailedError, Container, LLMError, Message, create_container, open_container
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA
from faultmaven.infrastructure.logging import configure_logging
from faultmaven.testing import FakeProvider, FaultLab

KEY = "Zq7wXk2pLm9vRt4yBn6c"
PROMPT = "Vx8tNb4qHj6sDf2gKl0m is what our database says"
ANSWER = "Yw3rPz5uCe1iGo7aTk9x is what the model says"
SENSITIVE = {"key": KEY, "prompt": PROMPT, "answer": ANSWER}

KEYED_ROWS = [name for name, row in PROVIDER_SCHEMA.items() if "api_key_var" in row]


def echo_request(status: int, content_type: str = "application/json") -> Callable[[httpx.Request], httpx.Response]:
    """Return a handler that echoes the whole request in the reply, as the worst vendor error would."""

    def handle(request: httpx.Request) -> httpx.Response:
        text = f"{dict(request.headers)} {request.content.decode()} {request.url} {ANSWER} {KEY[:8]} {PROMPT[:8]}"
        error = {"message": text, "type": text[:60], "code": KEY, "param": PROMPT}
        body = json.dumps({"error": error, "detail": text, "message": text}).encode()
        headers = {"content-type": content_type, "x-request-id": KEY, "retry-after": KEY}
        return httpx.Response(status, content=body if "json" in content_type else text.encode(), headers=headers)

    return handle


def truncated_reply(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=f'{{"choices":[{{"message":{{"content":"{ANSWER}"'.encode())


def malformed_reply(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": [ANSWER, KEY, PROMPT]}], "content": ANSWER})


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"no way to {request.url}")


FAILURES = {
    **{
        f"echo {status}": echo_request(status)
        for status in (200, 302, 400, 401, 402, 403, 404, 413, 422, 429, 498, 500, 529)
    },
    "echo html": echo_request(500, "text/html"),
    "echo html in a 200": echo_request(200, "text/html"),
    "truncated reply": truncated_reply,
    "malformed reply": malformed_reply,
    "unreachable": unreachable,
}


class RecordingHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.getMessage()} {record.__dict__}")


@pytest.fixture
def logs() -> Iterator[list[str]]:
    """Record the log records of faultmaven from DEBUG up, as texts with all fields."""
    handler = RecordingHandler()
    logger = logging.getLogger("faultmaven")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.texts
    logger.removeHandler(handler)
    logger.setLevel(level)


def assert_clean(where: str, text: str, allowed: tuple[str, ...] = ()) -> None:
    for kind, sensitive in SENSITIVE.items():
        for piece in (sensitive, sensitive[:8]):
            assert kind in allowed or piece not in text, f"{where} shows the {kind}: ...{text[:2000]}"


def package_frames_with_locals(error: BaseException) -> str:
    """Return the locals of each package frame in the traceback and in the causes, as a crash reporter prints them."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts: list[str] = []
    chain: list[traceback.TracebackException | None] = [shown, shown.__cause__, shown.__context__]
    for link in filter(None, chain):
        texts += [str(frame.locals) for frame in link.stack if "/tests/" not in frame.filename]
        texts += list(link.format_exception_only())
    return "\n".join(texts)


def env_of(name: str) -> dict[str, str]:
    row = PROVIDER_SCHEMA[name]
    env = {row["api_key_var"]: KEY, row["base_url_var"]: "https://vendor.invalid/v1", row["model_var"]: "m"}
    return env | {"CHAT_PROVIDER": name}


async def failing_call(name: str, handle: Callable[[httpx.Request], httpx.Response]) -> LLMError:
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client,
        open_container({**env_of(name), "LLM_MAX_RETRIES": "0"}, http_client=client) as container,
    ):
        try:
            await container.llm().generate([Message.system(PROMPT), Message.user(PROMPT)])
        except LLMError as error:
            return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", KEYED_ROWS)
def test_failure_exposes_no_sensitive_text(name: str, failure: str, logs: list[str]) -> None:
    error = asyncio.run(failing_call(name, FAILURES[failure]))
    assert_clean("str", str(error))
    assert_clean("repr", repr(error) + repr(error.attempts) + repr(vars(error)))
    assert_clean("pickle", pickle.dumps(error).decode("latin-1"))
    assert_clean("traceback", package_frames_with_locals(error))
    assert_clean("vendor_message", error.vendor_message, allowed=("prompt", "answer"))
    assert logs
    for line in logs:
        assert_clean("log", line)


def test_unpickled_error_equals_original() -> None:
    error = asyncio.run(failing_call("openai", echo_request(429)))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in the same line
    assert (type(copy), str(copy), copy.status, copy.attempts) == (type(error), str(error), 429, error.attempts)
    combined = AllProvidersFailedError([error, error], attempts=error.attempts)
    assert str(pickle.loads(pickle.dumps(combined))) == str(combined)  # noqa: S301 - pickled in the same line


async def test_success_exposes_no_sensitive_text(logs: list[str]) -> None:
    provider = FakeProvider(ANSWER, name="fake")
    async with open_container(providers={"fake": provider}) as container:
        response = await container.llm().generate(PROMPT)
    assert response.content == ANSWER
    shown = [repr(response), repr(response.attempts), repr(provider.requests), repr(provider.requests[0].messages)]
    for text in (*shown, *logs):
        assert_clean("success", text)


def container_reprs(container: Container) -> str:
    registry = container.registry()
    parts = [
        registry,
        registry.snapshot(),
        registry.get_provider_status(),
        registry.warnings,
        container.configuration(),
        container.settings(),
        container.sources()(),
        *(registry.get_provider(name).__dict__ for name in registry.get_available_providers()),
    ]
    return "\n".join(repr(part) for part in parts)


def test_container_parts_expose_no_key() -> None:
    env = {row["api_key_var"]: KEY for row in PROVIDER_SCHEMA.values() if "api_key_var" in row}
    env |= {"AZURE_API_BASE": f"https://user:{KEY}@vendor.invalid/v1", "HTTPS_PROXY": f"http://user:{KEY}@proxy:1"}
    container = create_container(env)
    assert len(container.registry().get_available_providers()) == len(KEYED_ROWS)
    assert_clean("container", container_reprs(container))


def test_settings_error_does_not_repeat_key() -> None:
    wrong = {"LLM_DEADLINE": KEY, "LLM_MAX_RETRIES": KEY, "STRICT_PROVIDER_MODE": KEY, "LOG_FORMAT": KEY}
    with pytest.raises(LLMError) as caught:
        create_container(wrong)
    assert_clean("settings error", str(caught.value) + package_frames_with_locals(caught.value))


def test_provider_config_hides_key_and_refuses_pickling() -> None:
    config = ProviderConfig("openai", api_key=KEY, headers={"x-extra": KEY})
    assert_clean("config", repr(config))
    assert f"Bearer {config.api_key}" == f"Bearer {KEY}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(config)


async def test_gemini_key_is_sent_in_header() -> None:
    lab = FaultLab()
    async with lab.client() as client, open_container(lab.env("gemini"), http_client=client) as container:
        await container.llm().generate("ping")
    sent = lab.requests[-1]
    assert sent.headers["x-goog-api-key"] == "lab-key-gemini"
    assert "key" not in sent.path


def test_configured_logging_exposes_no_sensitive_text(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("faultmaven")
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    try:
        configure_logging("DEBUG", "json")
        asyncio.run(failing_call("openai", echo_request(500)))
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        events = [line["event"] for line in lines]
        assert events == ["attempt_started", "attempt_ended", "call_failed"]
        ended: dict[str, Any] = lines[1]
        assert (ended["provider"], ended["model"], ended["attempt"], ended["status"]) == ("openai", "m", 1, 500)
        assert ended["duration_ms"] >= 0
        assert ended["level"] == "warning"
        assert_clean("log line", json.dumps(lines))
    finally:
        logger.setLevel(level)
        logger.propagate, logger.handlers[:] = propagate, handlers
