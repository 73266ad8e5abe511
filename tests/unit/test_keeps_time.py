"""Beside whom nobody stands with a clock: a provider of ours over a transport of ours, and nobody else."""

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


class Deaf:
    """A host's transport that keeps no time."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        await VirtualClock().sleep(10**6)
        raise AssertionError

    async def open(self, sent: WireRequest, timeout: float | None) -> ReplyStream:
        raise AssertionError

    async def aclose(self) -> None: ...


class Wrapped(HTTPTransport):
    """A host's own transport over ours."""

    async def send(self, sent: WireRequest, timeout: float | None) -> WireReply:
        return await super().send(sent, timeout)


def patched() -> OpenAIProvider:
    provider = OpenAIProvider(CONFIG, HTTPTransport(SystemClock()), SystemClock())
    provider.answer = provider.answer  # type: ignore[method-assign]
    return provider


class Thoughtful(OpenAIProvider):
    async def answer(self, request: ChatRequest) -> LLMResponse:
        return await super().answer(request)


class ThoughtfulStream(OpenAIProvider):
    async def begin_stream(self, request: ChatRequest) -> DialectStream:
        return await super().begin_stream(request)


def keeps_time(provider: Any) -> bool:
    container = create_container(providers={"p": provider})
    return container.registry().snapshot().routes["p"].keeps_time


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (OpenAIProvider(CONFIG, HTTPTransport(SystemClock()), SystemClock()), True),
        (OpenAIProvider(CONFIG, Deaf(), SystemClock()), False),
        (OpenAIProvider(CONFIG, Wrapped(SystemClock()), SystemClock()), False),
        (patched(), False),
        (Thoughtful(CONFIG, HTTPTransport(SystemClock()), SystemClock()), False),
        (ThoughtfulStream(CONFIG, HTTPTransport(SystemClock()), SystemClock()), False),
        (FakeProvider(), False),
    ],
)
def test_only_ours_over_ours_is_trusted_with_the_time(provider: Any, expected: bool) -> None:
    assert keeps_time(provider) is expected


def test_a_transport_of_the_hosts_that_keeps_no_time_is_cut_off() -> None:
    clock = VirtualClock()

    async def call() -> float:
        provider = OpenAIProvider(CONFIG, Deaf(), clock)
        llm = create_container(providers={"p": provider}, clock=clock).llm()
        began = clock.monotonic()
        with pytest.raises(ProviderTimeoutError):
            await llm.generate("ping", deadline=100.0)
        return clock.monotonic() - began

    assert 10.0 <= run_in_virtual_time(call()) < 45.0
