"""Tests for the service with the container of a host."""

import pytest
from dependency_injector import providers

from faultmaven import ConfigurationError
from faultmaven.testing import FakeProvider
from incidents.host import Host, create_hosted_app

from .running import started


@pytest.fixture
def host() -> Host:
    """A host with two fake providers, one of them for summaries, and without configured logging."""
    host = Host()
    fakes = {"wise": FakeProvider("It ran out of memory."), "long": FakeProvider("A pod ran out of memory.")}
    host.faultmaven.given.override(providers.Object(fakes))
    host.faultmaven.env.override(providers.Object({"CHAT_PROVIDER": "wise", "SYNTHESIS_PROVIDER": "long"}))
    host.faultmaven.apply_logging.override(providers.Object(None))
    return host


async def test_routes_use_the_host_container(host: Host) -> None:
    async with started(create_hosted_app(host)) as client:
        reply = await client.post("/diagnose", json={"text": "Why does my pod restart?"})
    assert reply.json()["text"] == "It ran out of memory."


async def test_host_domain_uses_the_same_providers(host: Host) -> None:
    response = await host.diagnostician().diagnose("Why does my pod restart?")
    summary = await host.synthesis().generate("Summarise this.")
    assert (response.provider, summary.provider) == ("wise", "long")
    await host.faultmaven.aclose()


async def test_faulty_configuration_stops_the_start(host: Host) -> None:
    host.faultmaven.env.override(providers.Object({"CHAT_PROVIDER": "opneai"}))
    with pytest.raises(ConfigurationError, match="openai"):
        async with started(create_hosted_app(host)):
            pass
