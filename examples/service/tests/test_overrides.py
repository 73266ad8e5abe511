"""Tests for each route with fakes as dependencies: no environment and no vendor."""

import httpx
import pytest
from fastapi import FastAPI

from faultmaven import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigurationError,
    ContentBlockedError,
    ContextLengthError,
    DeadlineExceededError,
    LLMError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    open_container,
)
from faultmaven.testing import FakeProvider, FakeStream
from incidents.app import create_app
from incidents.diagnosis import Diagnostician
from incidents.wiring import get_chat, get_container, get_synthesis

from .running import calling

INCIDENT = {"text": "Why does my pod restart?"}
TOO_LONG = ContextLengthError("the prompt is too long", provider="acme")


async def test_domain_works_without_fastapi_and_container() -> None:
    fake = FakeProvider("It ran out of memory.")
    response = await Diagnostician(fake, deadline=5).diagnose("Why does my pod restart?")
    assert response.content == "It ran out of memory."
    assert [message.role for message in fake.requests[0].messages] == ["system", "user"]
    assert fake.requests[0].deadline == 5


async def test_diagnosis_response_names_no_provider(app: FastAPI, client: httpx.AsyncClient) -> None:
    fake = FakeProvider("It ran out of memory.", name="acme")
    app.dependency_overrides[get_chat] = lambda: fake
    reply = await client.post("/diagnose", json=INCIDENT)
    assert (reply.status_code, reply.json()) == (200, {"text": "It ran out of memory.", "stop_reason": "stop"})
    assert fake.requests[0].messages[-1].text == INCIDENT["text"]


async def test_summary_uses_the_synthesis_provider(app: FastAPI, client: httpx.AsyncClient) -> None:
    app.dependency_overrides[get_synthesis] = lambda: FakeProvider("A pod ran out of memory.")
    reply = await client.post("/summarise", json=INCIDENT)
    assert reply.json()["text"] == "A pod ran out of memory."


async def test_container_override_applies_to_every_route(app: FastAPI, client: httpx.AsyncClient) -> None:
    env = {"SYNTHESIS_PROVIDER": "long", "CLASSIFIER_PROVIDER": "quick", "CHAT_PROVIDER": "wise"}
    fakes = {
        "wise": FakeProvider("It ran out of memory."),
        "long": FakeProvider("A pod ran out of memory."),
        "quick": FakeProvider('{"category": "capacity"}'),
    }
    async with open_container(env, providers=fakes) as container:
        app.dependency_overrides[get_container] = lambda: container
        for route in ("/diagnose", "/summarise", "/classify"):
            reply = await client.post(route, json=INCIDENT)
            assert reply.status_code == 200, route
    assert reply.json() == {"category": "capacity"}
    assert {name: len(fake.requests) for name, fake in fakes.items()} == {"wise": 1, "long": 1, "quick": 1}


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (TOO_LONG, 413, None),
        (ContentBlockedError("it refused", provider="acme"), 422, None),
        (DeadlineExceededError("no time is left"), 504, None),
        (ProviderTimeoutError("no answer in time", provider="acme"), 504, None),
        (ConfigurationError("no provider is configured: set ACME_API_KEY"), 500, None),
        (AuthenticationError("the key is wrong", provider="acme"), 503, "10"),
        (RateLimitError("slow down", provider="acme", retry_after=6.2), 503, "7"),
        (RateLimitError("slow down", provider="acme", retry_after=31_536_000), 503, "300"),
        (AllProvidersFailedError([TOO_LONG, TOO_LONG]), 413, None),
        (AllProvidersFailedError([RateLimitError("slow", retry_after=9), QuotaExceededError("empty")]), 503, "9"),
        (AllProvidersFailedError([TOO_LONG, RateLimitError("slow", retry_after=9)]), 503, "9"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LLMError) else str(value),
)
async def test_error_becomes_status_without_provider_name(
    app: FastAPI, client: httpx.AsyncClient, error: LLMError, status: int, retry_after: str | None
) -> None:
    app.dependency_overrides[get_chat] = lambda: FakeProvider(error)
    reply = await client.post("/diagnose", json=INCIDENT)
    assert (reply.status_code, reply.headers.get("retry-after")) == (status, retry_after)
    assert reply.json() == {"error": type(error).__name__}


@pytest.mark.parametrize(("body", "status"), [({"text": "  "}, 400), ({"txt": "Why?"}, 422)])
async def test_invalid_request_returns_client_error(
    app: FastAPI, client: httpx.AsyncClient, body: dict[str, str], status: int
) -> None:
    app.dependency_overrides[get_chat] = lambda: FakeProvider("It ran out of memory.")
    assert (await client.post("/diagnose", json=body)).status_code == status


async def test_names_providers_option_shows_provider() -> None:
    app = create_app(names_providers=True)
    fake = FakeProvider("It ran out of memory.", AuthenticationError("the key is wrong", provider="acme"), name="acme")
    app.dependency_overrides[get_chat] = lambda: fake
    async with calling(app) as client:
        assert (await client.post("/diagnose", json=INCIDENT)).json()["provider"] == "acme"
        assert "acme: the key is wrong" in (await client.post("/diagnose", json=INCIDENT)).json()["detail"]


async def test_complete_stream_ends_with_end_event(app: FastAPI, client: httpx.AsyncClient) -> None:
    app.dependency_overrides[get_chat] = lambda: FakeProvider(FakeStream("It ran ", "out of memory."))
    reply = await client.post("/diagnose/stream", json=INCIDENT)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text == (
        'event: text\ndata: "It ran "\n\nevent: text\ndata: "out of memory."\n\n'
        'event: end\ndata: {"stop_reason": "stop"}\n\n'
    )


async def test_interrupted_stream_ends_with_error_event(app: FastAPI, client: httpx.AsyncClient) -> None:
    fake = FakeProvider(FakeStream("It ran ", StreamInterruptedError("the connection broke", provider="acme")))
    app.dependency_overrides[get_chat] = lambda: fake
    reply = await client.post("/diagnose/stream", json=INCIDENT)
    assert reply.status_code == 200
    assert reply.text == ('event: text\ndata: "It ran "\n\nevent: error\ndata: {"error": "StreamInterruptedError"}\n\n')
    assert fake.open_streams == 0


async def test_failed_stream_start_has_error_status(app: FastAPI, client: httpx.AsyncClient) -> None:
    down = FakeProvider(ProviderUnavailableError("no connection", retry_after=3))
    async with open_container(providers={"acme": down}) as container:
        app.dependency_overrides[get_container] = lambda: container
        reply = await client.post("/diagnose/stream", json=INCIDENT)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "3")
    assert reply.json() == {"error": "ProviderUnavailableError"}
