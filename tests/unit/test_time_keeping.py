"""Only built-in providers that the registry makes over `HTTPTransport` go without the outer timeout of the router."""

from typing import Any

import pytest

from faultmaven import LLMResponse, create_container
from faultmaven.domain.errors import ProviderTimeoutError
from faultmaven.domain.requests import ChatRequest
from faultmaven.infrastructure.clock import SystemClock
from faultmaven.infrastructure.http.transport import HTTPTransport
from faultmaven.infrastructure.http.types import ReplyStream, WireReply, WireRequest
from faultmaven.infrastructure.llm.config import ProviderConfig
from faultmaven.infrastructure.llm.providers import AnthropicProvider, LocalProvider, OpenAIProvider
from faultmaven.infrastructure.llm.providers.dialect_stream import DialectStream
from faultmaven.ports.clock import Clock
from faultmaven.testing import FakeProvider, run_in_virtual_time
from faultmaven.testing.virtual_time import VirtualClock

CONFIG = ProviderConfig("p", "k" * 20, "https://vendor.example/v1", ["m"], dialect="openai-chat", timeout=10.0)
ROW = {
    "api_key_var": "P_API_KEY",
    "model_var": "P_MODEL",
    "default_base_url": "https://vendor.example/v1",
    "default_model": "m",
    "max_retries": 0,
    "timeout": 10.0,
    "confidence_score": 0.5,
}


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


def container_with_row(provider_class: type[Any], transport: Any, clock: Clock) -> Any:
    """Return a container whose registry makes the provider "p" of `provider_class` over `transport`."""
    container = create_container({"P_API_KEY": "k" * 20}, transport=transport, clock=clock)
    container.registry().register_provider("p", {**ROW, "provider_class": provider_class})
    return container


@pytest.mark.parametrize(
    ("provider_class", "transport_class", "expected"),
    [
        (OpenAIProvider, HTTPTransport, True),
        (AnthropicProvider, HTTPTransport, True),
        (LocalProvider, HTTPTransport, True),
        (OpenAIProvider, TransportSubclass, False),
        (AnswerSubclass, HTTPTransport, False),
        (StreamSubclass, HTTPTransport, False),
    ],
)
def test_only_built_in_class_over_http_transport_keeps_time(
    provider_class: type[Any], transport_class: type[HTTPTransport], expected: bool
) -> None:
    container = container_with_row(provider_class, transport_class(SystemClock()), SystemClock())
    assert container.registry().snapshot().routes["p"].keeps_time is expected


def test_built_in_class_over_transport_of_host_keeps_no_time() -> None:
    container = container_with_row(OpenAIProvider, TimeoutIgnoringTransport(), SystemClock())
    assert container.registry().snapshot().routes["p"].keeps_time is False


def test_row_of_environment_keeps_time() -> None:
    container = create_container({"OPENAI_API_KEY": "k" * 20})
    assert container.registry().snapshot().routes["openai"].keeps_time is True


def test_reload_keeps_time() -> None:
    container = create_container({"OPENAI_API_KEY": "k" * 20})
    container.registry().reload()
    assert container.registry().snapshot().routes["openai"].keeps_time is True


def provider_of_another_registry() -> Any:
    """Return a built-in provider that another container's registry built over `HTTPTransport`."""
    return create_container({"OPENAI_API_KEY": "k" * 20}).registry().get_provider("openai")


class ClaimingSubclass(AnswerSubclass):
    keeps_time = True


@pytest.mark.parametrize(
    "provider",
    [
        provider_of_another_registry(),
        ClaimingSubclass(CONFIG, HTTPTransport(SystemClock()), SystemClock()),
        OpenAIProvider(CONFIG, HTTPTransport(SystemClock()), SystemClock()),
        OpenAIProvider(CONFIG, TimeoutIgnoringTransport(), SystemClock()),
        OpenAIProvider(CONFIG, TransportSubclass(SystemClock()), SystemClock()),
        patched_provider(),
        FakeProvider(),
    ],
)
def test_passed_in_provider_keeps_no_time(provider: Any) -> None:
    container = create_container(providers={"p": provider})
    assert container.registry().snapshot().routes["p"].keeps_time is False


def test_timeout_stops_passed_in_provider_that_ignores_timeouts() -> None:
    clock = VirtualClock()

    async def call() -> float:
        provider = OpenAIProvider(CONFIG, TimeoutIgnoringTransport(), clock)
        llm = create_container(providers={"p": provider}, clock=clock).llm()
        started = clock.monotonic()
        with pytest.raises(ProviderTimeoutError):
            await llm.generate("ping", deadline=100.0)
        return clock.monotonic() - started

    assert 10.0 <= run_in_virtual_time(call()) < 45.0


def test_timeout_stops_transport_that_ignores_timeouts() -> None:
    clock = VirtualClock()

    async def call() -> float:
        llm = container_with_row(OpenAIProvider, TimeoutIgnoringTransport(), clock).llm()
        started = clock.monotonic()
        with pytest.raises(ProviderTimeoutError):
            await llm.generate("ping", deadline=100.0)
        return clock.monotonic() - started

    assert 10.0 <= run_in_virtual_time(call()) < 45.0
