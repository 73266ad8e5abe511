"""Keys, prompts and answers are planted everywhere, then looked for wherever something could be seen."""

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
PLANTED = {"key": KEY, "prompt": PROMPT, "answer": ANSWER}

KEYED_ROWS = [name for name, row in PROVIDER_SCHEMA.items() if "api_key_var" in row]


def echo(status: int, content_type: str = "application/json") -> Callable[[httpx.Request], httpx.Response]:
    """Answer with everything that came: the worst that a vendor's error can do."""

    def handle(request: httpx.Request) -> httpx.Response:
        told = f"{dict(request.headers)} {request.content.decode()} {request.url} {ANSWER} {KEY[:8]} {PROMPT[:8]}"
        error = {"message": told, "type": told[:60], "code": KEY, "param": PROMPT}
        body = json.dumps({"error": error, "detail": told, "message": told}).encode()
        headers = {"content-type": content_type, "x-request-id": KEY, "retry-after": KEY}
        return httpx.Response(status, content=body if "json" in content_type else told.encode(), headers=headers)

    return handle


def half(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=f'{{"choices":[{{"message":{{"content":"{ANSWER}"'.encode())


def misshapen(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": [ANSWER, KEY, PROMPT]}], "content": ANSWER})


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"no way to {request.url}")


FAILURES = {
    **{f"echo {status}": echo(status) for status in (200, 302, 400, 401, 402, 403, 404, 413, 422, 429, 498, 500, 529)},
    "echo html": echo(500, "text/html"),
    "echo html in a 200": echo(200, "text/html"),
    "half a reply": half,
    "misshapen": misshapen,
    "unreachable": unreachable,
}


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.getMessage()} {record.__dict__}")


@pytest.fixture
def logs() -> Iterator[list[str]]:
    """Everything that faultmaven logs, down to DEBUG, as text with all fields."""
    handler = Records()
    logger = logging.getLogger("faultmaven")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.texts
    logger.removeHandler(handler)
    logger.setLevel(level)


def assert_clean(where: str, text: str, but: tuple[str, ...] = ()) -> None:
    for what, planted in PLANTED.items():
        for piece in (planted, planted[:8]):
            assert what in but or piece not in text, f"{where} shows the {what}: ...{text[:2000]}"


def our_frames_with_locals(error: BaseException) -> str:
    """The traceback as a crash reporter prints it: every local of every frame of this package, causes included."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts: list[str] = []
    chain: list[traceback.TracebackException | None] = [told, told.__cause__, told.__context__]
    for link in filter(None, chain):
        texts += [str(frame.locals) for frame in link.stack if "/tests/" not in frame.filename]
        texts += list(link.format_exception_only())
    return "\n".join(texts)


def env_of(name: str) -> dict[str, str]:
    row = PROVIDER_SCHEMA[name]
    env = {row["api_key_var"]: KEY, row["base_url_var"]: "https://vendor.invalid/v1", row["model_var"]: "m"}
    return env | {"CHAT_PROVIDER": name}


async def fail(name: str, handle: Callable[[httpx.Request], httpx.Response]) -> LLMError:
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
def test_no_failure_shows_what_was_planted(name: str, failure: str, logs: list[str]) -> None:
    error = asyncio.run(fail(name, FAILURES[failure]))
    assert_clean("str", str(error))
    assert_clean("repr", repr(error) + repr(error.attempts) + repr(vars(error)))
    assert_clean("pickle", pickle.dumps(error).decode("latin-1"))
    assert_clean("traceback", our_frames_with_locals(error))
    assert_clean("vendor_message", error.vendor_message, but=("prompt", "answer"))
    assert logs
    for line in logs:
        assert_clean("log", line)


def test_a_pickled_error_is_the_same_error() -> None:
    error = asyncio.run(fail("openai", echo(429)))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    assert (type(copy), str(copy), copy.status, copy.attempts) == (type(error), str(error), 429, error.attempts)
    both = AllProvidersFailedError([error, error], attempts=error.attempts)
    assert str(pickle.loads(pickle.dumps(both))) == str(both)  # noqa: S301 - made one line above


async def test_no_success_shows_what_was_planted(logs: list[str]) -> None:
    provider = FakeProvider(ANSWER, name="fake")
    async with open_container(providers={"fake": provider}) as container:
        response = await container.llm().generate(PROMPT)
    assert response.content == ANSWER
    shown = [repr(response), repr(response.attempts), repr(provider.requests), repr(provider.requests[0].messages)]
    for text in (*shown, *logs):
        assert_clean("success", text)


def seen_of(container: Container) -> str:
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


def test_no_part_of_a_container_shows_a_key() -> None:
    env = {row["api_key_var"]: KEY for row in PROVIDER_SCHEMA.values() if "api_key_var" in row}
    env |= {"AZURE_API_BASE": f"https://user:{KEY}@vendor.invalid/v1", "HTTPS_PROXY": f"http://user:{KEY}@proxy:1"}
    container = create_container(env)
    assert len(container.registry().get_available_providers()) == len(KEYED_ROWS)
    assert_clean("container", seen_of(container))


def test_a_key_in_the_wrong_variable_is_not_repeated_by_the_error() -> None:
    wrong = {"LLM_DEADLINE": KEY, "LLM_MAX_RETRIES": KEY, "STRICT_PROVIDER_MODE": KEY, "LOG_FORMAT": KEY}
    with pytest.raises(LLMError) as caught:
        create_container(wrong)
    assert_clean("settings error", str(caught.value) + our_frames_with_locals(caught.value))


def test_a_provider_config_hides_its_key_and_refuses_pickling() -> None:
    config = ProviderConfig("openai", api_key=KEY, headers={"x-extra": KEY})
    assert_clean("config", repr(config))
    assert f"Bearer {config.api_key}" == f"Bearer {KEY}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(config)


async def test_geminis_key_travels_in_a_header_and_not_in_the_address() -> None:
    lab = FaultLab()
    async with lab.client() as client, open_container(lab.env("gemini"), http_client=client) as container:
        await container.llm().generate("ping")
    sent = lab.requests[-1]
    assert sent.headers["x-goog-api-key"] == "lab-key-gemini"
    assert "key" not in sent.path


def test_configured_logging_shows_events_and_nothing_planted(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("faultmaven")
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    try:
        configure_logging("DEBUG", "json")
        asyncio.run(fail("openai", echo(500)))
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
