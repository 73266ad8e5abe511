"""The service out of a host's own container."""

import pytest
from dependency_injector import providers

from faultmaven import ConfigurationError
from faultmaven.testing import FakeProvider
from incidents.host import Host, create_hosted_app

from .running import started


@pytest.fixture
def host() -> Host:
    """A host whose only provider is a fake."""
    host = Host()
    host.faultmaven.given.override(providers.Object({"fake": FakeProvider("It ran out of memory.")}))
    host.faultmaven.only_given.override(providers.Object(True))
    return host


async def test_the_routes_use_the_host_s_container(host: Host) -> None:
    async with started(create_hosted_app(host)) as client:
        reply = await client.post("/diagnose", json={"text": "Why does my pod restart?"})
    assert reply.json()["text"] == "It ran out of memory."


async def test_the_host_builds_its_domain_from_the_same_parts(host: Host) -> None:
    response = await host.diagnostician().diagnose("Why does my pod restart?")
    summary = await host.synthesis().generate("Summarise this.")
    assert (response.provider, summary.provider) == ("fake", "fake")
    await host.faultmaven.aclose()


async def test_a_faulty_configuration_ends_the_start() -> None:
    host = Host()
    host.faultmaven.env.override(providers.Object({"CHAT_PROVIDER": "opneai"}))
    with pytest.raises(ConfigurationError, match="openai"):
        async with started(create_hosted_app(host)):
            pass
