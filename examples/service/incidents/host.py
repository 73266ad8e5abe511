"""The same service with the `dependency-injector` container of a host, which contains faultmaven's container.

Run it with `uvicorn --factory incidents.host:create_hosted_app`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers
from fastapi import FastAPI

from faultmaven import Container

from .app import create_app
from .diagnosis import Diagnostician


class Host(containers.DeclarativeContainer):
    """The dependencies of the host: here an `LLMProvider` for a role, and a domain object that uses a provider."""

    faultmaven = providers.Container(Container)
    synthesis = providers.Factory(faultmaven.llm, role="synthesis")
    diagnostician = providers.Factory(Diagnostician, llm=faultmaven.llm)


@asynccontextmanager
async def opened(host: Host) -> AsyncIterator[Container]:
    """Yield faultmaven's container inside the host's one, as `open_from_environment` yields a separate one."""
    container = host.faultmaven()
    try:
        container.apply_logging()  # first, so that warnings of the configuration are logged
        container.router_parts()  # builds all parts, so that a faulty configuration fails at start-up
        yield container
    finally:
        await container.aclose()


def create_hosted_app(host: Host | None = None) -> FastAPI:
    """Return the service with the container of a host."""
    wired = host or Host()
    return create_app(lambda: opened(wired))
