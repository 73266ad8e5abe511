"""Only a built-in provider over a built-in transport is trusted to keep timeouts; others get a second timeout."""

from typing import Any

import pytest

from faultmaven import LLMResponse, create_container
from faultmaven.domain.errors import ProviderTimeoutError
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import ReplyStream, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers.dialect_stream import DialectStream
from faultmaven.infrastructure.llm.providers.openai_provider import OpenAIProvider
from faultmaven.testing import FakeProvider, run_in_virtual_time
from faultmaven.testing.virtual_time import VirtualClock

CONFIG = ProviderConfig("p", "k" * 20, "https://vendor.example/v1", ["m"], dialect="openai-chat", timeout=10.0)


class TimeoutIgnoringTransport:
    """A transport of the host that ignores timeouts."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        await VirtualClock().sleep(10**6)
        raise AssertionError

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        raise AssertionError

    async def aclose(self) -> None: ...


class TransportSubclass(HTTPTransport):
    """A transport of the host that inherits from the built-in one."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        return await super().send(sent, timeout)


def patched_provider() -> OpenAIProvider:
    provider = OpenAIProvider(CONFIG, HTTPTransport(SystemClock()), SystemClock())
    provider.answer = provider.answer  # type: ignore[method-assign]
    return provider


class AnswerSubclass(OpenAIProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(request)


class StreamSubclass(OpenAIProvider):
    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        return await super().begin_stream(request)


def keeps_timeouts(provider: Any) -> bool:
    container = create_container(providers={"p": provider})
    return container.registry().generation().routes["p"].keeps_time


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (OpenAIProvider(CONFIG, HTTPTransport(SystemClock()), SystemClock()), True),
        (OpenAIProvider(CONFIG, TimeoutIgnoringTransport(), SystemClock()), False),
        (OpenAIProvider(CONFIG, TransportSubclass(SystemClock()), SystemClock()), False),
        (patched_provider(), False),
        (AnswerSubclass(CONFIG, HTTPTransport(SystemClock()), SystemClock()), False),
        (StreamSubclass(CONFIG, HTTPTransport(SystemClock()), SystemClock()), False),
        (FakeProvider(), False),
    ],
)
def test_only_built_in_provider_keeps_timeouts(provider: Any, expected: bool) -> None:
    assert keeps_timeouts(provider) is expected


def test_timeout_stops_transport_that_ignores_timeouts() -> None:
    clock = VirtualClock()

    async def call() -> float:
        provider = OpenAIProvider(CONFIG, TimeoutIgnoringTransport(), clock)
        llm = create_container(providers={"p": provider}, clock=clock).llm()
        started = clock.monotonic()
        with pytest.raises(ProviderTimeoutError):
            await llm.generate("ping", deadline=100.0)
        return clock.monotonic() - started

    assert 10.0 <= run_in_virtual_time(call()) < 45.0
