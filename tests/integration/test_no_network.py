"""With the keys of all providers set, the package opens no connection before the first call."""

import socket
from typing import Any

import pytest

from faultmaven import create_container, open_container
from faultmaven.infrastructure.llm.providers import PROVIDER_SCHEMA, get_registry


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list of all attempts to connect or to look up a name; each attempt is refused."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **options: Any) -> Any:
        attempts.append(arguments)
        raise OSError("the network is denied")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return attempts


@pytest.fixture
def every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in PROVIDER_SCHEMA.values():
        monkeypatch.setenv(row["api_key_var"], "a-real-looking-key")
    monkeypatch.setenv("AZURE_API_BASE", "https://resource.openai.azure.com/openai/v1")


async def test_opening_and_inspection_open_no_connection(every_key: None, connections: list[Any]) -> None:
    async with open_container() as container:
        registry = container.registry()
        assert registry.get_available_providers() == registry.get_all_provider_names() == list(PROVIDER_SCHEMA)
        llm = container.llm()
        assert llm.is_available()
        assert llm.get_supported_models()
        assert registry.get_provider_status()
        assert container.configuration()
        registry.reload()
        for name in registry.get_available_providers():
            assert registry.get_provider(name).is_available()
    assert connections == []


async def test_first_call_opens_a_connection(
    every_key: None, connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_MAX_RETRIES", "0")
    async with open_container() as container:
        with pytest.raises(Exception, match="all 22 providers failed"):
            await container.llm().generate("ping")
    assert connections


def test_process_wide_registry_opens_no_connection(every_key: None, connections: list[Any]) -> None:
    assert get_registry().get_available_providers() == list(PROVIDER_SCHEMA)
    assert connections == []


async def test_mapping_container_ignores_keys_of_process(every_key: None, connections: list[Any]) -> None:
    container = create_container({"GROQ_API_KEY": "mine"})
    assert container.registry().get_available_providers() == ["groq"]
    await container.aclose()
    assert connections == []
